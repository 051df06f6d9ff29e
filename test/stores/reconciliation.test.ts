import { readAttempt, recordAnswer, recordSubmitted, type AttemptKey } from '../../src/stores/attempts';
import type { Database } from '../../src/stores/database';
import { publishChange, requestCancel } from '../../src/stores/generations';
import { recordCallback } from '../../src/stores/provider-callbacks';
import {
  isOwned,
  listAnnounced,
  listCancelPending,
  listDecided,
  listNotBegun,
  listSent,
  listSilent,
  listUnwatched,
  recordRepair,
  recordWorkflowSeen,
} from '../../src/stores/reconciliation';
import {
  accept,
  acceptance,
  age,
  begin,
  beginAttempt,
  beginCrowd,
  beginTaken,
  eventsOf,
  next,
  openLedger,
  plan,
  result,
  setStatus,
  tenantId,
  type Ledger,
} from './ledger';

let ledger: Ledger;
let database: Database;

beforeAll(async () => {
  ledger = await openLedger();
  database = ledger.database;
});
afterAll(() => ledger.close());

beforeEach(() => database.$executeRaw`TRUNCATE generations CASCADE`);

const submitted = async (): Promise<AttemptKey> => {
  const key = await beginTaken(database);
  await recordSubmitted(database, key, acceptance());
  return key;
};

const end = (id: string): Promise<void> => publishChange(database, id, () => ({ status: 'canceled' }));

const rowsOf = (generationId: string) =>
  database.attempt.findMany({ where: { generationId }, orderBy: { number: 'asc' } });

test('finds what was accepted and never begun, once it is old enough', async () => {
  const id = await accept(database);
  await begin(database);
  expect(await listNotBegun(database, 5)).toEqual([]);
  await database.$executeRaw`UPDATE generations SET created_at = now() - interval '6 seconds'`;
  expect(await listNotBegun(database, 5)).toEqual([{ id, tenantId, weight: 1, medium: 'video', priority: 'medium' }]);
});

test('names every one that was never begun, however many there are, before it names one again', async () => {
  await beginCrowd(database, 700);
  await database.$executeRaw`UPDATE generations SET status = 'queued', created_at = now() - interval '6 seconds'`;
  const found = new Set<string>();
  for (const expected of [500, 700]) {
    for (const { id } of await listNotBegun(database, 5)) {
      found.add(id);
      await recordWorkflowSeen(database, id);
    }
    expect(found.size).toBe(expected);
  }
});

test('finds what runs and has published nothing for a while', async () => {
  const id = await begin(database);
  const ended = await begin(database);
  await end(ended);
  expect(await listSilent(database, 60)).toEqual([]);
  await database.$executeRaw`UPDATE events SET at = now() - interval '61 seconds'`;
  expect(await listSilent(database, 60)).toEqual([{ id }]);
  await recordRepair(database, id, 'watched');
  expect(await listSilent(database, 60)).toEqual([]);
});

test('finds cancels that were not carried out', async () => {
  const ids = [await begin(database), await accept(database)];
  const ended = await begin(database);
  for (const id of [...ids, ended]) await requestCancel(database, tenantId, id);
  await end(ended);
  expect(await listCancelPending(database, 5)).toEqual([]);
  await database.$executeRaw`UPDATE generations SET cancel_requested_at = now() - interval '6 seconds'`;
  expect((await listCancelPending(database, 5)).map(({ id }) => id)).toEqual([...ids].sort());
});

test('a repair is an event once of each kind, also by several sweeps at a time', async () => {
  const id = await begin(database);
  await Promise.all(['watched', 'watched', 'resolved', 'watched'].map((repair) => recordRepair(database, id, repair)));
  const repairs = (await eventsOf(database, id)).filter(({ type }) => type === 'generation.repair');
  expect(repairs.map(({ data }) => (data as { repair: string }).repair).sort()).toEqual(['resolved', 'watched']);
});

test('a repair of what has ended is an event too, and changes nothing else', async () => {
  const id = await begin(database);
  await end(id);
  const before = await database.generation.findUniqueOrThrow({ where: { id }, omit: { eventSequence: true } });
  await recordRepair(database, id, 'watched');
  expect((await eventsOf(database, id)).at(-1)).toMatchObject({ data: { repair: 'watched' } });
  expect(await database.generation.findUniqueOrThrow({ where: { id }, omit: { eventSequence: true } })).toEqual(before);
});

describe('work that nobody waits for', () => {
  test.each(['submitting', 'submitted'] as const)('is %s although its generation has ended', async (status) => {
    const key = await submitted();
    await setStatus(database, key, status);
    expect(await listUnwatched(database, 0)).toEqual([]);
    await end(key.generationId);
    expect(await listUnwatched(database, 5)).toEqual([]);
    expect(await listUnwatched(database, 0)).toEqual([key]);
  });

  test('was replaced, and is not about to be taken over', async () => {
    const key = await beginTaken(database);
    await plan(database, key.generationId);
    await recordSubmitted(database, key, acceptance());
    expect(await readAttempt(database, key)).toMatchObject({ status: 'submitted', supersededBy: 2 });
    expect(await readAttempt(database, next(key))).toMatchObject({ status: 'planned', takesOver: 1 });
    expect(await listUnwatched(database, 0)).toEqual([]);
    await setStatus(database, next(key), 'submitting', { takesOver: null });
    expect(await listUnwatched(database, 0)).toEqual([key]);
    expect(await listUnwatched(database, 5)).toEqual([]);
  });

  test('has ended nowhere, or it is not listed', async () => {
    for (const status of ['succeeded', 'failed', 'canceled', 'ambiguous', 'superseded'] as const) {
      const key = await submitted();
      await setStatus(database, key, status, { supersededBy: 2 });
      await end(key.generationId);
    }
    expect(await listUnwatched(database, 0)).toEqual([]);
  });
});

