import fc from 'fast-check';
import type { ModelCapacity } from '../../src/domain/capacity';
import { strategies, type Candidate, type Strategy } from '../../src/domain/generation';
import type { Model } from '../../src/domain/model';
import { chooseCandidates, inTheRunning, type Snapshot } from '../../src/domain/routing';
import type { ModelFigures } from '../../src/domain/snapshot';
import { expectedMs, expectedSuccess } from '../../src/domain/strategies';
import { rankWait } from '../../src/domain/waits';
import { makeModel, makeRequest, makeSnapshot } from '../support/generation-data';
import { anyRequest, anySnapshot, perSecond, routing } from './any-snapshot';

const by = (strategy: Strategy) => makeRequest({ routing: routing({ strategy }) });

const choose = (strategy: Strategy, models: readonly Model[], overrides: Partial<Snapshot> = {}): Candidate[] =>
  inTheRunning(chooseCandidates(by(strategy), makeSnapshot(models, overrides)));

const orderOf = (candidates: readonly Candidate[]): string[] => candidates.map(({ model }) => model);

const named = (...names: string[]): Model[] => names.map((name) => makeModel({ id: `acme/${name}` }));

const figures = (overrides: Partial<ModelFigures> = {}): ModelFigures => ({
  ewmaMs: 60_000,
  p95Ms: 90_000,
  successRate: 1,
  samples: 20,
  ...overrides,
});

const busyFor = (waitMs: number, state: ModelCapacity['state'] = 'busy'): ModelCapacity => ({ state, waitMs });

const anyStrategy = fc.constantFrom(...strategies);

describe('whatever the strategy', () => {
  test('how busy a model is rules out nobody', () => {
    fc.assert(
      fc.property(anyRequest, anySnapshot, (request, from) => {
        const excludedOf = (snapshot: Snapshot) =>
          new Map(chooseCandidates(request, snapshot).candidates.map(({ model, excluded }) => [model, excluded]));
        expect(excludedOf(from)).toEqual(excludedOf({ ...from, capacity: new Map() }));
      }),
    );
  });

  test('who can go within the threshold stands before who would wait longer, and that before who nobody knows about', () => {
    fc.assert(
      fc.property(anyRequest, anySnapshot, (request, from) => {
        const ranks = inTheRunning(chooseCandidates(request, from)).map(({ model }) =>
          rankWait(from.capacity.get(model), from.waitThresholdMs),
        );
        expect(ranks).toEqual([...ranks].sort());
      }),
    );
  });

  test('a model nobody can go to at once is still tried, the best by the strategy first', () => {
    const models = [makeModel({ id: 'acme/dear', price: perSecond('9') }), makeModel({ id: 'acme/cheap' })];
    const capacity = new Map(models.map(({ id }) => [id, busyFor(600_000, 'open')]));
    expect(orderOf(choose('cost', models, { capacity }))).toEqual(['acme/cheap', 'acme/dear']);
  });

  test('every reason says where it stands and, but for the first, behind whom and why', () => {
    fc.assert(
      fc.property(anyRequest, anySnapshot, (request, from) => {
        const running = inTheRunning(chooseCandidates(request, from));
        running.forEach(({ reason, model }, index) => {
          const before = running[index - 1]?.model;
          const size = running.length;
          if (size === 1) expect(reason).toContain('the only candidate');
          else if (before === undefined) expect(reason).toContain(`1st of ${size}`);
          else expect(reason).toContain(` of ${size}, after ${before} because `);
          const capacity = from.capacity.get(model);
          expect(reason.includes('would wait')).toBe(
            (capacity !== undefined && capacity.state !== 'ready') || reason.includes('it would wait longer'),
          );
        });
      }),
    );
  });
});

const worth = ({ estimatedCostUsd, model }: Candidate, models: readonly Model[]) => {
  const { typicalSeconds, qualityTier } = models.find(({ id }) => id === model) as Model;
  return { cost: estimatedCostUsd === null ? Infinity : Number(estimatedCostUsd), typicalSeconds, qualityTier };
};

test('a model that another one beats in one respect and equals in the others is never first by cost, speed or quality', () => {
  fc.assert(
    fc.property(anySnapshot, fc.constantFrom('cost', 'speed', 'quality'), (whole, strategy) => {
      const models = whole.models.map((model) => ({ ...model, priority: 100 }));
      const [first, ...others] = inTheRunning(
        chooseCandidates(by(strategy), { ...whole, models, capacity: new Map(), experiments: [] }),
      ).map((candidate) => worth(candidate, models));
      if (!first) return;
      const dominates = (other: typeof first): boolean =>
        other.cost <= first.cost &&
        other.typicalSeconds <= first.typicalSeconds &&
        other.qualityTier >= first.qualityTier &&
        JSON.stringify(other) !== JSON.stringify(first);
      expect(others.filter(dominates)).toEqual([]);
    }),
  );
});

