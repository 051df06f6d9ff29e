import fc from 'fast-check';
import type { GenerationRequest } from '../../src/domain/generation';
import type { Model } from '../../src/domain/model';
import { compareMoney } from '../../src/domain/money';
import { admit } from '../../src/domain/admission';
import {
  chooseCandidates,
  followSuccessor,
  inTheRunning,
  lifecycleStatus,
  type Snapshot,
} from '../../src/domain/routing';
import { catalogue } from '../../src/providers/catalogue';
import { makeModel, makeRequest, makeSnapshot } from '../support/generation-data';
import { makeInput } from '../support/provider-calls';
import { anyRequest, anySnapshot, perSecond, routing } from './any-snapshot';

const snapshot = (models: readonly Model[] = catalogue, overrides: Partial<Snapshot> = {}): Snapshot =>
  makeSnapshot(models, overrides);

const running = (request: GenerationRequest, models?: readonly Model[]): string[] =>
  inTheRunning(chooseCandidates(request, snapshot(models))).map((candidate) => candidate.model);

const reasonOut = (request: GenerationRequest, id: string, from = snapshot()): string | null | undefined =>
  chooseCandidates(request, from).candidates.find((candidate) => candidate.model === id)?.excluded;

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

test('the strategy cost orders by cost; what nobody knows counts as the dearest', () => {
  fc.assert(
    fc.property(anySnapshot, (whole) => {
      const from = { ...whole, capacity: new Map(), experiments: [] };
      const request = makeRequest({ routing: routing({ strategy: 'cost' }) });
      const costs = inTheRunning(chooseCandidates(request, from)).map(({ estimatedCostUsd }) => estimatedCostUsd);
      const known = costs.filter((cost) => cost !== null);
      expect(known).toEqual([...known].sort(compareMoney));
      const cheaper = known.filter((cost) => compareMoney(cost, known.at(-1) ?? '') < 0);
      expect(costs.slice(0, cheaper.length)).toEqual(cheaper);
    }),
  );
});