test('finds lost answers of which something was told, until somebody has decided', async () => {
  const key = await beginTaken(database);
  await setStatus(database, key, 'ambiguous');
  expect(await listAnnounced(database)).toEqual([]);
  await recordCallback(database, { ...key, provider: 'acme' }, { headers: {}, body: 'done' });
  expect(await listAnnounced(database)).toEqual([key]);
  await setStatus(database, key, 'ambiguous', { resolution: { action: 'abandon', operation: null, at: '' } });
  expect(await listAnnounced(database)).toEqual([]);
});

test('finds what was sent with a key and is silent since a minute', async () => {
  const sent = await beginTaken(database);
  const since = new Date(Date.now() - 60 * 60_000);
  const list = (place: object = {}) => listSent(database, { provider: 'acme', credential: 'main', since, ...place });
  // its sender may take a minute
  await age(database, sent, 119_000);
  expect(await list()).toEqual([]);
  await age(database, sent, 2_000);
  expect(await list()).toEqual([{ ...sent, model: 'acme/clip' }]);
  expect(await list({ credential: 'other' })).toEqual([]);
  expect(await list({ provider: 'brick' })).toEqual([]);
  expect(await list({ since: new Date(Date.now() + 1_000) })).toEqual([]);
  const unsent = await beginAttempt(database);
  await database.attempt.updateMany({
    where: unsent,
    data: { credential: 'main', startedAt: new Date(since.getTime() + 1) },
  });
  expect(await list()).toHaveLength(1);
});

test('knows who owns what, by provider and key', async () => {
  const key = await submitted();
  const { operationId } = await readAttempt(database, key);
  const place = { provider: 'acme', credential: 'main', operationId: operationId ?? '' };
  expect(await isOwned(database, place)).toBe(true);
  expect(await isOwned(database, { ...place, credential: 'other' })).toBe(false);
  expect(await isOwned(database, { ...place, operationId: 'another' })).toBe(false);
});

test('finds what is held too long, or was decided', async () => {
  const key = await beginTaken(database);
  await setStatus(database, key, 'ambiguous');
  const heldAt = (ms: number) =>
    publishChange(database, key.generationId, () => ({ heldAt: new Date(Date.now() - ms) }));
  await heldAt(59_000);
  expect(await listDecided(database, 60_000)).toEqual([]);
  await heldAt(61_000);
  expect(await listDecided(database, 60_000)).toEqual([{ id: key.generationId }]);
  await heldAt(1_000);
  for (const decided of [{ resolution: { action: 'fail_over', operation: null, at: '' } }, { status: 'submitted' }]) {
    await database.attempt.updateMany({ where: key, data: decided });
    expect(await listDecided(database, 60_000)).toEqual([{ id: key.generationId }]);
  }
  await end(key.generationId);
  expect(await listDecided(database, 60_000)).toEqual([]);
});

describe('answers that come late', () => {
  test.each(['submitted', 'superseded', 'failed', 'ambiguous', 'submitting'] as const)(
    'to an attempt that is %s, several at a time and each twice, have one owner each',
    async (status) => {
      const key = await submitted();
      const owned = (await readAttempt(database, key)).operationId;
      await setStatus(database, key, status);
      const answers = Array.from({ length: 6 }, () => acceptance());
      const owners = await Promise.all(
        [...answers, ...answers].map((answer) => recordSubmitted(database, key, answer)),
      );
      const rows = await rowsOf(key.generationId);
      const operations = rows.map(({ operationId }) => operationId);
      // the row of an attempt that waits for its answer takes the first one that comes
      const kept = ['ambiguous', 'submitting'].includes(status) ? [] : [owned];
      expect([...operations].sort()).toEqual([...kept, ...answers.map(({ operation }) => operation.id)].sort());
      expect(rows.map(({ number }) => number)).toEqual(operations.map((_operation, index) => index + 1));
      const told = owners.map(({ operationId }) => operationId);
      expect(told).toEqual([...answers, ...answers].map(({ operation }) => operation.id));
      expect(rows.slice(1).map(({ supersededBy }) => supersededBy)).toEqual(rows.slice(1).map(() => 1));
    },
  );

  test('as results are each written down once, and booked', async () => {
    const key = await beginTaken(database);
    const answers = ['0.01', '0.02', '0.03'].map((costUsd) => result({ costUsd }));
    const first = await recordAnswer(database, { ...key, epoch: 1 }, answers[0] as (typeof answers)[number]);
    // of another send
    await Promise.all(answers.slice(1).map((answer) => recordAnswer(database, { ...key, epoch: 0 }, answer)));
    expect(await recordAnswer(database, { ...key, epoch: 1 }, answers[0] as (typeof answers)[number])).toEqual(first);
    const rows = await rowsOf(key.generationId);
    expect(rows.map(({ costUsd }) => costUsd?.toFixed()).sort()).toEqual(['0.01', '0.02', '0.03']);
    expect(rows.map(({ supersededBy }) => supersededBy)).toEqual([null, 1, 1]);
  });

  test('are listed as work that nobody waits for', async () => {
    const key = await submitted();
    const late = await recordSubmitted(database, key, acceptance());
    expect(late.number).toBe(2);
    expect(await listUnwatched(database, 0)).toEqual([next(key)]);
    expect(await listUnwatched(database, 5)).toEqual([]);
  });
});
