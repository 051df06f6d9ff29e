import type { Dependencies } from '../../src/activities/dependencies';
import { giveOn, giveOnAll, startDispatcher } from '../../src/activities/rounds';
import { comeToTurn } from '../../src/activities/turns';
import { unlimited, type Limits } from '../../src/domain/limits';
import type { Rotation } from '../../src/domain/turns';
import { takeAttempt } from '../../src/stores/attempt-take';
import { readAttempt, recordEnding, type AttemptKey } from '../../src/stores/attempts';
import { inTransaction, type Database } from '../../src/stores/database';
import { Prisma } from '../../src/stores/generated/client';
import { readGeneration } from '../../src/stores/generations';
import { createTenant } from '../../src/stores/tenants';
import { lockQueue } from '../../src/stores/standing';
import { nameOf, pauseQueue, resumeQueue, waitInLine } from '../../src/stores/turns';
import { beginCrowd, joinLineOf, makeSender, tenantId, turnOf } from '../stores/ledger';
import { openActivityBench, type ActivityBench } from '../support/activity-bench';
import { makeModel } from '../support/generation-data';

const provider = 'acme';

let bench: ActivityBench;
let database: Database;
let limits: Partial<Limits>;
let ofModels: Record<string, Partial<Limits>>;
let rotation: Rotation;

beforeAll(async () => {
  bench = await openActivityBench(
    [],
    ['acme/clip', 'acme/film'].map((id) => makeModel({ id })),
  );
  database = bench.dependencies.database;
});
afterAll(() => bench.close());

beforeEach(async () => {
  limits = {};
  ofModels = {};
  rotation = 'round_robin';
  for (const table of ['turns', 'queues', 'sends', 'breakers', 'provider_credentials'])
    await database.$executeRawUnsafe(`DELETE FROM ${table}`);
  await database.attempt.updateMany({ data: { credential: null } });
});

type Told = Dependencies['workflows']['giveTurn'];

/** A worker of its own, with these keys. */
const startProcess = (giveTurn: Told = () => Promise.resolve('told'), aliases = ['a', 'b']): Dependencies =>
  bench.another({
    settings: {
      ...bench.dependencies.settings,
      limitsOf: () => ({ key: { ...unlimited, ...limits }, models: ofModels, cooldownSeconds: 30 }),
      rotationOf: () => rotation,
    },
    credentials: { acme: aliases.map((alias) => ({ alias, secret: alias, baseUrl: null })) },
    workflows: { ...bench.dependencies.workflows, giveTurn },
  });

const announceKeys = (aliases: readonly string[]) =>
  database.providerCredential.createMany({
    data: aliases.map((alias) => ({ provider, alias, source: 'environment', print: alias })),
  });

const ask = async (dependencies: Dependencies, key: AttemptKey) => {
  const [attempt, generation] = await Promise.all([
    readAttempt(database, key),
    readGeneration(database, key.generationId),
  ]);
  return comeToTurn(dependencies, { attempt, generation });
};

const send = async (key: AttemptKey, credential: string): Promise<void> => {
  expect(await takeAttempt(database, key, makeSender({ credential }))).toMatchObject({ kind: 'taken' });
};

const finish = (key: AttemptKey) =>
  recordEnding(database, key, {
    ...{ status: 'failed', code: 'provider_failed', message: 'done', costUsd: '0', from: ['submitting'] },
  });

const idsOf = (given: Awaited<ReturnType<typeof giveOn>>): string[] => given.map(({ turn }) => turn.generationId);

const lineUp = async (count: number, how: Parameters<typeof joinLineOf>[2] & { model?: string } = {}) => {
  const { model, ...joining } = how;
  const keys = await beginCrowd(database, count, {
    ...(model && { model }),
    ...(joining.tenant && { tenant: joining.tenant }),
  });
  for (const key of keys) {
    await joinLineOf(database, key, joining);
    await waitInLine(database, key);
  }
  return keys;
};

/** As they stand after they came one after the other. */
const lineUpCrowd = async (count: number): Promise<AttemptKey[]> => {
  const keys = await beginCrowd(database, count);
  const place = { provider, model: 'acme/clip', tenantId, priority: 1 };
  const sinceMs = Date.now() - 3_600_000;
  await database.turn.createMany({
    data: keys.map((key, index) => ({ ...key, ...place, tag: index + 1, since: new Date(sinceMs + index) })),
  });
  return keys;
};

/** Until it is so; the test's own time limit ends it otherwise. */
const until = async (isSo: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20));
};

