import type { LimitKind, Rule } from '../../src/domain/limits';
import { takeAttempt } from '../../src/stores/attempt-take';
import {
  readAttempt,
  recordEnding,
  recordNotAccepted,
  recordSubmitted,
  type AttemptKey,
  type Ending,
} from '../../src/stores/attempts';
import type { Database } from '../../src/stores/database';
import { gaugesOf, readGauges } from '../../src/stores/gauges';
import { settleSend } from '../../src/stores/send-outcomes';
import {
  acceptance,
  age,
  beginCrowd,
  beginWith,
  giveTurn,
  joinLineOf,
  makeSender,
  openLedger,
  plan,
  setStatus,
  take,
  takeInTurn,
  type Ledger,
} from './ledger';

let ledger: Ledger;
let database: Database;

beforeAll(async () => {
  ledger = await openLedger();
  database = ledger.database;
});
afterAll(() => ledger.close());

beforeEach(async () => {
  await database.turn.deleteMany();
  await database.send.deleteMany();
  // what others left stands with a key that nobody asks about
  await database.attempt.updateMany({ data: { credential: null } });
});

const workSeconds: Record<string, number> = { 'acme/clip': 100, 'acme/film': 400 };
const workSecondsOf = (model: string | null): number => (model === null ? 400 : (workSeconds[model] ?? 0));

const look = async (rule: Partial<Rule> & { kind: LimitKind }) => {
  const rules = [{ credential: 'main', model: null, most: 10, ...rule }];
  const [gauge] = await readGauges(database, { provider: 'acme', rules }, workSecondsOf);
  return gauge as NonNullable<typeof gauge>;
};
const usedOf = async (kind: LimitKind, rule: Partial<Rule> = {}): Promise<number> =>
  (await look({ kind, ...rule })).used;

type PlanNode = {
  'Relation Name'?: string;
  'Actual Rows': number;
  'Rows Removed by Filter'?: number;
  Plans?: PlanNode[];
};

const nodesOf = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)];

/** A planned attempt that was sent with this key. */
const begin = async (credential = 'main', { model = 'acme/clip', tokens = 0 } = {}): Promise<AttemptKey> => {
  const key = await beginWith(database, { model });
  await takeInTurn(database, key, makeSender({ credential, tokens }));
  return key;
};

/** In line with a turn. */
const beginGiven = async ({
  model = 'acme/clip',
  tokens = 0,
  estimatedUsd = '0.04',
}: { model?: string; tokens?: number; estimatedUsd?: string | null } = {}): Promise<AttemptKey> => {
  const key = await beginWith(database, { model, estimatedUsd });
  await joinLineOf(database, key, { tokens });
  await giveTurn(database, key);
  return key;
};

const expireTurn = ({ generationId, number }: AttemptKey) =>
  database.turn.update({
    where: { generationId_number: { generationId, number } },
    data: { leaseUntil: new Date(Date.now() - 1_000) },
  });

/** As if all that was sent had been sent this much earlier. */
const ageSends = (seconds: number) =>
  database.$executeRaw`UPDATE sends SET at = at - make_interval(secs => ${seconds}::float8)`;

const settle = ({ generationId, number }: AttemptKey, tokens: number | null) =>
  settleSend(
    database,
    { generationId, number, epoch: 1 },
    { outcome: 'accepted', isFault: false, latencyMs: 5, tokens, print: null },
  );

const lost: Ending = {
  ...{ status: 'ambiguous', code: 'provider_submit_ambiguous', message: 'lost', costUsd: null },
  from: ['submitting', 'submitted'],
};

test('without rules nothing is read', async () => {
  expect(await readGauges(database, { provider: 'acme', rules: [] }, workSecondsOf)).toEqual([]);
});

test('every rule is one gauge, of its key, its model and its kind', async () => {
  const rules: Rule[] = [
    { credential: 'main', model: null, kind: 'jobs_in_flight', most: 3 },
    { credential: 'main', model: 'acme/film', kind: 'jobs_in_flight', most: 1 },
    { credential: 'spare', model: null, kind: 'requests_per_day', most: 7 },
    { credential: 'spare', model: null, kind: 'spend_per_month', most: 20.5 },
  ];
  await begin('main', { model: 'acme/film' });
  await begin('main');
  await begin('spare');
  const gauges = await readGauges(database, { provider: 'acme', rules }, workSecondsOf);
  const told = gauges.map(({ credential, model, kind, most, used }) => ({ credential, model, kind, most, used }));
  expect(told).toHaveLength(4);
  expect(told).toEqual(expect.arrayContaining(rules.map((rule, index) => ({ ...rule, used: [2, 1, 1, 0.04][index] }))));
});

