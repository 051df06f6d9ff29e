import type { Dependencies } from '../../src/activities/dependencies';
import { giveOn, giveOnAll, startDispatcher } from '../../src/activities/rounds';
import type { AttemptKey } from '../../src/stores/attempts';
import { inTransaction, type Database } from '../../src/stores/database';
import { Prisma } from '../../src/stores/generated/client';
import { lockQueue } from '../../src/stores/standing';
import { nameOf } from '../../src/stores/turns';
import { beginCrowd, turnOf } from '../stores/ledger';
import {
  ask,
  countHeld,
  finish,
  idsOf,
  lineUpMany,
  openRounds,
  provider,
  send,
  until,
  type RoundsBench,
  type Told,
} from './rounds-bench';

let bench: RoundsBench;
let database: Database;

beforeAll(async () => {
  bench = await openRounds();
  database = bench.database;
});
afterAll(() => bench.close());
beforeEach(() => bench.clear());

/** The same database; every round is held by `hold`. */
const withRounds = (real: Database, around: <Result>(hold: () => Promise<Result>) => Promise<Result>): Database => {
  const $transaction: Database['direct']['$transaction'] = (work) => around(() => real.direct.$transaction(work));
  const direct = { ...real.direct, $transaction };
  return new Proxy(real, {
    get: (target, name) => (name === 'direct' ? direct : (Reflect.get(target, name) as unknown)),
  });
};

describe('many who ask at once, of several processes', () => {
  test('never have more turns than there is room; all are served, none twice, though some are not told', async () => {
    bench.limit({ ofKey: { jobsInFlight: 3 } });
    const waiters = new Map<string, () => void>();
    let tellings = 0;
    const tell: Told = (key) => {
      tellings += 1;
      // the process dies between the commit of its round and the telling
      if (tellings % 7 === 3) return Promise.reject(new Error('gone down'));
      waiters.get(nameOf(key))?.();
      return Promise.resolve('told');
    };
    const processes = [1, 2, 3].map(() => bench.startProcess(tell));
    const stops = processes.map(startDispatcher);
    const keys = await beginCrowd(database, 40);

    const serve = async (key: AttemptKey, index: number): Promise<void> => {
      for (let tries = 0; ; tries += 1) {
        const told = new Promise<void>((resolve) => waiters.set(nameOf(key), resolve));
        const dependencies = processes[(index + tries) % 3] as Dependencies;
        const coming = await ask(dependencies, key);
        if (coming.kind === 'turn') {
          await send(database, key, coming.credential);
          await finish(database, key);
          return giveOnAll(dependencies, { due: false });
        }
        expect(coming).toMatchObject({ kind: 'step', step: { state: 'waiting' } });
        await told;
      }
    };

    let isDone = false;
    let most = 0;
    const watch = (async () => {
      while (!isDone) most = Math.max(most, ...(await countHeld(database)));
    })();
    await Promise.all(keys.map(serve));
    isDone = true;
    await watch;
    await Promise.all(stops.map((stop) => stop()));
    expect(most).toBe(3);
    expect(await database.send.count()).toBe(40);
    expect(await database.attempt.count({ where: { epoch: { not: 1 }, credential: { not: null } } })).toBe(0);
    expect(await database.turn.count()).toBe(0);
  });

  test('are given as many turns as a minute has, and the next ones in the next minute', async () => {
    bench.limit({ ofKey: { requestsPerMinute: 4 } });
    const processes = [1, 2, 3].map(() => bench.startProcess());
    let waiting = await beginCrowd(database, 26);
    const counts = [];
    while (waiting.length > 0) {
      const comings = await Promise.all(waiting.map((key, index) => ask(processes[index % 3] as Dependencies, key)));
      const come = waiting.filter((_key, index) => comings[index]?.kind === 'turn');
      counts.push(come.length);
      await Promise.all(come.map(async (key) => send(database, key, (await turnOf(database, key))?.credential ?? '')));
      waiting = waiting.filter((key) => !come.includes(key));
      await database.$executeRaw`UPDATE sends SET at = at - interval '62 seconds'`;
    }
    expect(counts).toEqual([8, 8, 8, 2]);
  });

  test('share a round where one runs already', async () => {
    const process = bench.startProcess();
    let rounds = 0;
    const counted = withRounds(process.database, (hold) => {
      rounds += 1;
      return hold();
    });
    const [, ...others] = await lineUpMany(database, 20);
    const dependencies = { ...process, database: counted };
    const running = giveOn(dependencies, provider);
    await until(() => rounds === 1);
    const rest = await Promise.all(others.map(() => giveOn(dependencies, provider)));
    expect(rounds).toBe(2);
    expect(new Set(rest).size).toBe(1);
    expect(idsOf(await running)).toHaveLength(20);
  });

  test('are served by the round of another process that began after they had asked', async () => {
    await lineUpMany(database, 1);
    let looks = 0;
    const processes = [1, 2, 3, 4].map(() => {
      const dependencies = bench.startProcess();
      const { settings } = dependencies;
      const limitsOf: typeof settings.limitsOf = (...asked) => {
        looks += 1;
        return settings.limitsOf(...asked);
      };
      return { ...dependencies, settings: { ...settings, limitsOf } };
    });
    const waiting = Prisma.sql`SELECT count(*)::int AS count FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    // its first round makes the queue's row, and whoever waits for that asks for its lock afterwards
    await inTransaction(database, (transaction) => lockQueue(transaction, provider));
    const given = await inTransaction(database, async (transaction) => {
      await lockQueue(transaction, provider);
      const asked = processes.map((process) => giveOn(process, provider));
      await until(async () => (await database.$queryRaw<{ count: number }[]>(waiting))[0]?.count === 4);
      return asked;
    });
    expect((await Promise.all(given)).flat()).toHaveLength(1);
    expect(looks).toBe(1);
  });

  test('learn of a round that failed, and the next one is held all the same', async () => {
    const process = bench.startProcess();
    let isAway = true;
    const failing = withRounds(process.database, (hold) => {
      if (!isAway) return hold();
      isAway = false;
      return Promise.reject(new Error('the database is away'));
    });
    const [key] = await lineUpMany(database, 1);
    const dependencies = { ...process, database: failing };
    await expect(giveOn(dependencies, provider)).rejects.toThrow('away');
    expect(idsOf(await giveOn(dependencies, provider))).toEqual([key?.generationId]);
  });
});
