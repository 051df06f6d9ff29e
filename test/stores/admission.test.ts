import { ulid } from 'ulid';
import { SureshotError } from '../../src/domain/failure';
import { checkRoom } from '../../src/stores/admission';
import { createGeneration, type NewGeneration } from '../../src/stores/generations';
import { createRerun } from '../../src/stores/reruns';
import { createTenant } from '../../src/stores/tenants';
import { makeRequest } from '../support/generation-data';
import { openLedger, tenantId, type Ledger } from './ledger';

let ledger: Ledger;

beforeEach(async () => {
  ledger = await openLedger();
});

afterEach(() => ledger.close());

const create = (changes: Partial<NewGeneration> = {}) =>
  createGeneration(ledger.database, {
    ...{ id: `gen_${ulid()}`, tenantId, request: makeRequest(), requestHash: 'hash', idempotencyKey: null },
    ...changes,
  });

const refused = { code: 'policy_rate_limited', retryAfterSeconds: 30 };

const end = (id: string, status = 'succeeded') =>
  ledger.database.generation.update({ where: { id }, data: { status, completedAt: new Date() } });

const countAll = () => ledger.database.generation.count();

test('lets in as many as there are places, and more when some have ended', async () => {
  const { id } = await create({ queuedPerTenant: 2 });
  await create({ queuedPerTenant: 2 });
  await expect(create({ queuedPerTenant: 2 })).rejects.toMatchObject(refused);
  await end(id);
  await create({ queuedPerTenant: 2 });
  await expect(create({ queuedPerTenant: 2 })).rejects.toMatchObject(refused);
  expect(await countAll()).toBe(3);
});

test.each(['succeeded', 'failed', 'canceled', 'expired'])('one that is %s takes no place', async (status) => {
  await end((await create()).id, status);
  await expect(create({ queuedPerTenant: 1 })).resolves.toMatchObject({ created: true });
});

test.each(['queued', 'running'])('one that is %s takes a place', async (status) => {
  const { id } = await create();
  await ledger.database.generation.update({ where: { id }, data: { status } });
  await expect(create({ queuedPerTenant: 1 })).rejects.toMatchObject(refused);
});

test('the places of one tenant are not those of another', async () => {
  await createTenant(ledger.database, { id: 'ten_other', name: 'other', weight: 1 });
  await create({ queuedPerTenant: 1 });
  await expect(create({ queuedPerTenant: 1, tenantId: 'ten_other' })).resolves.toMatchObject({ created: true });
});

test('of many that come at once exactly as many are let in as there are places', async () => {
  for (const most of [1, 7, 30]) {
    await ledger.database.generation.deleteMany();
    const ends = await Promise.allSettled(Array.from({ length: 40 }, () => create({ queuedPerTenant: most })));
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(most);
    expect(await countAll()).toBe(most);
  }
});

test('of those that come to the last places together exactly as many are let in', async () => {
  const most = 150;
  for (let count = 0; count < most - 5; count += 1) await create();
  const ends = await Promise.allSettled(Array.from({ length: 60 }, () => create({ queuedPerTenant: most })));
  expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
  expect(await countAll()).toBe(most);
});

test('far from the limit a tenant is counted once a second, with what was let in since', async () => {
  const check = (nowMs: number) => checkRoom(ledger.database, { tenantId, most: 1_000 }, nowMs);
  expect(await check(0)).toBe('ample');
  await ledger.database.generation.createMany({
    data: Array.from({ length: 1_000 }, () => ({
      ...{ id: `gen_${ulid()}`, tenantId, medium: 'video', request: {}, requestHash: 'hash', metadata: {} },
      deadlineAt: new Date(),
    })),
  });
  expect(await check(999)).toBe('ample');
  await expect(check(1_000)).rejects.toMatchObject(refused);
});

test('who has let in half of what there is room for counts again at once', async () => {
  const check = () => checkRoom(ledger.database, { tenantId, most: 300 }, 0);
  for (let count = 0; count < 150; count += 1) await check();
  for (let count = 0; count < 250; count += 1) await create();
  expect(await check()).toBe('scarce');
});

test('what a key has made before is answered although no place is left', async () => {
  const first = await create({ queuedPerTenant: 1, idempotencyKey: 'key' });
  await expect(create({ queuedPerTenant: 1, idempotencyKey: 'key' })).resolves.toEqual({
    id: first.id,
    created: false,
  });
  await expect(create({ queuedPerTenant: 1, idempotencyKey: 'other' })).rejects.toMatchObject(refused);
  await expect(create({ queuedPerTenant: 1, idempotencyKey: 'key', requestHash: 'another' })).rejects.toMatchObject({
    code: 'caller_idempotency_key_reused',
  });
});

test('of many with one key that come at once for the last place all get the same generation', async () => {
  const made = await Promise.all(
    Array.from({ length: 20 }, () => create({ queuedPerTenant: 1, idempotencyKey: 'key' })),
  );
  expect(new Set(made.map(({ id }) => id)).size).toBe(1);
  expect(made.filter(({ created }) => created)).toHaveLength(1);
});

test('a re-run takes a place like any other', async () => {
  const { id } = await create();
  await end(id, 'failed');
  await create();
  const rerun = (most: number) =>
    createRerun(ledger.database, {
      ...{ id: `gen_${ulid()}`, tenantId, request: makeRequest(), requestHash: 'hash', idempotencyKey: null },
      ...{ rerunOf: id, from: 'start', delayMs: 0, sameWork: true, queuedPerTenant: most },
    });
  await expect(rerun(1)).rejects.toMatchObject(refused);
  await expect(rerun(1)).rejects.toBeInstanceOf(SureshotError);
  expect(await countAll()).toBe(2);
  await expect(rerun(2)).resolves.toMatchObject({ created: true });
});
