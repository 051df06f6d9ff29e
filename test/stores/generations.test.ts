import { noUsage } from '../../src/domain/generation';
import { recordAnswer, recordEnding, recordSubmitted, recordSucceeded } from '../../src/stores/attempts';
import { recordArtifacts } from '../../src/stores/artifacts';
import type { Database } from '../../src/stores/database';
import {
  createGeneration,
  findGeneration,
  listGenerations,
  publishChange,
  requestCancel,
  type Change,
  type GenerationFilter,
} from '../../src/stores/generations';
import { createTenant } from '../../src/stores/tenants';
import { makeRequest } from '../support/generation-data';
import { accept, acceptance, begin, beginTaken, eventsOf, openLedger, result, tenantId, type Ledger } from './ledger';

let ledger: Ledger;
let database: Database;

beforeAll(async () => {
  ledger = await openLedger();
  database = ledger.database;
});
afterAll(() => ledger.close());

const find = async (id: string) => {
  const row = await findGeneration(database, tenantId, id);
  if (!row) throw new Error(`no generation ${id}`);
  return row;
};

const addTenant = async (name: string): Promise<string> => {
  await createTenant(database, { id: `ten_${name}`, name, weight: 1 });
  return `ten_${name}`;
};

const list = async (tenant: string, filter: Partial<GenerationFilter> = {}): Promise<string[]> => {
  const rows = await listGenerations(database, tenant, { limit: 20, ...filter });
  return rows.map(({ id }) => id);
};

const change = (id: string, wanted: Change) => publishChange(database, id, () => wanted);

test('a generation is found as it was accepted, by its own tenant only', async () => {
  const id = await accept(database, { tags: ['a'], metadata: { order: '7' }, user: 'ann' });
  expect(await find(id)).toMatchObject({
    id,
    status: 'queued',
    phase: null,
    tags: ['a'],
    metadata: { order: '7' },
    user: 'ann',
    attempts: [],
    artifacts: [],
    warnings: [],
    error: null,
    createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    completedAt: null,
  });
  expect(await findGeneration(database, await addTenant('stranger'), id)).toBeNull();
  expect(await findGeneration(database, tenantId, 'gen_nowhere')).toBeNull();
});

test('lists by status, medium, tag, provider and any two of them, newest first', async () => {
  const tenant = await addTenant('filters');
  const ids = [
    await accept(database, { tags: ['x', 'y'] }, tenant),
    await accept(database, { medium: 'image', tags: ['y'] }, tenant),
    await accept(database, { tags: ['z'] }, tenant),
  ] as const;
  await change(ids[2], { status: 'running' });
  await database.attempt.create({
    data: { generationId: ids[2], number: 1, provider: 'fal', model: 'm', estimatedUsd: '1', priceVersion: 'v' },
  });
  expect(await list(tenant)).toEqual([...ids].reverse());
  expect(await list(tenant, { status: 'queued' })).toEqual([ids[1], ids[0]]);
  expect(await list(tenant, { medium: 'image' })).toEqual([ids[1]]);
  expect(await list(tenant, { tag: 'y' })).toEqual([ids[1], ids[0]]);
  expect(await list(tenant, { tag: 'y', medium: 'video' })).toEqual([ids[0]]);
  expect(await list(tenant, { provider: 'fal' })).toEqual([ids[2]]);
  expect(await list(tenant, { provider: 'runway' })).toEqual([]);
  expect(await list(tenantId, { tag: 'z' })).toEqual([]);
});

test('pages meet every generation once, also when newer ones arrive in between', async () => {
  const tenant = await addTenant('pages');
  const ids: string[] = [];
  for (let count = 0; count < 7; count += 1) ids.push(await accept(database, {}, tenant));
  const seen: string[] = [];
  for (;;) {
    const page = await list(tenant, { limit: 3, beforeId: seen.at(-1) });
    if (page.length === 0) break;
    seen.push(...page);
    await accept(database, {}, tenant);
  }
  expect(seen).toEqual([...ids].reverse());
});

test.each([
  ['0.00000001', '0.00000001'],
  ['0', '0'],
  ['0.10000000', '0.1'],
  ['100', '100'],
  ['123456789012.12345678', '123456789012.12345678'],
])('money %s is written %s, as text', async (costUsd, written) => {
  const key = await beginTaken(database);
  await recordAnswer(database, { ...key, epoch: 1 }, result({ costUsd }));
  const [attempt] = (await find(key.generationId)).attempts;
  expect(attempt).toMatchObject({ costUsd: written, estimatedUsd: '0.04', possibleCostUsd: null });
});

test('attempts and artifacts come in order, sizes as numbers', async () => {
  const key = await beginTaken(database);
  const answer = acceptance();
  await recordSubmitted(database, key, answer);
  await recordSucceeded(database, key, result({ warnings: ['no seed'] }));
  const artifacts = [1, 0].map((index) => ({ index, key: `k${index}`, contentType: 'a/b', bytes: 3e9, sha256: 'f' }));
  for (let twice = 0; twice < 2; twice += 1)
    await recordArtifacts(database, { generationId: key.generationId, attempt: 1, artifacts });
  const row = await find(key.generationId);
  expect(row.attempts).toMatchObject([{ number: 1, operation: answer.operation.id, status: 'succeeded', error: null }]);
  expect(row.artifacts).toMatchObject([
    { index: 0, bytes: 3e9 },
    { index: 1, bytes: 3e9 },
  ]);
  expect(row).toMatchObject({ warnings: ['no seed'], priceVersion: 'acme/clip@2026-11-21', phase: 'storing' });
});

