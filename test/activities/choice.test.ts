import { chooseCandidates } from '../../src/activities/choice';
import type { ActivitySettings, Dependencies } from '../../src/activities/dependencies';
import type { GenerationRequest } from '../../src/domain/generation';
import type { Model } from '../../src/domain/model';
import { readGeneration } from '../../src/stores/generations';
import { peekTurn } from '../../src/stores/round-robin';
import { accept } from '../stores/ledger';
import { openActivityBench, type ActivityBench } from '../support/activity-bench';
import { makeModel, makeRequest } from '../support/generation-data';

const models: Model[] = ['acme', 'brick', 'crux'].map((provider, index) =>
  makeModel({
    id: `${provider}/clip`,
    provider,
    price: { source: 'made up', readOn: '2026-11-21', per: 'second', rates: [{ usd: `0.${index + 1}` }] },
  }),
);
const cheapestFirst = models.map(({ id }) => id);

let bench: ActivityBench;

beforeEach(async () => {
  bench = await openActivityBench([], models);
  const providers = models.map(({ provider: id }) => ({ id }));
  Object.assign(bench.dependencies, { providers });
});

afterEach(() => bench.close());

const routed = (routing: Partial<GenerationRequest['routing']>, request: Partial<GenerationRequest> = {}) => ({
  ...request,
  routing: { ...makeRequest().routing, strategy: 'cost' as const, ...routing },
});

/** As another process would: nothing of what was seen before is known to it. */
const withSettings = (settings: Partial<ActivitySettings> = {}): Dependencies => ({
  ...bench.dependencies,
  settings: { ...bench.dependencies.settings, ...settings },
  views: new Map(),
});

const choose = async (request: Partial<GenerationRequest>, dependencies = withSettings()) => {
  const generationId = await accept(dependencies.database, request);
  const { candidates } = await chooseCandidates(dependencies, { generationId });
  const { decision, ...row } = await readGeneration(dependencies.database, generationId);
  if (!decision) throw new Error('nothing was decided');
  return { ...row, candidates, decision, order: decision.candidates.map(({ model }) => model) };
};

/** What the ledger says of attempts on a model that ended a minute ago. */
const record = async (model: string, attempts: readonly { status: string; tookMs: number }[]): Promise<void> => {
  const generationId = await accept(bench.dependencies.database);
  const endedAt = new Date(Date.now() - 60_000);
  const [provider = ''] = model.split('/');
  await bench.dependencies.database.attempt.createMany({
    data: attempts.map(({ status, tookMs }, index) => ({
      ...{ generationId, number: index + 1, provider, model, status, priceVersion: 'made up', endedAt },
      sentAt: new Date(endedAt.getTime() - tookMs),
      errorCode: status === 'failed' ? 'provider_failed' : null,
    })),
  });
};

const times = <Value>(count: number, value: Value): Value[] => Array.from({ length: count }, () => value);

test('records who may be tried, in order, and why', async () => {
  const { candidates, decision, order, phase } = await choose(routed({}));
  expect({ candidates, order, phase }).toEqual({ candidates: 3, order: cheapestFirst, phase: 'choosing' });
  expect(decision.candidates[1]?.reason).toContain('2nd of 3, after acme/clip because it costs more');
});

test('a later run keeps the decision, whatever has changed', async () => {
  const first = await choose(routed({}));
  await bench.dependencies.database.queue.create({ data: { provider: 'acme', pausedAt: new Date() } });
  const again = await chooseCandidates(withSettings(), { generationId: first.id });
  expect(again).toEqual({ candidates: 3 });
  expect((await readGeneration(bench.dependencies.database, first.id)).decision).toEqual(first.decision);
});

test('two runs at the same time come to one decision', async () => {
  const { database } = bench.dependencies;
  const generationId = await accept(database, routed({ strategy: 'round_robin' }));
  const both = await Promise.all([1, 2, 3].map(() => chooseCandidates(withSettings(), { generationId })));
  expect(both).toEqual(times(3, { candidates: 3 }));
  expect(await database.event.count({ where: { generationId, type: 'generation.phase' } })).toBe(1);
});

