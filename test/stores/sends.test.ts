import { takeAttempt, untakeAttempt } from '../../src/stores/attempt-take';
import { recordNotAccepted, type AttemptKey } from '../../src/stores/attempts';
import { inTransaction, type Database } from '../../src/stores/database';
import { publishChange } from '../../src/stores/generations';
import { delaySend, deleteOldSends, deleteSend, insertSend } from '../../src/stores/sends';
import {
  beginTaken,
  beginWith,
  giveTurn,
  joinLineOf,
  makeSender,
  openLedger,
  plan,
  setStatus,
  statusOf,
  take,
  takeInTurn,
  turnOf,
  type Ledger,
} from './ledger';

let ledger: Ledger;
let database: Database;

beforeAll(async () => {
  ledger = await openLedger();
  database = ledger.database;
});
afterAll(() => ledger.close());

const sendsOf = (key: AttemptKey) => database.send.findMany({ where: key, orderBy: { epoch: 'asc' } });

const leaseOf = (key: AttemptKey, seconds: number) =>
  database.turn.updateMany({ where: key, data: { leaseUntil: new Date(Date.now() + seconds * 1_000) } });

const busy = { code: 'provider_overloaded', message: 'busy', counts: true } as const;

describe('a take', () => {
  test('uses up the turn, and counts as a send from then on', async () => {
    const key = await beginWith(database, { model: 'acme/film' });
    const before = Date.now();
    await takeInTurn(database, key, makeSender({ credential: 'spare', tokens: 321 }));
    expect(await turnOf(database, key)).toBeNull();
    const [send, ...others] = await sendsOf(key);
    expect(send).toMatchObject({
      ...{
        epoch: 1,
        provider: 'acme',
        model: 'acme/film',
        credential: 'spare',
        tokens: 321,
        outcome: null,
        latencyMs: null,
      },
    });
    expect(Math.abs((send?.at.getTime() ?? 0) - before)).toBeLessThan(5_000);
    expect(others).toEqual([]);
  });

  const unready: Record<string, (key: AttemptKey) => Promise<unknown>> = {
    'without a turn': () => Promise.resolve(),
    'while it waits': (key) => joinLineOf(database, key),
    "with another key's turn": (key) => giveTurn(database, key, 'spare'),
    'with a turn that has run out': async (key) => {
      await giveTurn(database, key);
      await leaseOf(key, -1);
    },
    'with a turn that is as good as over': async (key) => {
      await giveTurn(database, key);
      await leaseOf(key, 9);
    },
    "with another attempt's turn": async () => giveTurn(database, await beginWith(database)),
  };

  test.each(Object.keys(unready))('%s sends nothing', async (name) => {
    const key = await beginWith(database);
    await unready[name]?.(key);
    const before = await turnOf(database, key);
    expect(await takeAttempt(database, key, makeSender())).toEqual({ kind: 'turnless' });
    expect([await statusOf(database, key), await sendsOf(key), await turnOf(database, key)]).toEqual([
      'planned',
      [],
      before,
    ]);
  });

  test('with little of the turn left is one all the same', async () => {
    const key = await beginWith(database);
    await giveTurn(database, key);
    await leaseOf(key, 15);
    expect(await takeAttempt(database, key, makeSender())).toMatchObject({ kind: 'taken' });
  });

  test('of which only the acknowledgement was lost is no second send', async () => {
    const key = await beginWith(database);
    const sender = makeSender();
    await takeInTurn(database, key, sender);
    expect(await takeAttempt(database, key, sender)).toMatchObject({ kind: 'taken', attempt: { epoch: 1 } });
    expect(await sendsOf(key)).toHaveLength(1);
  });

  test('of many at once uses one turn and makes one send', async () => {
    const key = await beginWith(database);
    await giveTurn(database, key);
    const takes = await Promise.all(Array.from({ length: 8 }, () => takeAttempt(database, key, makeSender())));
    expect(takes.map(({ kind }) => kind).sort()).toEqual(['taken', ...Array<string>(7).fill('unresolved')]);
    expect(await sendsOf(key)).toHaveLength(1);
  });

  test('after a cancel or past the deadline lets go without a turn, and leaves the line', async () => {
    const [cancelled, late] = [await beginWith(database), await beginWith(database)];
    await publishChange(database, cancelled.generationId, () => ({ cancelRequested: true }));
    await publishChange(database, late.generationId, () => ({ deadlineAt: new Date(Date.now() - 1_000) }));
    for (const key of [cancelled, late]) {
      await joinLineOf(database, key);
      expect(await takeAttempt(database, key, makeSender())).toMatchObject({
        kind: 'recorded',
        attempt: { status: 'canceled' },
      });
      expect([await turnOf(database, key), await sendsOf(key)]).toEqual([null, []]);
    }
  });

  test('in the place of one that was never accepted gets in line itself', async () => {
    const first = await beginTaken(database);
    await plan(database, first.generationId);
    await setStatus(database, first, 'planned', { sentAt: null });
    const second = { ...first, number: 2 };
    expect(await takeAttempt(database, second, makeSender({ credential: null }))).toEqual({ kind: 'turnless' });
    expect([await statusOf(database, first), await statusOf(database, second)]).toEqual(['superseded', 'planned']);
    expect(await take(database, second)).toMatchObject({ kind: 'taken' });
  });
});