/** Work that is out with each key, and turns that were given: in one look. */
const countHeld = async (): Promise<number[]> => {
  const rows = await database.$queryRaw<{ count: number }[]>`
    SELECT count(*)::int AS count FROM (
      SELECT credential FROM attempts WHERE status IN ('submitting', 'submitted') AND credential IS NOT NULL
      UNION ALL SELECT credential FROM turns WHERE lease_until > clock_timestamp()) AS held
    GROUP BY credential`;
  return rows.map(({ count }) => count);
};

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
    limits = { jobsInFlight: 3 };
    const waiters = new Map<string, () => void>();
    let tellings = 0;
    const tell: Told = (key) => {
      tellings += 1;
      // the process dies between the commit of its round and the telling
      if (tellings % 7 === 3) return Promise.reject(new Error('gone down'));
      waiters.get(nameOf(key))?.();
      return Promise.resolve('told');
    };
    const processes = [1, 2, 3].map(() => startProcess(tell));
    const stops = processes.map(startDispatcher);
    const keys = await beginCrowd(database, 40);

    const serve = async (key: AttemptKey, index: number): Promise<void> => {
      for (let tries = 0; ; tries += 1) {
        const told = new Promise<void>((resolve) => waiters.set(nameOf(key), resolve));
        const dependencies = processes[(index + tries) % 3] as Dependencies;
        const coming = await ask(dependencies, key);
        if (coming.kind === 'turn') {
          await send(key, coming.credential);
          await finish(key);
          return giveOnAll(dependencies, { due: false });
        }
        expect(coming).toMatchObject({ kind: 'step', step: { state: 'waiting' } });
        await told;
      }
    };

    let isDone = false;
    let most = 0;
    const watch = (async () => {
      while (!isDone) most = Math.max(most, ...(await countHeld()));
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
    limits = { requestsPerMinute: 4 };
    const processes = [1, 2, 3].map(() => startProcess());
    let waiting = await beginCrowd(database, 26);
    const counts = [];
    while (waiting.length > 0) {
      const comings = await Promise.all(waiting.map((key, index) => ask(processes[index % 3] as Dependencies, key)));
      const come = waiting.filter((_key, index) => comings[index]?.kind === 'turn');
      counts.push(come.length);
      await Promise.all(come.map(async (key) => send(key, (await turnOf(database, key))?.credential ?? '')));
      waiting = waiting.filter((key) => !come.includes(key));
      await database.$executeRaw`UPDATE sends SET at = at - interval '62 seconds'`;
    }
    expect(counts).toEqual([8, 8, 8, 2]);
  });

  test('share a round where one runs already', async () => {
    const process = startProcess();
    let rounds = 0;
    const counted = withRounds(process.database, (hold) => {
      rounds += 1;
      return hold();
    });
    const [, ...others] = await lineUp(20);
    const dependencies = { ...process, database: counted };
    const running = giveOn(dependencies, provider);
    await until(() => rounds === 1);
    const rest = await Promise.all(others.map(() => giveOn(dependencies, provider)));
    expect(rounds).toBe(2);
    expect(new Set(rest).size).toBe(1);
    expect(idsOf(await running)).toHaveLength(20);
  });

  test('are served by the round of another process that began after they had asked', async () => {
    await lineUp(1);
    let looks = 0;
    const processes = [1, 2, 3, 4].map(() => {
      const dependencies = startProcess();
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
    const process = startProcess();
    let isAway = true;
    const failing = withRounds(process.database, (hold) => {
      if (!isAway) return hold();
      isAway = false;
      return Promise.reject(new Error('the database is away'));
    });
    const [key] = await lineUp(1);
    const dependencies = { ...process, database: failing };
    await expect(giveOn(dependencies, provider)).rejects.toThrow('away');
    expect(idsOf(await giveOn(dependencies, provider))).toEqual([key?.generationId]);
  });
});