describe('jobs in flight', () => {
  test.each([
    ['submitting', 1],
    ['submitted', 1],
    ['planned', 0],
    ['succeeded', 0],
    ['failed', 0],
    ['rejected', 0],
    ['canceled', 0],
    ['superseded', 0],
  ] as const)('of an attempt that is %s: %d', async (status, used) => {
    await setStatus(database, await begin(), status);
    expect(await look({ kind: 'jobs_in_flight' })).toMatchObject({ used, freesAt: null });
  });

  test('are turns that were given, until they run out', async () => {
    const key = await beginGiven();
    await joinLineOf(database, await beginWith(database));
    expect(await usedOf('jobs_in_flight')).toBe(1);
    await expireTurn(key);
    expect(await usedOf('jobs_in_flight')).toBe(0);
  });

  test('a lost answer may be work that runs, for as long as such work takes at most', async () => {
    const key = await begin();
    await recordEnding(database, key, lost);
    await age(database, key, 98_000);
    expect([await usedOf('jobs_in_flight'), await usedOf('jobs_in_flight', { model: 'acme/clip' })]).toEqual([1, 1]);
    await age(database, key, 4_000);
    // all work of the key together: as long as any of it takes
    expect([await usedOf('jobs_in_flight'), await usedOf('jobs_in_flight', { model: 'acme/clip' })]).toEqual([1, 0]);
    await age(database, key, 300_000);
    expect(await usedOf('jobs_in_flight')).toBe(0);
  });

  test('work that is out keeps its slot, however long it takes and whoever goes on with it', async () => {
    const key = await begin();
    await recordSubmitted(database, key, acceptance());
    await age(database, key, 86_400_000 * 3);
    expect(await usedOf('jobs_in_flight')).toBe(1);
    // a reset: the next attempt takes it over
    await plan(database, key.generationId);
    expect(await usedOf('jobs_in_flight')).toBe(1);
  });

  test('are counted once while turns become sends', async () => {
    const keys = await beginCrowd(database, 30);
    for (const key of keys) await giveTurn(database, key);
    let isDone = false;
    const takes = Promise.all(keys.map((key) => takeAttempt(database, key, makeSender()))).then((taken) => {
      isDone = true;
      return taken;
    });
    const seen = new Set<number>();
    while (!isDone) for (const kind of ['jobs_in_flight', 'requests_per_minute'] as const) seen.add(await usedOf(kind));
    expect((await takes).every(({ kind }) => kind === 'taken')).toBe(true);
    expect([...seen]).toEqual([30]);
  });
});

describe('requests', () => {
  test('are counted for a second longer than a minute, and free up as the oldest leaves', async () => {
    await begin();
    await ageSends(40);
    await begin();
    const { used, freesAt } = await look({ kind: 'requests_per_minute' });
    expect(used).toBe(2);
    expect(Math.abs((freesAt?.getTime() ?? 0) - Date.now() - 21_000)).toBeLessThan(5_000);
    await ageSends(20.5);
    // sent 60.5 s ago: it may have reached the provider later
    const { at } = await database.send.findFirstOrThrow({ orderBy: { at: 'asc' } });
    if (Date.now() - at.getTime() < 61_000) expect(await usedOf('requests_per_minute')).toBe(2);
    await ageSends(2);
    expect(await usedOf('requests_per_minute')).toBe(1);
  });

  test('are counted for a second longer than a day', async () => {
    await begin();
    await ageSends(86_390);
    const { used, freesAt } = await look({ kind: 'requests_per_day' });
    expect(used).toBe(1);
    expect(Math.abs((freesAt?.getTime() ?? 0) - Date.now() - 11_000)).toBeLessThan(5_000);
    await ageSends(12);
    expect(await look({ kind: 'requests_per_day' })).toMatchObject({ used: 0, freesAt: null });
  });

  test('are all that were sent, whatever became of them, and turns that were given', async () => {
    const key = await begin();
    await recordNotAccepted(database, key, { code: 'provider_rate_limited', message: 'slow', counts: false, epoch: 1 });
    await take(database, key);
    await setStatus(database, key, 'failed');
    await beginGiven();
    expect([await usedOf('requests_per_minute'), await usedOf('requests_per_day')]).toEqual([3, 3]);
  });

  test('of other models count for the whole key only', async () => {
    await begin('main', { model: 'acme/film' });
    await beginGiven({ model: 'acme/film' });
    expect(await usedOf('requests_per_minute')).toBe(2);
    expect(await usedOf('requests_per_minute', { model: 'acme/clip' })).toBe(0);
    expect(await usedOf('requests_per_minute', { model: 'acme/film' })).toBe(2);
  });
});