describe('a send', () => {
  test('that was never made is taken back with its take, and only that', async () => {
    const key = await beginWith(database);
    await take(database, key);
    await recordNotAccepted(database, key, { ...busy, epoch: 1 });
    await take(database, key);
    await untakeAttempt(database, key, 1);
    expect(await sendsOf(key)).toHaveLength(2);
    await untakeAttempt(database, key, 2);
    expect((await sendsOf(key)).map(({ epoch }) => epoch)).toEqual([1]);
    expect(await statusOf(database, key)).toBe('planned');
    // it has to get in line again
    expect(await takeAttempt(database, key, makeSender())).toEqual({ kind: 'turnless' });
  });

  test('that was answered stays, whoever takes back its take', async () => {
    const key = await beginWith(database);
    await take(database, key);
    await setStatus(database, key, 'submitted');
    await untakeAttempt(database, key, 1);
    expect([await statusOf(database, key), (await sendsOf(key)).length]).toEqual(['submitted', 1]);
  });

  test('that left late counts from when it left', async () => {
    const key = await beginWith(database);
    await take(database, key);
    await database.send.updateMany({ where: key, data: { at: new Date(Date.now() - 30_000) } });
    await delaySend(database, { ...key, epoch: 1 });
    await delaySend(database, { ...key, epoch: 2 });
    const sends = await sendsOf(key);
    expect(sends).toHaveLength(1);
    expect(Date.now() - (sends[0]?.at.getTime() ?? 0)).toBeLessThan(5_000);
  });

  test('is kept for as long as a figure may look at it', async () => {
    const key = await beginWith(database);
    const send = { ...key, provider: 'acme', credential: 'main', model: 'acme/clip', tokens: 0 };
    await inTransaction(database, async (transaction) => {
      for (const epoch of [1, 2, 3]) await insertSend(transaction, { ...send, epoch });
      await deleteSend(transaction, { ...key, epoch: 2 });
    });
    await database.send.updateMany({
      where: { ...key, epoch: 1 },
      data: { at: new Date(Date.now() - 8.1 * 86_400_000) },
    });
    await database.send.updateMany({
      where: { ...key, epoch: 3 },
      data: { at: new Date(Date.now() - 7.9 * 86_400_000) },
    });
    expect(await deleteOldSends(database)).toBe(1);
    expect((await sendsOf(key)).map(({ epoch }) => epoch)).toEqual([3]);
  });
});
