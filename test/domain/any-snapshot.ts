import fc from 'fast-check';
import type { ModelCapacity } from '../../src/domain/capacity';
import { strategies, type Routing } from '../../src/domain/generation';
import type { Model } from '../../src/domain/model';
import type { ModelFigures } from '../../src/domain/snapshot';
import { makeModel, makeRequest, makeSnapshot } from '../support/generation-data';

export const routing = (overrides: Partial<Routing> = {}): Routing => ({ ...makeRequest().routing, ...overrides });

export const perSecond = (usd: string): Model['price'] => ({
  source: 'made up',
  readOn: '2026-11-21',
  per: 'second',
  rates: [{ usd }],
});

const anyModel = (index: number) =>
  fc
    .record({
      provider: fc.constantFrom('acme', 'brick', 'crux'),
      family: fc.constantFrom('clip', 'reel'),
      price: fc.constantFrom(null, '0', '0.000001', '0.1', '0.100001', '40').map((usd) => usd && perSecond(usd)),
      enabled: fc.constantFrom(true, true, false),
      weight: fc.constantFrom(0, 0.5, 1, 1000),
      priority: fc.constantFrom(1, 100),
      qualityTier: fc.constantFrom(1, 2, 3),
      typicalSeconds: fc.integer({ min: 1, max: 600 }),
      automatic: fc.boolean(),
      lifecycle: fc.constantFrom({}, { retiredOn: '2026-11-21' }, { retiredOn: '2026-11-22' }),
      capabilities: fc.constantFrom(makeModel().capabilities, { from: ['image'], promptCharacters: 10 } as const),
    })
    .map((row) => makeModel({ ...row, qualityTier: row.qualityTier, id: `${row.provider}/${index}` }));

const anyModels = fc.integer({ min: 1, max: 8 }).chain((size) => fc.tuple(...[...Array(size).keys()].map(anyModel)));
const anyName = fc.constantFrom('acme/0', 'brick/1', 'acme', 'crux', 'clip', 'reel', 'nobody');

export const anyRequest = fc
  .record({
    model: fc.constantFrom('auto', 'acme/0', 'brick/1', 'clip', 'reel'),
    modelFrom: fc.constantFrom(undefined, 'user', 'tenant', 'defaults'),
    provider: fc.constantFrom(null, 'acme'),
    strategy: fc.constantFrom(...strategies),
    maxCostUsd: fc.constantFrom(null, '0', '0.8', '1'),
    allow: fc.array(anyName, { maxLength: 3 }),
    deny: fc.array(anyName, { maxLength: 2 }),
    user: fc.constantFrom(null, 'ann', 'bob'),
  })
  .map(({ model, modelFrom, provider, user, ...rules }) =>
    makeRequest({ model, provider, user, routing: routing(rules), ...(modelFrom && { modelFrom }) }),
  );

const anyCapacity: fc.Arbitrary<ModelCapacity> = fc.oneof(
  fc.constant<ModelCapacity>({ state: 'ready', waitMs: 0 }),
  fc.record({
    state: fc.constantFrom('busy', 'paused', 'open'),
    waitMs: fc.oneof(fc.integer({ min: 1, max: 100_000 }), fc.constant(Infinity)),
  }),
);

const anyFigures: fc.Arbitrary<ModelFigures> = fc
  .record({ ms: fc.integer({ min: 1, max: 900_000 }), samples: fc.integer({ min: 1, max: 100 }), good: fc.nat(100) })
  .map(({ ms, samples, good }) => {
    const succeeded = Math.min(good, samples);
    const time = succeeded === 0 ? null : ms;
    return { ewmaMs: time, p95Ms: time && time * 2, successRate: succeeded / samples, samples };
  });

const anyExperiment = fc.record({
  name: fc.constantFrom('one', 'two'),
  percent: fc.constantFrom(0, 30, 50, 100),
  by: fc.constantFrom('tenant', 'user', 'tag'),
  medium: fc.constant('video'),
  model: anyName,
});

/** Of each model perhaps something is known, perhaps nothing. */
const someOf = <Value>(models: readonly Model[], any: fc.Arbitrary<Value>) =>
  fc.array(fc.option(any), { minLength: models.length, maxLength: models.length }).map(
    (values) =>
      new Map(
        models.flatMap(({ id }, index): [string, Value][] => {
          const value = values[index] ?? null;
          return value === null ? [] : [[id, value]];
        }),
      ),
  );

export const anySnapshot = anyModels.chain((models) =>
  fc
    .record({
      configured: fc.subarray(['acme', 'brick', 'crux']).map((providers) => new Set<string>(providers)),
      complexity: fc.option(fc.integer({ min: 1, max: 5 })),
      unknownPrices: fc.constantFrom('block', 'allow'),
      seed: fc.string(),
      figures: someOf(models, anyFigures),
      capacity: someOf(models, anyCapacity),
      waitThresholdMs: fc.constantFrom(0, 20_000),
      turn: fc.nat(),
      experiments: fc.array(anyExperiment, { maxLength: 2 }),
      tenantId: fc.constantFrom(null, 'ten_1'),
    })
    .map((overrides) => makeSnapshot(models, overrides)),
);