test('twenty requests with one idempotency key make one generation', async () => {
  const request = makeRequest();
  const create = (id: string, requestHash = 'one') =>
    createGeneration(database, { id, tenantId, request, requestHash, idempotencyKey: 'key' });
  const made = await Promise.all(Array.from({ length: 20 }, (_, index) => create(`gen_key_${index}`)));
  expect(made.filter(({ created }) => created)).toHaveLength(1);
  expect(new Set(made.map(({ id }) => id)).size).toBe(1);
  await expect(create('gen_key_other', 'two')).rejects.toMatchObject({ code: 'caller_idempotency_key_reused' });
});

test('a cancel is noted once, and only where something can still be cancelled', async () => {
  const id = await accept(database);
  expect(await requestCancel(database, tenantId, id)).toBe('requested');
  const { cancelRequestedAt } = await find(id);
  expect(cancelRequestedAt).not.toBeNull();
  await change(id, { status: 'running' });
  expect(await requestCancel(database, tenantId, id)).toBe('requested');
  expect((await find(id)).cancelRequestedAt).toBe(cancelRequestedAt);
  expect(await requestCancel(database, await addTenant('canceller'), id)).toBe('missing');
  expect(await requestCancel(database, tenantId, 'gen_nowhere')).toBe('missing');
});

test.each(['succeeded', 'failed', 'canceled', 'expired'] as const)(
  'a generation that is %s stays so, whatever is published later',
  async (status) => {
    const id = await begin(database);
    await change(id, { status, text: 'first', usage: noUsage });
    const ended = await find(id);
    expect(ended).toMatchObject({ status, phase: null, completedAt: expect.any(String) });
    for (const later of ['running', 'failed', 'succeeded'] as const)
      await change(id, { status: later, phase: 'polling', progress: 3, text: 'second', cancelRequested: true });
    expect(await requestCancel(database, tenantId, id)).toBe('terminal');
    expect(await find(id)).toEqual(ended);
  },
);

test('an attempt that ends later is still told as an event of an ended generation', async () => {
  const key = await beginTaken(database);
  await change(key.generationId, { status: 'canceled' });
  await recordEnding(database, key, {
    status: 'canceled',
    code: null,
    message: '',
    costUsd: '0',
    from: ['submitting'],
  });
  const events = await eventsOf(database, key.generationId);
  expect(events.at(-1)).toMatchObject({ type: 'generation.attempt', data: { number: 1, status: 'canceled' } });
  expect((await find(key.generationId)).status).toBe('canceled');
});

test('twenty writers at once number their events without a gap', async () => {
  const id = await begin(database);
  const before = (await eventsOf(database, id)).length;
  await Promise.all(
    Array.from({ length: 20 }, (_, writer) =>
      change(id, {
        events: [
          { type: 'generation.text', data: { writer, part: 1 } },
          { type: 'generation.text', data: { writer, part: 2 } },
        ],
      }),
    ),
  );
  const events = await eventsOf(database, id);
  expect(events.map(({ sequence }) => sequence)).toEqual(Array.from({ length: before + 40 }, (_, index) => index + 1));
  // the two of one writer stay together and in order
  const told = events.slice(before).map(({ data }) => data as { writer: number; part: number });
  for (let index = 0; index < told.length; index += 2) {
    expect(told[index]).toEqual({ writer: told[index]?.writer, part: 1 });
    expect(told[index + 1]).toEqual({ writer: told[index]?.writer, part: 2 });
  }
});

test('a transaction that fails uses no number up', async () => {
  const id = await begin(database);
  const before = await eventsOf(database, id);
  const failing = publishChange(database, id, () => {
    throw new Error('changed my mind');
  });
  await expect(failing).rejects.toThrow('changed my mind');
  await change(id, { progress: 10 });
  const events = await eventsOf(database, id);
  expect(events.map(({ sequence }) => sequence)).toEqual([
    ...before.map(({ sequence }) => sequence),
    before.length + 1,
  ]);
});

test('one change is told as status, phase, progress, then what else happened', async () => {
  const id = await accept(database);
  await change(id, {
    events: [{ type: 'generation.attempt', data: {} }],
    progress: 1,
    phase: 'polling',
    status: 'running',
  });
  const events = await eventsOf(database, id);
  expect(events.map(({ type, data }) => [type, data])).toEqual([
    ['generation.status', { status: 'running' }],
    ['generation.phase', { phase: 'polling' }],
    ['generation.progress', { progress: 1 }],
    ['generation.attempt', {}],
  ]);
});

test('what does not change is not told again', async () => {
  const id = await begin(database);
  await change(id, { phase: 'polling', progress: 5 });
  const before = await eventsOf(database, id);
  await change(id, { status: 'running', phase: 'polling', progress: 5 });
  await change(id, {});
  expect(await eventsOf(database, id)).toEqual(before);
});

test('the terminal event carries the error, and the row keeps it', async () => {
  const id = await begin(database);
  const error = { code: 'provider_failed', message: 'it broke' } as const;
  await change(id, { status: 'failed', error });
  expect((await eventsOf(database, id)).at(-1)).toMatchObject({
    type: 'generation.status',
    data: { status: 'failed', error },
  });
  expect((await find(id)).error).toEqual(error);
});
