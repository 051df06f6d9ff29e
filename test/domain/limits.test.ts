import fc from 'fast-check';
import {
  defaultLimits,
  limitKinds,
  readMost,
  rulesOf,
  unlimited,
  type LimitKind,
  type LimitOverride,
  type Limits,
  type ProviderLimits,
} from '../../src/domain/limits';
import { makeModel } from '../support/generation-data';

const configured = (key: Partial<Limits>, models: ProviderLimits['models'] = {}): ProviderLimits => ({
  key: { ...unlimited, ...key },
  models,
  cooldownSeconds: 30,
});

const makeOverride = (overrides: Partial<LimitOverride>): LimitOverride => ({
  ...{ credential: null, model: null, kind: 'jobs_in_flight', most: '1' },
  ...overrides,
});

describe('what binds a key', () => {
  test('is what is configured, of the key and of single models, and nothing else', () => {
    const limits = configured(
      { jobsInFlight: 3, spendPerMonthUsd: '20.5' },
      { 'acme/clip': { requestsPerMinute: 5, jobsInFlight: null } },
    );
    expect(rulesOf('main', limits, [])).toEqual([
      { credential: 'main', model: null, kind: 'jobs_in_flight', most: 3 },
      { credential: 'main', model: null, kind: 'spend_per_month', most: 20.5 },
      { credential: 'main', model: 'acme/clip', kind: 'requests_per_minute', most: 5 },
    ]);
  });

  test('set for this key stands above what is set for every key, which stands above the configuration', () => {
    const limits = configured({ jobsInFlight: 3 });
    const everyKey = makeOverride({ most: '5' });
    const thisKey = makeOverride({ credential: 'main', most: '7' });
    const mostOf = (credential: string, overrides: LimitOverride[]) =>
      rulesOf(credential, limits, overrides).map(({ most }) => most);
    expect(mostOf('main', [everyKey])).toEqual([5]);
    expect(mostOf('main', [everyKey, thisKey])).toEqual([7]);
    expect(mostOf('main', [thisKey, everyKey])).toEqual([7]);
    expect(mostOf('other', [everyKey, thisKey])).toEqual([5]);
    expect(mostOf('other', [thisKey])).toEqual([3]);
  });

  test('is nothing where a limit was lifted at run time', () => {
    const limits = configured({ jobsInFlight: 3, requestsPerMinute: 9 });
    expect(rulesOf('main', limits, [makeOverride({ most: null })]).map(({ kind }) => kind)).toEqual([
      'requests_per_minute',
    ]);
    expect(
      rulesOf('main', limits, [makeOverride({ most: '2' }), makeOverride({ credential: 'main', most: null })]),
    ).toHaveLength(1);
  });

  test('is set for a model that nobody had configured, and leaves the whole key as it was', () => {
    const overrides = [makeOverride({ model: 'acme/film', most: '2' })];
    expect(rulesOf('main', configured({ jobsInFlight: 3 }), overrides)).toEqual([
      { credential: 'main', model: null, kind: 'jobs_in_flight', most: 3 },
      { credential: 'main', model: 'acme/film', kind: 'jobs_in_flight', most: 2 },
    ]);
  });

  const models = [null, 'acme/clip', 'acme/film'];
  const anyOverrides = fc.uniqueArray(
    fc.record({
      credential: fc.constantFrom(null, 'main', 'other'),
      model: fc.constantFrom(...models),
      kind: fc.constantFrom(...limitKinds),
      most: fc.option(fc.integer({ min: 1, max: 9 }).map(String)),
    }),
    { selector: ({ credential, model, kind }) => `${credential} ${model} ${kind}` },
  );
  const anyMost = fc.option(fc.integer({ min: 10, max: 19 }));

  test('is one rule at most of a kind and model, as a walk from the nearest to the farthest finds it', () =>
    fc.assert(
      fc.property(anyOverrides, anyMost, anyMost, (overrides, ofKey, ofModel) => {
        const limits = configured({ requestsPerDay: ofKey }, { 'acme/clip': { requestsPerDay: ofModel } });
        const rules = rulesOf('main', limits, overrides);
        const find = (kind: LimitKind, model: string | null) =>
          rules.filter((rule) => rule.kind === kind && rule.model === model).map(({ most }) => most);
        for (const kind of limitKinds)
          for (const model of models) {
            const layers = ['main', null].flatMap((credential) =>
              overrides.filter((one) => one.credential === credential && one.model === model && one.kind === kind),
            );
            const fixed =
              kind !== 'requests_per_day' || model === 'acme/film' ? null : model === null ? ofKey : ofModel;
            const most = layers[0] === undefined ? fixed : layers[0].most;
            expect(find(kind, model)).toEqual(most === null ? [] : [Number(most)]);
          }
      }),
    ));
});

describe('without a configuration', () => {
  test('keys of providers that are known for it are limited', () => {
    const { key, cooldownSeconds } = defaultLimits('runway', []);
    expect(key).toEqual({ ...unlimited, requestsPerMinute: 10, jobsInFlight: 3 });
    expect(cooldownSeconds).toBe(60);
  });

  test('others are not', () => {
    expect(defaultLimits('acme', [makeModel()])).toEqual({ key: unlimited, models: {}, cooldownSeconds: 30 });
  });

  test('each model of Cloudflare has the limit of its medium', () => {
    const models = [
      makeModel({ id: 'cloudflare/llama', medium: 'text' }),
      makeModel({ id: 'cloudflare/flux', medium: 'image' }),
      makeModel({ id: 'cloudflare/voice', medium: 'speech' }),
    ];
    expect(defaultLimits('cloudflare', models)).toMatchObject({
      key: unlimited,
      models: { 'cloudflare/llama': { requestsPerMinute: 300 }, 'cloudflare/flux': { requestsPerMinute: 720 } },
    });
    expect(Object.keys(defaultLimits('cloudflare', models).models)).toHaveLength(2);
  });
});

test.each<[LimitKind, number | string | null, string | null]>([
  ['requests_per_day', 12, '12'],
  ['jobs_in_flight', '3', '3'],
  ['spend_per_month', '20.50', '20.5'],
  ['spend_per_month', 0.1, '0.1'],
  ['tokens_per_minute', null, null],
])('a limit of %s is read from %p as %p', (kind, most, read) => {
  expect(readMost(kind, most)).toBe(read);
});