test('puts a provider that was paused behind the others, and keeps it', async () => {
  await bench.dependencies.database.queue.create({ data: { provider: 'acme', pausedAt: new Date() } });
  const { order, decision } = await choose(routed({}));
  expect(order).toEqual(['brick/clip', 'crux/clip', 'acme/clip']);
  expect(decision.candidates[2]).toMatchObject({ excluded: null, reason: expect.stringContaining('paused') as string });
});

test('goes by what attempts of late took', async () => {
  await record('crux/clip', times(30, { status: 'succeeded', tookMs: 2_000 }));
  await record('acme/clip', times(30, { status: 'succeeded', tookMs: 500_000 }));
  const { order } = await choose(routed({ strategy: 'least_latency' }));
  expect(order).toEqual(['crux/clip', 'brick/clip', 'acme/clip']);
});

test('goes by how often attempts of late succeeded', async () => {
  await record('brick/clip', times(30, { status: 'succeeded', tookMs: 2_000 }));
  await record('acme/clip', [...times(5, { status: 'failed', tookMs: 9 }), { status: 'succeeded', tookMs: 9 }]);
  const { order } = await choose(routed({ strategy: 'availability' }));
  expect(order).toEqual(['brick/clip', 'crux/clip', 'acme/clip']);
});

describe('round_robin', () => {
  test('lets each model come first equally often, over all processes', async () => {
    const first = await peekTurn(bench.dependencies.database);
    // from the beginning of a round
    for (let turn = first; turn % 3 !== 0; turn += 1) await choose(routed({ strategy: 'round_robin' }));
    const chosen = await Promise.all(times(12, null).map(() => choose(routed({ strategy: 'round_robin' }))));
    const firsts = chosen.map(({ order }) => order[0]);
    expect(cheapestFirst.map((model) => firsts.filter((id) => id === model).length)).toEqual([4, 4, 4]);
  });

  test('draws nothing for other strategies, nor where there is no choice', async () => {
    const before = await peekTurn(bench.dependencies.database);
    await choose(routed({ strategy: 'balanced' }));
    await choose(routed({ strategy: 'round_robin' }, { model: 'acme/clip' }));
    expect(await peekTurn(bench.dependencies.database)).toBe(before);
  });
});

describe('an experiment', () => {
  const experiment = { name: 'crux-first', by: 'tenant', medium: 'video', model: 'crux/clip' } as const;
  const at = (percent: number) => withSettings({ experiments: [{ ...experiment, percent }] });

  test('is recorded with the decision, for both groups', async () => {
    const treated = await choose(routed({}), at(100));
    expect(treated).toMatchObject({ order: ['crux/clip', 'acme/clip', 'brick/clip'] });
    expect(treated.decision.variant).toBe('crux-first');
    const control = await choose(routed({}), at(0));
    expect(control).toMatchObject({ order: cheapestFirst, decision: { variant: 'crux-first:control' } });
  });

  test('leaves a request alone that names its model', async () => {
    const { order, decision } = await choose(routed({}, { model: 'acme/clip' }), at(100));
    expect({ order, variant: decision.variant }).toEqual({ order: ['acme/clip'], variant: null });
  });
});

test('tells the caller how the request was completed', async () => {
  const { id } = await choose({ ...routed({}), warnings: ['the user prefers acme/reel, which was passed over'] });
  const row = await bench.dependencies.database.generation.findUniqueOrThrow({ where: { id } });
  expect(row.warnings).toEqual(['the user prefers acme/reel, which was passed over']);
});

test('a generation that nobody can do has no candidate in the running', async () => {
  const { candidates, decision } = await choose(routed({ deny: ['acme', 'brick', 'crux'] }));
  expect(candidates).toBe(0);
  expect(decision.candidates.map(({ excluded }) => excluded)).toEqual(times(3, 'denied by routing.deny'));
});
