import fc from 'fast-check';
import { strategies, type GenerationRequest, type Routing } from '../../src/domain/generation';
import type { Model } from '../../src/domain/model';
import { compareMoney } from '../../src/domain/money';
import {
  admit,
  chooseCandidates,
  followSuccessor,
  inTheRunning,
  lifecycleStatus,
  type Snapshot,
} from '../../src/domain/routing';
import { catalogue } from '../../src/providers/catalogue';
import { makeModel, makeRequest } from '../support/generation-data';
import { makeInput } from '../support/provider-calls';

const now = new Date('2026-11-21T12:00:00Z');
const routing = (overrides: Partial<Routing> = {}): Routing => ({ ...makeRequest().routing, ...overrides });

const snapshot = (models: readonly Model[] = catalogue, overrides: Partial<Snapshot> = {}): Snapshot => ({
  models,
  configured: new Set(models.map((model) => model.provider)),
  now,
  complexity: null,
  ...overrides,
});

const running = (request: GenerationRequest, models?: readonly Model[]): string[] =>
  inTheRunning(chooseCandidates(request, snapshot(models))).map((candidate) => candidate.model);

const reasonOut = (request: GenerationRequest, id: string, from = snapshot()): string | null | undefined =>
  chooseCandidates(request, from).candidates.find((candidate) => candidate.model === id)?.excluded;

const perSecond = (usd: string): Model['price'] => ({
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
      price: fc.constantFrom('0', '0.000001', '0.1', '0.100001', '40').map(perSecond),
      qualityTier: fc.constantFrom(1, 2, 3),
      typicalSeconds: fc.integer({ min: 1, max: 600 }),
      automatic: fc.boolean(),
      lifecycle: fc.constantFrom({}, { retiredOn: '2026-11-21' }, { retiredOn: '2026-11-22' }),
      capabilities: fc.constantFrom(makeModel().capabilities, { from: ['image'], promptCharacters: 10 } as const),
    })
    .map((row) => makeModel({ ...row, qualityTier: row.qualityTier, id: `${row.provider}/${index}` }));

const anyModels = fc.integer({ min: 1, max: 8 }).chain((size) => fc.tuple(...[...Array(size).keys()].map(anyModel)));
const anyName = fc.constantFrom('acme/0', 'brick/1', 'acme', 'crux', 'clip', 'reel', 'nobody');

const anyRequest = fc
  .record({
    model: fc.constantFrom('auto', 'acme/0', 'brick/1', 'clip', 'reel'),
    provider: fc.constantFrom(null, 'acme'),
    strategy: fc.constantFrom(...strategies),
    maxCostUsd: fc.constantFrom(null, '0', '0.8', '1'),
    allow: fc.array(anyName, { maxLength: 3 }),
    deny: fc.array(anyName, { maxLength: 2 }),
  })
  .map(({ model, provider, ...rules }) => makeRequest({ model, provider, routing: routing(rules) }));

const anySnapshot = fc
  .tuple(anyModels, fc.subarray(['acme', 'brick', 'crux']), fc.option(fc.integer({ min: 1, max: 5 })))
  .map(([models, configured, complexity]) => snapshot(models, { configured: new Set(configured), complexity }));

test('parts the models named into those in the running, first, and those that say why not', () => {
  fc.assert(
    fc.property(anyRequest, anySnapshot, (request, from) => {
      const { candidates } = chooseCandidates(request, from);
      const open = inTheRunning({ strategy: 'balanced', variant: null, candidates });
      expect(candidates.slice(0, open.length)).toEqual(open);
      expect(candidates.slice(open.length).every(({ excluded }) => excluded !== null && excluded !== '')).toBe(true);
      expect(new Set(candidates.map(({ model }) => model)).size).toBe(candidates.length);
      expect(open.every(({ provider }) => from.configured.has(provider))).toBe(true);
      expect(open.every(({ score, reason }) => score >= 0 && score <= 1 && reason !== '')).toBe(true);
    }),
  );
});

