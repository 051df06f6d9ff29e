import type { Given } from '../../src/domain/turns';
import type { AttemptKey } from '../../src/stores/attempts';
import { inTransaction, type Database } from '../../src/stores/database';
import { keepTurn, recordRound, takeUntold, waitInLine } from '../../src/stores/turns';
import { openLedger, turnOf, type Ledger } from './ledger';
import { ageTurn, lineUp, record, setQueue } from './line';

let ledger: Ledger;
let database: Database;

beforeAll(async () => {
  ledger = await openLedger();
  database = ledger.database;
});
afterAll(() => ledger.close());

beforeEach(async () => {
  await database.turn.deleteMany();
  await database.queue.deleteMany();
});

const ms = 1_000;

/** Somebody stands waiting for its answer. */
const stand = ({ generationId }: AttemptKey, askedAt = new Date()) =>
  database.turn.updateMany({ where: { generationId }, data: { askedAt } });

describe('a turn', () => {
  test('is kept while what comes before the send takes its time', async () => {
    const key = await lineUp(database);
    await record(database, [key]);
    await ageTurn(database, key, 30);
    await keepTurn(database, key);
    expect((await turnOf(database, key))?.leaseUntil?.getTime()).toBeGreaterThan(Date.now() + 50 * ms);
    // who keeps it knows of it
    expect(await takeUntold(database)).toEqual([]);
  });

  test('that was not given, or has run out, cannot be kept', async () => {
    const [waits, late] = [await lineUp(database), await lineUp(database)];
    await record(database, [late]);
    await ageTurn(database, late, 61);
    for (const key of [waits, late]) {
      await keepTurn(database, key);
      expect(await waitInLine(database, key)).toEqual({ credential: null });
    }
  });

  test('is written down with its round; who stands waiting for it need not be told', async () => {
    await setQueue(database, [0, 0, 0]);
    const [present, absent, waits] = [await lineUp(database), await lineUp(database), await lineUp(database)];
    const [at, nextAt] = [new Date(), new Date(Date.now() + 3 * ms)];
    await stand(present);
    const gone = await lineUp(database);
    await stand(gone, new Date(Date.now() - 31 * ms));
    const told = await inTransaction(database, (transaction) =>
      recordRound(transaction, 'acme', {
        given: [present, absent, gone].map((key, index) => ({
          turn: key as Given['turn'],
          alias: `key-${index}`,
          isProbe: false,
        })),
        ...{
          virtualTimes: [1, 2.5, 3],
          at,
          nextAt,
          paces: { 'acme/clip': { readyAt: nextAt.toISOString(), perTurnMs: 5, isResting: false } },
        },
      }),
    );
    expect(told.map(({ generationId }) => generationId).sort()).toEqual(
      [absent.generationId, gone.generationId].sort(),
    );
    expect(await turnOf(database, present)).toMatchObject({ credential: 'key-0', toldAt: null });
    expect(await turnOf(database, absent)).toMatchObject({ credential: 'key-1', toldAt: expect.any(Date) as Date });
    expect(await turnOf(database, waits)).toMatchObject({ credential: null, leaseUntil: null });
    expect(await database.queue.findUnique({ where: { provider: 'acme' } })).toMatchObject({
      ...{ virtualTimes: [1, 2.5, 3], given: 3n, nextAt, lookedAt: at },
    });
  });

  test('that nobody came for is told again after two seconds, by one, until it runs out', async () => {
    const keys = [await lineUp(database), await lineUp(database), await lineUp(database)] as const;
    await stand(keys[1]);
    await record(database, [...keys]);
    expect(await takeUntold(database)).toEqual([]);
    await ageTurn(database, keys[0], 3);
    await ageTurn(database, keys[2], 61);
    const untold = await Promise.all(Array.from({ length: 5 }, () => takeUntold(database)));
    expect(untold.flat()).toEqual([keys[0]]);
  });
});
