import type { Given } from '../../src/domain/turns';
import { inTransaction, type Database } from '../../src/stores/database';
import {
  listQueues,
  pauseQueue,
  readQueues,
  recordUse,
  resumeQueue,
  takeUntold,
  wakeQueue,
} from '../../src/stores/turns';
import { lockQueue, readStanding } from '../../src/stores/standing';
import { openLedger, type Ledger } from './ledger';

let ledger: Ledger;
let database: Database;

beforeAll(async () => {
  ledger = await openLedger();
  database = ledger.database;
});
afterAll(() => ledger.close());

beforeEach(() => database.queue.deleteMany());

const inAMinute = (): Date => new Date(Date.now() + 60_000);

const setQueue = (nextAt: Date | null = null) =>
  database.queue.create({ data: { provider: 'acme', virtualTimes: [0, 0, 0], nextAt } });

describe('a queue', () => {
  test('is locked by one at a time, also the very first time', async () => {
    let inside = 0;
    let most = 0;
    const hold = () =>
      inTransaction(database, async (transaction) => {
        await lockQueue(transaction, 'acme');
        inside += 1;
        most = Math.max(most, inside);
        await transaction.$queryRaw`SELECT 1`;
        inside -= 1;
      });
    await Promise.all(Array.from({ length: 10 }, hold));
    expect(most).toBe(1);
    expect(await database.queue.count()).toBe(1);
  });

  test('is looked at when its time has come, or when it was woken', async () => {
    await setQueue(inAMinute());
    expect([await listQueues(database, { due: true }), await listQueues(database, { due: false })]).toEqual([
      [],
      ['acme'],
    ]);
    await wakeQueue(database, 'acme');
    expect(await listQueues(database, { due: true })).toEqual(['acme']);
  });

  test('is not woken where nobody waits', async () => {
    await setQueue();
    await wakeQueue(database, 'acme');
    expect(await listQueues(database, { due: false })).toEqual([]);
  });

  test('that was paused says since when and what becomes of its work, and is looked at when it goes on', async () => {
    await pauseQueue(database, 'acme', 'wait');
    const [paused] = await readQueues(database);
    await pauseQueue(database, 'acme', 'reroute');
    expect(await readQueues(database)).toMatchObject([{ pausedAt: paused?.pausedAt, pausedWork: 'reroute' }]);
    await database.queue.update({ where: { provider: 'acme' }, data: { nextAt: inAMinute() } });
    await resumeQueue(database, 'acme');
    expect(await readQueues(database)).toMatchObject([{ pausedAt: null, pausedWork: null }]);
    expect(await listQueues(database, { due: true })).toEqual(['acme']);
  });
});

test('those who wait are told once that they may go elsewhere; those with a turn, or of other providers, are not', async () => {
  const makeTurn = (generationId: string, more: object = {}) => ({
    ...{ generationId, number: 1, provider: 'acme', model: 'acme/clip', tenantId: 'ten_test', priority: 1, tag: 1 },
    ...more,
  });
  await database.turn.createMany({
    data: [
      makeTurn('waits'),
      makeTurn('has-turn', { credential: 'main', leaseUntil: inAMinute() }),
      makeTurn('had-turn', { credential: 'main', leaseUntil: new Date(Date.now() - 1_000), toldAt: new Date() }),
      makeTurn('gave-back', { credential: 'main' }),
      makeTurn('elsewhere', { provider: 'brick' }),
    ],
  });
  await pauseQueue(database, 'acme', 'wait');
  expect(await takeUntold(database)).toEqual([]);
  await pauseQueue(database, 'acme', 'reroute');
  const told = (await Promise.all([1, 2, 3].map(() => takeUntold(database)))).flat();
  expect(told.map(({ generationId }) => generationId).sort()).toEqual(['gave-back', 'had-turn', 'waits']);
});

test('keys that were used in one round are told apart by which came first', async () => {
  await database.providerCredential.createMany({
    data: ['a', 'b', 'c'].map((alias) => ({ provider: 'acme', alias, source: 'environment', print: alias })),
  });
  const turns = (['c', 'a', 'c', 'b', 'a'] as const).map((alias) => ({
    turn: {} as Given['turn'],
    alias,
    isProbe: false,
  }));
  await inTransaction(database, (transaction) => recordUse(transaction, 'acme', turns));
  await inTransaction(database, (transaction) => recordUse(transaction, 'acme', turns.slice(0, 1)));
  const { keys } = await readStanding(database, { provider: 'acme', rules: [] }, () => 0);
  const uses = Object.fromEntries(keys.map(({ alias, lastUsedAt }) => [alias, lastUsedAt?.getTime() ?? 0])) as Record<
    'a' | 'b' | 'c',
    number
  >;
  expect(uses.b).toBeLessThan(uses.a);
  expect(uses.a).toBeLessThan(uses.c);
});