test.each<[Strategy, Partial<Model>]>([
  ['cost', { typicalSeconds: 59 }],
  ['cost', { qualityTier: 3 }],
  ['speed', { price: perSecond('0.09') }],
  ['speed', { qualityTier: 3 }],
  ['quality', { price: perSecond('0.09') }],
  ['quality', { typicalSeconds: 59 }],
])('by %s, of two that are equal there the one with %j is first', (strategy, better) => {
  const models = [makeModel({ id: 'acme/a' }), makeModel({ id: 'acme/z', ...better })];
  expect(orderOf(choose(strategy, models))).toEqual(['acme/z', 'acme/a']);
});

describe('round_robin', () => {
  const firstAt = (models: readonly Model[], turn: number, overrides: Partial<Snapshot> = {}): string =>
    choose('round_robin', models, { turn, ...overrides })[0]?.model ?? '';

  const countFirsts = (turns: readonly number[], models: readonly Model[], overrides: Partial<Snapshot> = {}) => {
    const counts = new Map<string, number>();
    for (const turn of turns) {
      const first = firstAt(models, turn, overrides);
      counts.set(first, (counts.get(first) ?? 0) + 1);
    }
    return counts;
  };

  const upTo = (length: number, stride = 1): number[] => [...Array(length).keys()].map((index) => index * stride);

  test('lets each come first once in every round', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.nat(1_000_000), (size, round) => {
        const models = named(...upTo(size).map(String));
        const turns = upTo(size).map((index) => round * size + index);
        expect([...countFirsts(turns, models).values()]).toEqual(Array(size).fill(1));
      }),
    );
  });

  test('goes on in a fixed circle from whoever is first', () => {
    const orders = upTo(30).map((turn) => orderOf(choose('round_robin', named('a', 'b', 'c'), { turn })).join(' '));
    const circles = ['acme/a acme/b acme/c', 'acme/b acme/c acme/a', 'acme/c acme/a acme/b'];
    expect(new Set(orders)).toEqual(new Set(circles));
  });

  test.each([2, 3, 4, 6])('is fair to choices that draw only every %ith number', (stride) => {
    const counts = countFirsts(upTo(1_200, stride), named('a', 'b', 'c', 'd'));
    expect(counts.size).toBe(4);
    // of 1,200 fair draws the share of a quarter is 300 with a deviation of 15
    for (const count of counts.values()) expect(Math.abs(count - 300)).toBeLessThanOrEqual(75);
  });

  test('shares the turn of a busy model out among the others', () => {
    const capacity = new Map([['acme/b', busyFor(60_000)]]);
    const counts = countFirsts(upTo(300), named('a', 'b', 'c'), { capacity, waitThresholdMs: 20_000 });
    expect(Object.fromEntries(counts)).toEqual({ 'acme/a': 150, 'acme/c': 150 });
  });
});

describe('availability', () => {
  test('prefers what succeeds more often', () => {
    const models = named('a', 'b', 'c');
    const seen = new Map([
      ['acme/a', figures({ successRate: 0.5 })],
      ['acme/b', figures({ successRate: 1 })],
      ['acme/c', figures({ successRate: 0.8 })],
    ]);
    const candidates = choose('availability', models, { figures: seen });
    expect(orderOf(candidates)).toEqual(['acme/b', 'acme/c', 'acme/a']);
    expect(candidates[2]?.reason).toContain('10 of its last 20 attempts succeeded: 63 % expected');
  });

  test('takes one success or failure for what it is', () => {
    expect(expectedSuccess(undefined)).toBeCloseTo(0.9);
    expect(expectedSuccess(figures({ successRate: 0, samples: 1 }))).toBeGreaterThan(0.8);
    expect(expectedSuccess(figures({ successRate: 1, samples: 1 }))).toBeLessThan(
      expectedSuccess(figures({ successRate: 0.98, samples: 100 })),
    );
    expect(expectedSuccess(figures({ successRate: 0, samples: 100 }))).toBeLessThan(0.1);
  });

  test('is surer the more there is of the same', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 99 }), (samples) => {
        const rateOf = (successRate: number, count: number) =>
          expectedSuccess(figures({ successRate, samples: count }));
        expect(rateOf(1, samples + 1)).toBeGreaterThan(rateOf(1, samples));
        expect(rateOf(0, samples + 1)).toBeLessThan(rateOf(0, samples));
      }),
    );
  });

  test('within a percent, prefers who waits less', () => {
    const capacity = new Map([
      ['acme/a', busyFor(15_000)],
      ['acme/b', busyFor(3_000)],
    ]);
    const near = new Map([
      ['acme/a', figures({ successRate: 0.951, samples: 100 })],
      ['acme/b', figures({ successRate: 0.95, samples: 100 })],
    ]);
    const overrides = { capacity, waitThresholdMs: 20_000 };
    expect(orderOf(choose('availability', named('a', 'b'), { ...overrides, figures: near }))[0]).toBe('acme/b');
    const apart = new Map([...near, ['acme/a', figures({ successRate: 1, samples: 100 })]]);
    expect(orderOf(choose('availability', named('a', 'b'), { ...overrides, figures: apart }))[0]).toBe('acme/a');
  });
});