describe('tokens', () => {
  test('are the most a request may use, until it is known what it used', async () => {
    const keys = [await begin('main', { tokens: 100 }), await begin('main', { tokens: 50 })] as const;
    await beginGiven({ tokens: 7 });
    expect(await usedOf('tokens_per_minute')).toBe(157);
    await settle(keys[0], 33);
    await settle(keys[1], null);
    expect(await usedOf('tokens_per_minute')).toBe(33 + 50 + 7);
    await ageSends(62);
    expect(await look({ kind: 'tokens_per_minute' })).toMatchObject({ used: 7, freesAt: null });
  });
});

describe('the spend of a month', () => {
  const monthStart = (monthsOn = 0): Date => {
    const now = new Date();
    return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + monthsOn, 1));
  };
  const patch = (key: AttemptKey, data: object) => database.attempt.updateMany({ where: key, data });

  test.each([
    ['what it cost', { status: 'succeeded', costUsd: '0.03', possibleCostUsd: null }, 0.03],
    ['what it may have cost', { status: 'ambiguous', costUsd: null, possibleCostUsd: '0.05' }, 0.05],
    ['what it may cost, while it runs', { status: 'submitted', costUsd: null, possibleCostUsd: null }, 0.04],
    ['nothing, where it was refused', { status: 'rejected', costUsd: '0' }, 0],
    ['what a failure cost', { status: 'failed', costUsd: '0.02' }, 0.02],
    ['nothing that anybody knows, without a price', { status: 'submitted', estimatedUsd: null }, 0],
  ])('counts %s', async (_name, data, used) => {
    await patch(await begin(), data);
    expect(await usedOf('spend_per_month')).toBeCloseTo(used);
  });

  test('counts turns that were given, and nothing of what waits or was taken back', async () => {
    await beginGiven({ estimatedUsd: '0.2' });
    await beginGiven({ estimatedUsd: null });
    await joinLineOf(database, await beginWith(database));
    const refused = await begin();
    await recordNotAccepted(database, refused, {
      code: 'provider_overloaded',
      message: 'busy',
      counts: true,
      epoch: 1,
    });
    expect(await usedOf('spend_per_month')).toBeCloseTo(0.2);
  });

  test('counts work once that went on to another attempt', async () => {
    const key = await begin();
    await recordSubmitted(database, key, acceptance());
    await plan(database, key.generationId);
    expect(await readAttempt(database, { ...key, number: 2 })).toMatchObject({ status: 'submitted' });
    expect(await usedOf('spend_per_month')).toBeCloseTo(0.04);
  });

  test('begins with the month, in UTC', async () => {
    const [before, after] = [await begin(), await begin()];
    await patch(before, { sentAt: new Date(monthStart().getTime() - 1_000), costUsd: '5' });
    await patch(after, { sentAt: monthStart(), costUsd: '0.5' });
    expect(await look({ kind: 'spend_per_month' })).toMatchObject({ used: 0.5, freesAt: monthStart(1) });
  });
});

test('nothing is read of what was sent before the window', async () => {
  await database.$executeRaw`
    INSERT INTO sends (generation_id, number, epoch, provider, credential, model, at)
    SELECT 'gen_' || i, 1, 1, 'acme', 'main', 'acme/clip', now() - interval '25 hours' FROM generate_series(1, 5000) AS i`;
  await database.$executeRaw`ANALYZE sends`;
  await begin();
  const rules = (['requests_per_minute', 'requests_per_day', 'tokens_per_minute'] as const).flatMap((kind) =>
    [null, 'acme/clip'].map((model): Rule => ({ credential: 'main', model, kind, most: 10 })),
  );
  const [plan] = await database.$queryRaw<{ 'QUERY PLAN': [{ Plan: PlanNode }] }[]>`
    EXPLAIN (ANALYZE, FORMAT JSON) ${gaugesOf({ provider: 'acme', rules }, workSecondsOf)}`;
  const looks = nodesOf((plan as NonNullable<typeof plan>)['QUERY PLAN'][0].Plan).filter(
    (node) => node['Relation Name'] === 'sends',
  );
  expect(looks.length).toBeGreaterThanOrEqual(rules.length);
  for (const look of looks) expect(look['Actual Rows'] + (look['Rows Removed by Filter'] ?? 0)).toBeLessThanOrEqual(1);
});
