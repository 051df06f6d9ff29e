import { readCapacity } from '../../src/activities/capacity';
import type { Dependencies } from '../../src/activities/dependencies';
import { giveOn } from '../../src/activities/rounds';
import { unlimited, type Limits } from '../../src/domain/limits';
import { pauseQueue, resumeQueue } from '../../src/stores/turns';
import { beginCrowd, joinLineOf, makeSender, takeInTurn } from '../stores/ledger';
import { openActivityBench, type ActivityBench } from '../support/activity-bench';
import { makeModel } from '../support/generation-data';

const provider = 'acme';
const model = 'acme/clip';

let bench: ActivityBench;
let dependencies: Dependencies;
let limits: Partial<Limits>;

beforeAll(async () => {
  bench = await openActivityBench(
    [],
    [
      makeModel({ id: model, typicalSeconds: 40 }),
      makeModel({ id: 'acme/film' }),
      makeModel({ id: 'brick/reel', provider: 'brick' }),
    ],
  );
  dependencies = bench.another({
    settings: {
      ...bench.dependencies.settings,
      limitsOf: () => ({ key: { ...unlimited, ...limits }, models: {}, cooldownSeconds: 30 }),
    },
    credentials: {
      acme: ['a', 'b'].map((alias) => ({ alias, secret: alias, baseUrl: null })),
      brick: [],
    },
    workflows: { ...bench.dependencies.workflows, giveTurn: () => Promise.resolve('told') },
  });
});
afterAll(() => bench.close());

beforeEach(async () => {
  limits = {};
  const { database, views } = dependencies;
  views.clear();
  for (const table of ['turns', 'queues', 'sends', 'breakers', 'provider_credentials'])
    await database.$executeRawUnsafe(`DELETE FROM ${table}`);
  await database.attempt.updateMany({ data: { credential: null } });
  await database.providerCredential.createMany({
    data: ['a', 'b'].map((alias) => ({ provider, alias, source: 'environment', print: alias })),
  });
});

const look = async (id = model) => {
  dependencies.views.clear();
  return (await readCapacity(dependencies, [id])).get(id);
};

/** Work that is out with each of these keys. */
const occupy = async (...aliases: string[]): Promise<void> => {
  for (const credential of aliases) {
    const [key] = await beginCrowd(dependencies.database, 1);
    if (key) await takeInTurn(dependencies.database, key, makeSender({ credential }));
  }
};

const lineUp = async (count: number): Promise<void> => {
  for (const key of await beginCrowd(dependencies.database, count)) await joinLineOf(dependencies.database, key);
};

const inAMinute = (): Date => new Date(Date.now() + 60_000);

test('a model with room is ready, also where some of its keys have none', async () => {
  limits = { jobsInFlight: 1 };
  await occupy('a');
  expect(await look()).toEqual({ state: 'ready', waitMs: 0 });
});

test('a model without room is busy for as long as its work usually takes, and longer for those that wait already', async () => {
  limits = { jobsInFlight: 1 };
  await occupy('a', 'b');
  expect(await look()).toEqual({ state: 'busy', waitMs: 40_000 });
  await lineUp(4);
  await giveOn(dependencies, provider);
  // two keys, each one of these in 40 s
  expect(await look()).toEqual({ state: 'busy', waitMs: 40_000 + 4 * 20_000 });
});

test('without limits nobody waits, however many are about to be sent', async () => {
  await dependencies.database.queue.create({ data: { provider, virtualTimes: [0, 0, 0] } });
  await lineUp(3);
  expect(await look()).toEqual({ state: 'ready', waitMs: 0 });
});

test.each<[string, Partial<Limits>, object]>([
  ['money of the month', { spendPerMonthUsd: '0.04' }, { costUsd: '0.04' }],
  ['tokens of the minute', { tokensPerMinute: 50 }, {}],
])('a model is not ready where the %s is used up', async (_name, used, data) => {
  limits = used;
  await occupy('a', 'b');
  await dependencies.database.attempt.updateMany({ where: { credential: { not: null } }, data });
  await dependencies.database.send.updateMany({ data: { tokens: 50 } });
  expect(await look()).toMatchObject({ state: 'busy' });
});

test('a model is paused while all keys of its provider rest', async () => {
  const { database } = dependencies;
  await database.providerCredential.updateMany({ where: { alias: 'a' }, data: { pausedUntil: inAMinute() } });
  expect(await look()).toEqual({ state: 'ready', waitMs: 0 });
  await database.providerCredential.updateMany({ data: { pausedUntil: inAMinute() } });
  const rests = await look();
  expect(rests?.state).toBe('paused');
  expect(rests?.waitMs).toBeGreaterThan(50_000);
  expect(rests?.waitMs).toBeLessThanOrEqual(60_000);
});

test('a model is paused while a person has paused its provider, for nobody knows how long', async () => {
  await pauseQueue(dependencies.database, provider, 'wait');
  expect(await look()).toEqual({ state: 'paused', waitMs: Infinity });
  await resumeQueue(dependencies.database, provider);
  expect(await look()).toEqual({ state: 'ready', waitMs: 0 });
});

test('a model is open while its breakers are; other models of the key are not', async () => {
  const place = { provider, model, openings: 1, changedAt: new Date(), state: 'open' };
  await dependencies.database.breaker.createMany({
    data: ['a', 'b'].map((credential) => ({ ...place, credential, openUntil: inAMinute() })),
  });
  expect(await look()).toMatchObject({ state: 'open' });
  expect(await look('acme/film')).toEqual({ state: 'ready', waitMs: 0 });
  await dependencies.database.breaker.updateMany({ data: { openUntil: new Date(Date.now() - 1) } });
  expect(await look()).toEqual({ state: 'ready', waitMs: 0 });
});

test('a model without a usable key is paused', async () => {
  expect(await look('brick/reel')).toEqual({ state: 'paused', waitMs: Infinity });
  await dependencies.database.providerCredential.updateMany({ data: { disabledBy: 'operator' } });
  expect(await look()).toEqual({ state: 'paused', waitMs: Infinity });
});

test('several models of one provider are read at one look, which holds for a while', async () => {
  limits = { jobsInFlight: 1 };
  let looks = 0;
  const { database } = dependencies;
  const counted = new Proxy(database, {
    get: (target, name) => {
      if (name === '$queryRaw') looks += 1;
      return Reflect.get(target, name) as unknown;
    },
  });
  const counting = { ...dependencies, database: counted, views: new Map() };
  const all = await readCapacity(counting, [model, 'acme/film', 'other/none']);
  expect([...all.keys()].sort()).toEqual([model, 'acme/film']);
  const atFirst = looks;
  await Promise.all([model, 'acme/film'].map((id) => readCapacity(counting, [id])));
  expect([atFirst > 0, looks]).toEqual([true, atFirst]);
});

test('a look that failed is not kept', async () => {
  const failing = new Proxy(dependencies.database, {
    get: (target, name) =>
      name === '$queryRaw' ? () => Promise.reject(new Error('away')) : (Reflect.get(target, name) as unknown),
  });
  const views = new Map() as Dependencies['views'];
  await expect(readCapacity({ ...dependencies, database: failing, views }, [model])).rejects.toThrow('away');
  expect((await readCapacity({ ...dependencies, views }, [model])).get(model)).toEqual({ state: 'ready', waitMs: 0 });
});