describe('least_latency', () => {
  test('goes by what was measured, where enough was', () => {
    const [slow, quick] = [makeModel({ id: 'acme/slow' }), makeModel({ id: 'acme/quick', typicalSeconds: 10 })];
    expect(orderOf(choose('least_latency', [slow, quick]))[0]).toBe('acme/quick');
    const seen = new Map([
      ['acme/slow', figures({ ewmaMs: 5_000, p95Ms: 7_000 })],
      ['acme/quick', figures({ ewmaMs: 300_000 })],
    ]);
    const [first] = choose('least_latency', [slow, quick], { figures: seen });
    expect(first).toMatchObject({ model: 'acme/slow', estimatedSeconds: 60 });
    expect(first?.reason).toContain('5 s of late (95 % within 7 s): 16 s expected');
  });

  test('lies between what is usual and what was measured, closer to it the more was measured', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 600_000 }), fc.integer({ min: 1, max: 99 }), (ewmaMs, samples) => {
        const model = makeModel({ typicalSeconds: 60 });
        const after = (count: number) => expectedMs(model, figures({ ewmaMs, samples: count }));
        const distance = (count: number) => Math.abs(after(count) - ewmaMs);
        expect(after(samples)).toBeGreaterThanOrEqual(Math.min(60_000, ewmaMs) - 1e-6);
        expect(after(samples)).toBeLessThanOrEqual(Math.max(60_000, ewmaMs) + 1e-6);
        expect(distance(samples + 1)).toBeLessThanOrEqual(distance(samples));
      }),
    );
  });

  test('of a model that never succeeded only what is usual is known', () => {
    const failing = figures({ ewmaMs: null, p95Ms: null, successRate: 0 });
    expect(expectedMs(makeModel({ typicalSeconds: 7 }), failing)).toBe(7_000);
    expect(choose('least_latency', named('a'), { figures: new Map([['acme/a', failing]]) })[0]?.reason).toContain(
      'not measured lately: 60 s expected',
    );
  });
});

describe('what stands before the strategy', () => {
  const models = [makeModel({ id: 'acme/cheap' }), makeModel({ id: 'acme/dear', price: perSecond('9') })];
  const fallback = routing({ strategy: 'cost', allow: ['acme/cheap'] });

  test.each([
    [undefined, 'the request names it'],
    ['user', 'the user prefers it'],
    ['tenant', 'the tenant prefers it'],
    ['defaults', 'it is the configured default'],
  ] as const)('of a model that %s named, the reason says so', (modelFrom, words) => {
    const request = makeRequest({ model: 'acme/dear', routing: fallback, ...(modelFrom && { modelFrom }) });
    const [first, second] = chooseCandidates(request, makeSnapshot(models)).candidates;
    expect(first).toMatchObject({ model: 'acme/dear', reason: expect.stringContaining(words) as unknown });
    expect(second?.reason).toContain('after acme/dear because that one is to be tried first');
  });

  test('a named model that would wait too long stands behind its fallback', () => {
    const capacity = new Map([['acme/dear', busyFor(Infinity, 'paused')]]);
    const request = makeRequest({ model: 'acme/dear', routing: fallback });
    const running = chooseCandidates(request, makeSnapshot(models, { capacity, waitThresholdMs: 20_000 })).candidates;
    expect(orderOf(running)).toEqual(['acme/cheap', 'acme/dear']);
    expect(running[1]?.reason).toContain('would wait nobody knows how long: it is paused');
  });

  test.each([
    ['busy', 12_345, 'would wait about 12 s: its limits are used up'],
    ['open', 4_900, 'would wait about 4.9 s: its provider failed too often lately and is left alone'],
    ['ready', 0, 'can go now'],
  ] as const)('a model that is %s says so', (state, waitMs, words) => {
    const capacity = new Map([['acme/cheap', busyFor(waitMs, state)]]);
    expect(choose('cost', models, { capacity, waitThresholdMs: 20_000 })[0]?.reason).toContain(words);
  });
});

test('every strategy names the same candidates', () => {
  fc.assert(
    fc.property(anySnapshot, anyStrategy, (from, strategy) => {
      const setOf = (one: Strategy) =>
        orderOf(inTheRunning(chooseCandidates(by(one), { ...from, experiments: [] }))).sort();
      expect(setOf(strategy)).toEqual(setOf('balanced'));
    }),
  );
});