describe('a turn', () => {
  test('whose process died before it told is told by another one', async () => {
    limits = { jobsInFlight: 1 };
    const told: string[] = [];
    const dying = startProcess(() => Promise.reject(new Error('gone down')), ['a']);
    const living = startProcess((key) => {
      told.push(nameOf(key));
      return Promise.resolve('told');
    });
    const [first, second] = (await beginCrowd(database, 2)) as [AttemptKey, AttemptKey];
    expect(await ask(dying, first)).toEqual({ kind: 'turn', credential: 'a' });
    expect(await ask(dying, second)).toMatchObject({ kind: 'step' });
    await send(first, 'a');
    await finish(first);
    await giveOnAll(dying, { due: false });
    expect(await turnOf(database, second)).toMatchObject({ credential: 'a' });
    const stop = startDispatcher(living);
    await until(() => told.includes(nameOf(second)));
    await stop();
    expect(await ask(living, second)).toEqual({ kind: 'turn', credential: 'a' });
  });

  test('whose process died before it sent is found by whoever tries again', async () => {
    limits = { jobsInFlight: 1 };
    const [key] = (await beginCrowd(database, 1)) as [AttemptKey];
    await joinLineOf(database, key);
    expect(await giveOn(startProcess(), provider)).toHaveLength(1);
    expect(await turnOf(database, key)).toMatchObject({ toldAt: null });
    expect(await ask(startProcess(), key)).toEqual({ kind: 'turn', credential: 'a' });
    expect(await countHeld()).toEqual([1]);
  });

  test('that nobody uses goes to the next one when it has run out', async () => {
    limits = { jobsInFlight: 1 };
    const process = startProcess(undefined, ['a']);
    const [lost, next] = (await lineUp(2)) as [AttemptKey, AttemptKey];
    expect(idsOf(await giveOn(process, provider))).toEqual([lost.generationId]);
    await database.turn.updateMany({ where: lost, data: { leaseUntil: new Date(Date.now() - 1), priority: 2 } });
    expect(idsOf(await giveOn(process, provider))).toEqual([next.generationId]);
  });

  test('of a workflow that is gone leaves the line', async () => {
    const process = startProcess(() => Promise.resolve('gone'));
    const [key] = (await lineUp(1)) as [AttemptKey];
    await giveOn(process, provider);
    await until(async () => (await turnOf(database, key)) === null);
  });

  test('goes to those of each model that has room, however many wait for another', async () => {
    ofModels = { 'acme/film': { jobsInFlight: 1 } };
    const process = startProcess(undefined, ['a']);
    await lineUpCrowd(130);
    const [film] = (await lineUp(2, { model: 'acme/film' })) as [AttemptKey];
    expect(idsOf(await giveOn(process, provider))).toContain(film.generationId);
    // more wait than are read at once: the next looks do not wait
    await giveOnAll(process, { due: true });
    await giveOnAll(process, { due: true });
    expect(await database.turn.count({ where: { credential: null } })).toBe(1);
    const { nextAt } = await database.queue.findUniqueOrThrow({ where: { provider } });
    expect(nextAt?.getTime()).toBeGreaterThan(Date.now());
  });

  test('goes to tenants by their weight, behind however large a crowd', async () => {
    limits = { jobsInFlight: 10 };
    await createTenant(database, { id: 'ten_three', name: 'three', weight: 3 });
    const crowd = new Set((await lineUpCrowd(2_000)).map(nameOf));
    const process = startProcess(undefined, ['a']);
    const order: string[] = [];
    const round = async (): Promise<void> => {
      const given = await giveOn(process, provider);
      order.push(...given.map(({ turn }) => (crowd.has(nameOf(turn)) ? 'crowd' : 'comer')));
      await database.turn.deleteMany({ where: { generationId: { in: idsOf(given) } } });
    };
    await round();
    await lineUp(40, { tenant: 'ten_three' });
    for (let count = 0; count < 4; count += 1) await round();
    expect(order.slice(0, 10)).toEqual(Array<string>(10).fill('crowd'));
    const served = order.slice(10).filter((who) => who === 'comer').length;
    expect([28, 29, 30, 31, 32]).toContain(served);
    expect(order.slice(10, 18).filter((who) => who === 'comer').length).toBeGreaterThanOrEqual(5);
  });

  test('given for its age alone does not send newcomers behind all that waits', async () => {
    limits = { jobsInFlight: 1 };
    ofModels = { 'acme/film': { jobsInFlight: 1 } };
    await createTenant(database, { id: 'ten_late', name: 'late', weight: 1 });
    await createTenant(database, { id: 'ten_other', name: 'other', weight: 1 });
    const process = startProcess(undefined, ['a']);
    // its films are far behind: so is its clip, by its share
    await lineUp(20, { model: 'acme/film' });
    const [oldest] = (await lineUp(1)) as [AttemptKey];
    await lineUp(5, { tenant: 'ten_other' });
    await pauseQueue(database, provider, 'wait');
    expect(await giveOn(process, provider)).toEqual([]);
    await database.turn.updateMany({ where: oldest, data: { since: new Date(Date.now() - 60_000) } });
    await database.queue.update({ where: { provider }, data: { pausedAt: null, given: 9 } });
    expect(idsOf(await giveOn(process, provider))).toEqual([oldest.generationId]);
    const [late] = (await lineUp(1, { tenant: 'ten_late' })) as [AttemptKey];
    expect(await giveOn(process, provider)).toEqual([]);
    expect((await turnOf(database, late))?.tag).toBe(1);
  });
});