test('comes to the same decision for the same snapshot, in whatever order the models stand', () => {
  fc.assert(
    fc.property(anyRequest, anySnapshot, (request, from) => {
      const decision = chooseCandidates(request, from);
      expect(chooseCandidates(request, from)).toEqual(decision);
      const turned = chooseCandidates(request, { ...from, models: [...from.models].reverse() });
      expect(inTheRunning(turned)).toEqual(inTheRunning(decision));
    }),
  );
});

test('the strategy cost orders by cost', () => {
  fc.assert(
    fc.property(anySnapshot, (from) => {
      const request = makeRequest({ routing: routing({ strategy: 'cost' }) });
      const costs = inTheRunning(chooseCandidates(request, from)).map(({ estimatedCostUsd }) => estimatedCostUsd);
      expect(costs).toEqual([...costs].sort(compareMoney));
    }),
  );
});

test('nothing in the running may cost more than maxCostUsd or is denied', () => {
  fc.assert(
    fc.property(anyRequest, anySnapshot, (request, from) => {
      const { maxCostUsd, deny } = request.routing;
      for (const { model, provider, estimatedCostUsd } of inTheRunning(chooseCandidates(request, from))) {
        expect(maxCostUsd === null || compareMoney(estimatedCostUsd, maxCostUsd) <= 0).toBe(true);
        expect(deny).not.toContain(model);
        expect(deny).not.toContain(provider);
      }
    }),
  );
});

test('a decision is admitted exactly when somebody is in the running', () => {
  fc.assert(
    fc.property(anyRequest, anySnapshot, (request, from) => {
      const decision = chooseCandidates(request, from);
      if (inTheRunning(decision).length > 0) expect(admit(request, from)).toEqual(decision);
      else expect(() => admit(request, from)).toThrow(expect.objectContaining({ name: 'SureshotError' }));
    }),
  );
});

const [cheap, quick, fine] = [
  makeModel({ id: 'a/cheap', provider: 'a', price: perSecond('0.01'), typicalSeconds: 100, qualityTier: 1 }),
  makeModel({ id: 'b/quick', provider: 'b', price: perSecond('0.5'), typicalSeconds: 10, qualityTier: 2 }),
  makeModel({ id: 'c/fine', provider: 'c', price: perSecond('1'), typicalSeconds: 300, qualityTier: 3 }),
];
const three = [fine, quick, cheap];

test.each([
  ['cost', 'a/cheap'],
  ['speed', 'b/quick'],
  ['quality', 'c/fine'],
] as const)('the strategy %s begins with %s', (strategy, model) => {
  expect(running(makeRequest({ routing: routing({ strategy }) }), three)[0]).toBe(model);
});

test('an intricate prompt is worth a better model', () => {
  const shareOf = (complexity: number): number => {
    const { candidates } = chooseCandidates(makeRequest(), snapshot(three, { complexity }));
    return candidates.find(({ model }) => model === 'c/fine')?.score ?? 0;
  };
  expect(shareOf(5)).toBeGreaterThan(shareOf(1));
});

test('equals are tried cheaper first, then by the alphabet', () => {
  const twins = ['z/x', 'a/x', 'm/x'].map((id) => makeModel({ id }));
  expect(running(makeRequest({ routing: routing({ strategy: 'quality' }) }), twins)).toEqual(['a/x', 'm/x', 'z/x']);
  const dearer = makeModel({ id: 'a/dear', price: perSecond('9') });
  expect(running(makeRequest({ routing: routing({ strategy: 'quality' }) }), [dearer, ...twins])[3]).toBe('a/dear');
});

test.each(catalogue.map(({ id, medium }) => [id, medium] as const))(
  '%s by its exact id is one candidate',
  (id, medium) => {
    const decision = chooseCandidates(makeRequest({ medium, model: id }), snapshot());
    expect(decision.candidates.map(({ model }) => model)).toEqual([id]);
  },
);