test('nothing in the running may cost more than maxCostUsd, is denied, retired, switched off or without a key', () => {
  fc.assert(
    fc.property(anyRequest, anySnapshot, (request, from) => {
      const { maxCostUsd, deny } = request.routing;
      for (const { model, provider, estimatedCostUsd } of inTheRunning(chooseCandidates(request, from))) {
        const known = from.unknownPrices === 'allow' || estimatedCostUsd !== null;
        expect(maxCostUsd === null ? known : compareMoney(estimatedCostUsd ?? 'unknown', maxCostUsd) <= 0).toBe(true);
        const row = from.models.find(({ id }) => id === model) as Model;
        expect(row.enabled !== false && from.configured.has(provider)).toBe(true);
        expect(lifecycleStatus(row, from.now)).not.toBe('retired');
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

test('between equals the lower priority goes first, whatever the price', () => {
  const [dear, usual] = [makeModel({ id: 'a/dear', priority: 1, price: perSecond('9') }), makeModel({ id: 'a/usual' })];
  expect(running(makeRequest({ routing: routing({ strategy: 'quality' }) }), [usual, dear])).toEqual([
    'a/dear',
    'a/usual',
  ]);
  const behind = { ...dear, priority: 101 };
  expect(running(makeRequest({ routing: routing({ strategy: 'quality' }) }), [behind, usual])[0]).toBe('a/usual');
});

test('a priority decides between equals only, also where another model makes the differences small', () => {
  const outlier = makeModel({ id: 'a/outlier', price: perSecond('1000') });
  const [less, more] = ['0.1', '0.11'].map((usd) => makeModel({ id: `a/${usd}`, price: perSecond(usd) }));
  const models = [outlier, { ...(more as Model), priority: 1 }, less as Model];
  expect(running(makeRequest({ routing: routing({ strategy: 'cost' }) }), models)).toEqual([
    'a/0.1',
    'a/0.11',
    'a/outlier',
  ]);
});

test('a model that is switched off says so', () => {
  const models = [cheap, { ...quick, enabled: false }];
  expect(running(makeRequest(), models)).toEqual(['a/cheap']);
  expect(reasonOut(makeRequest({ model: 'b/quick' }), 'b/quick', snapshot(models))).toBe(
    'switched off by the configuration',
  );
});

describe('a model without a known price', () => {
  const untold = makeModel({ id: 'a/untold', price: null });
  const unknown = 'the price of this request is not known';
  const capped = makeRequest({ routing: routing({ maxCostUsd: '1000' }) });

  test('is out where unknown prices are blocked', () => {
    expect(reasonOut(makeRequest(), 'a/untold', snapshot([untold]))).toBe(unknown);
  });

  test('is in where they are allowed, and its reason says so', () => {
    const [candidate] = chooseCandidates(makeRequest(), snapshot([untold], { unknownPrices: 'allow' })).candidates;
    expect(candidate).toMatchObject({ estimatedCostUsd: null, excluded: null });
    expect(candidate?.reason).toContain('price unknown');
  });

  test('never keeps a price cap', () => {
    expect(reasonOut(capped, 'a/untold', snapshot([untold], { unknownPrices: 'allow' }))).toBe(unknown);
  });
});

describe('a task', () => {
  const capabilities = { from: ['text'], promptCharacters: 100 } as const;
  const price = { source: 'made up', readOn: '2026-11-21', per: 'thousandCharacters', rates: [{ usd: '1' }] } as const;
  const voice = makeModel({ id: 'a/voice', medium: 'speech', capabilities, price });
  const effect: Model = {
    ...voice,
    id: 'a/effect',
    capabilities: { ...voice.capabilities, speechTask: 'sound_effect' },
  };
  const asked = (task: 'speech' | 'sound_effect' | null, model = 'auto') =>
    running(makeRequest({ medium: 'speech', model, input: makeInput({ task }) }), [voice, effect]);

  test.each([
    [null, ['a/voice']],
    ['speech', ['a/voice']],
    ['sound_effect', ['a/effect']],
  ] as const)('of %s is offered to %j by auto', (task, models) => expect(asked(task)).toEqual(models));

  test('that is not named is that of the model that is', () => {
    expect(asked(null, 'a/effect')).toEqual(['a/effect']);
    expect(asked('speech', 'a/effect')).toEqual([]);
  });
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
  const rows = [
    makeModel({ id: 'a/one', provider: 'a' }),
    makeModel({ id: 'b/reel', provider: 'b', family: 'reel' }),
    makeModel({ id: 'b/clip', provider: 'b', providerModel: 'b-clip-2' }),
    makeModel({ id: 'c/one', provider: 'c' }),
  ];
  const request = makeRequest({ routing: routing({ allow: ['a', 'reel', 'b-clip-2'] }) });
  expect(running(request, rows).sort()).toEqual(['a/one', 'b/clip', 'b/reel']);
  expect(reasonOut(request, 'c/one', snapshot(rows))).toBe('not among routing.allow');
  const denied = makeRequest({ routing: routing({ allow: ['a', 'reel', 'b-clip-2'], deny: ['b/clip', 'a'] }) });
  expect(running(denied, rows)).toEqual(['b/reel']);
  expect(reasonOut(denied, 'b/clip', snapshot(rows))).toBe('denied by routing.deny');
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
  const long = makeModel({ id: 'a/long', capabilities: { ...makeModel().capabilities, durationsSeconds: [9] } });
  const request = makeRequest({ input: makeInput({ durationSeconds: 9, seed: 1 }) });
  expect(reasonOut(request, 'acme/clip', snapshot([makeModel(), long]))).toBe(
    '/input/durationSeconds must be one of 4, 8 (model acme/clip); /input/seed is not a parameter of this model (model acme/clip)',
  );
  expect(running(makeRequest({ input: makeInput({ durationSeconds: 9 }) }), [makeModel(), long])).toEqual(['a/long']);
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