describe('keys', () => {
  test('in rotation are used equally often, however many turns a round gives', async () => {
    await announceKeys(['a', 'b', 'c']);
    const process = startProcess(undefined, ['a', 'b', 'c']);
    const used: string[] = [];
    for (let count = 0; count < 9; count += 1) {
      await lineUp(2);
      used.push(...(await giveOn(process, provider)).map(({ alias }) => alias));
    }
    expect(['a', 'b', 'c'].map((alias) => used.filter((one) => one === alias).length)).toEqual([6, 6, 6]);
  });

  test('that are paused or switched off are not used; nor are those of a provider that is paused', async () => {
    await announceKeys(['a', 'b', 'c']);
    const process = startProcess(undefined, ['a', 'b', 'c']);
    const change = (alias: string, data: object) => database.providerCredential.updateMany({ where: { alias }, data });
    await change('a', { pausedUntil: new Date(Date.now() + 60_000) });
    await change('b', { disabledBy: 'operator' });
    await lineUp(3);
    await pauseQueue(database, provider, 'wait');
    expect(await giveOn(process, provider)).toEqual([]);
    await resumeQueue(database, provider);
    await giveOnAll(process, { due: true });
    const given = await database.turn.findMany({ where: { credential: { not: null } } });
    expect(given.map(({ credential }) => credential)).toEqual(['c', 'c', 'c']);
  });

  test('whose breaker is open are tried by one, when its time has come', async () => {
    const place = { provider, model: 'acme/clip', credential: 'a', openings: 1, changedAt: new Date() };
    await database.breaker.create({ data: { ...place, state: 'open', openUntil: new Date(Date.now() + 60_000) } });
    const process = startProcess(undefined, ['a']);
    const [first] = (await lineUp(3)) as [AttemptKey];
    expect(await giveOn(process, provider)).toEqual([]);
    await database.breaker.updateMany({ data: { openUntil: new Date(Date.now() - 1) } });
    expect(await giveOn(process, provider)).toMatchObject([{ turn: first, isProbe: true }]);
    expect(await database.breaker.findMany()).toMatchObject([{ state: 'half_open', probe: nameOf(first) }]);
    expect(await giveOn(process, provider)).toEqual([]);
  });
});

describe('those who wait while', () => {
  const untold = async (): Promise<number> => database.turn.count({ where: { toldAt: new Date(0) } });

  test('every key begins to rest for long are sent to look elsewhere, once', async () => {
    limits = { jobsInFlight: 1 };
    await announceKeys(['a']);
    const process = startProcess(undefined, ['a']);
    await lineUp(3);
    await giveOn(process, provider);
    expect(await untold()).toBe(0);
    const rest = (ms: number) =>
      database.providerCredential.updateMany({ data: { pausedUntil: new Date(Date.now() + ms) } });
    await rest(5_000);
    await giveOn(process, provider);
    expect(await untold()).toBe(0);
    await rest(3_600_000);
    await giveOn(process, provider);
    expect(await untold()).toBe(2);
    await database.turn.updateMany({ data: { toldAt: null } });
    await giveOn(process, provider);
    expect(await untold()).toBe(0);
  });

  test('the last key goes are sent to look elsewhere', async () => {
    limits = { jobsInFlight: 1 };
    await announceKeys(['a']);
    const process = startProcess(undefined, ['a']);
    await lineUp(3);
    await giveOn(process, provider);
    await database.providerCredential.updateMany({ data: { disabledBy: 'operator' } });
    await giveOn(process, provider);
    expect(await untold()).toBe(2);
  });
});

test('every tenth turn goes to the one that waits longest, over rounds', async () => {
  limits = { jobsInFlight: 1 };
  const process = startProcess(undefined, ['a']);
  const [low] = (await lineUp(1, { priority: 2 })) as [AttemptKey];
  await database.turn.updateMany({ where: low, data: { since: new Date(Date.now() - 7_200_000) } });
  await lineUpCrowd(70);
  const order: string[] = [];
  for (let count = 0; count < 10; count += 1) {
    const ids = idsOf(await giveOn(process, provider));
    order.push(...ids);
    await database.turn.deleteMany({ where: { generationId: { in: ids } } });
  }
  expect(order.indexOf(low.generationId)).toBe(9);
});