test('the own id of a provider and a family name models too', () => {
  expect(running(makeRequest({ model: 'fal-ai/veo3.1' }))).toEqual(['fal/veo3.1']);
  const sold = ['a/veo', 'b/veo'].map((id) => makeModel({ id, provider: id.slice(0, 1), family: 'veo' }));
  expect(running(makeRequest({ model: 'veo' }), [...sold, cheap]).sort()).toEqual(['a/veo', 'b/veo']);
  expect(running(makeRequest({ model: 'veo', provider: 'b' }), [...sold, cheap])).toEqual(['b/veo']);
});

test('auto offers no model that is only for those who name it', () => {
  const { candidates } = chooseCandidates(makeRequest(), snapshot());
  expect(candidates.length).toBeGreaterThan(1);
  expect(candidates.map(({ provider }) => provider)).not.toContain('mock');
  expect(running(makeRequest({ provider: 'mock' }))).toEqual(['mock/video']);
});

test('allow narrows auto by model, family or provider, and deny wins over it', () => {
  const request = makeRequest({ routing: routing({ allow: ['fal', 'gen4.5'] }) });
  expect(running(request).sort()).toEqual(['fal/veo3.1', 'runway/gen4.5']);
  expect(reasonOut(request, 'runway/veo3.1_fast')).toBe('not among routing.allow');
  const denied = makeRequest({ routing: routing({ allow: ['fal', 'gen4.5'], deny: ['fal/veo3.1'] }) });
  expect(running(denied)).toEqual(['runway/gen4.5']);
  expect(reasonOut(denied, 'fal/veo3.1')).toBe('denied by routing.deny');
});

test('allow names the fallbacks of an exact model, which stays first however dear it is', () => {
  const request = makeRequest({ model: 'c/fine', routing: routing({ strategy: 'cost', allow: ['a', 'b/quick'] }) });
  expect(running(request, three)).toEqual(['c/fine', 'a/cheap', 'b/quick']);
});

test('maxCostUsd is met by a price that equals it', () => {
  const request = (maxCostUsd: string) => makeRequest({ model: 'a/cheap', routing: routing({ maxCostUsd }) });
  expect(running(request('0.0400'), three)).toEqual(['a/cheap']);
  expect(reasonOut(request('0.03999999'), 'a/cheap', snapshot(three))).toContain('may cost 0.04 USD');
});

test('what the model cannot do rules it out, with the field and the accepted values', () => {
  const request = makeRequest({ input: makeInput({ durationSeconds: 9 }) });
  expect(reasonOut(request, 'fal/veo3.1')).toBe('/input/durationSeconds must be one of 8, 6, 4 (model fal/veo3.1)');
  expect(running(request)).toEqual(['runway/gen4.5']);
});

const old = makeModel({
  id: 'a/old',
  lifecycle: { deprecatedOn: '2026-11-01', retiredOn: '2026-11-21', successor: 'a/new' },
});

test.each([
  ['2026-10-31T23:59:59Z', 'active'],
  ['2026-11-01T00:00:00Z', 'deprecated'],
  ['2026-11-20T23:59:59Z', 'deprecated'],
  ['2026-11-21T00:00:00Z', 'retired'],
] as const)('at %s by the clock it is given the model is %s', (at, status) => {
  expect(lifecycleStatus(old, new Date(at))).toBe(status);
});

test('a retired model becomes its successor only where the request allows it and the day has come', () => {
  const request = makeRequest({ model: 'a/old', allowSuccessor: true });
  expect(followSuccessor(request, snapshot([old])).model).toBe('a/new');
  expect(followSuccessor({ ...request, allowSuccessor: false }, snapshot([old])).model).toBe('a/old');
  const before = snapshot([old], { now: new Date('2026-11-20T12:00:00Z') });
  expect(followSuccessor(request, before).model).toBe('a/old');
  expect(followSuccessor(makeRequest({ allowSuccessor: true }), snapshot([old])).model).toBe('auto');
});
