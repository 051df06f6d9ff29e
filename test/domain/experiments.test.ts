import fc from 'fast-check';
import { assignGroup, type Experiment } from '../../src/domain/experiments';
import type { GenerationRequest } from '../../src/domain/generation';
import type { Model } from '../../src/domain/model';
import { chooseCandidates, inTheRunning, type Snapshot } from '../../src/domain/routing';
import { makeModel, makeRequest, makeSnapshot } from '../support/generation-data';
import { anyRequest, anySnapshot, perSecond, routing } from './any-snapshot';

const experiment = (overrides: Partial<Experiment> = {}): Experiment => ({
  name: 'reel-first',
  percent: 50,
  by: 'user',
  medium: 'video',
  model: 'acme/reel',
  ...overrides,
});

const of = (user: string | null, tags: string[] = []) => ({ medium: 'video' as const, user, tags });

const treats = (one: Experiment, user: string): boolean => assignGroup([one], of(user), 'ten_1').treated === one;

const users = [...Array(4_000).keys()].map((index) => `user-${index}`);

/** Within five standard deviations of the binomial distribution. */
const expectShare = (count: number, percent: number): void => {
  const share = percent / 100;
  const deviation = Math.sqrt(users.length * share * (1 - share));
  expect(Math.abs(count - users.length * share)).toBeLessThanOrEqual(5 * deviation);
};

describe('a group', () => {
  test('is always the same for the same subject', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.integer({ min: 0, max: 100 }), (user, percent) => {
        const one = experiment({ percent });
        expect(treats(one, user)).toBe(treats({ ...one }, user));
      }),
    );
  });

  test.each([0, 1, 10, 50, 90, 100])('has its share of the subjects at %i percent', (percent) => {
    const one = experiment({ percent });
    expectShare(users.filter((user) => treats(one, user)).length, percent);
  });

  test('loses nobody when the percentage grows', () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(100), fc.nat(100), (user, one, other) => {
        const [less, more] = [Math.min(one, other), Math.max(one, other)];
        if (treats(experiment({ percent: less }), user)) expect(treats(experiment({ percent: more }), user)).toBe(true);
      }),
    );
  });

  test('is another one in another experiment', () => {
    const [one, other] = [experiment(), experiment({ name: 'other' })];
    const both = users.filter((user) => treats(one, user) && treats(other, user));
    expectShare(both.length, 25);
  });

  test('is of users of a tenant, not of their names', () => {
    const one = experiment();
    const differing = users.filter(
      (user) => assignGroup([one], of(user), 'ten_1').treated !== assignGroup([one], of(user), 'ten_2').treated,
    );
    expectShare(differing.length, 50);
  });

  test('goes by the tenant or the first tag where the experiment says so', () => {
    const [byTenant, byTag] = [experiment({ by: 'tenant' }), experiment({ by: 'tag' })];
    const tenantOf = (user: string, tenantId: string) => assignGroup([byTenant], of(user), tenantId).treated;
    const tagOf = (user: string, tags: string[]) => assignGroup([byTag], of(user, tags), 'ten_1').treated;
    const [first] = users as [string];
    for (const user of users.slice(0, 50)) {
      expect(tenantOf(user, 'ten_7')).toBe(tenantOf(first, 'ten_7'));
      expect(tagOf(user, ['spring', user])).toBe(tagOf(first, ['spring']));
    }
    expectShare(users.filter((user) => tagOf(first, [user])).length, 50);
    expectShare(users.filter((user) => tenantOf(first, user)).length, 50);
  });

  test('is none of a request without such a subject', () => {
    expect(assignGroup([experiment()], of(null), 'ten_1')).toEqual({ treated: null, controls: [] });
    expect(assignGroup([experiment({ by: 'tag' })], of('ann'), 'ten_1')).toEqual({ treated: null, controls: [] });
    expect(assignGroup([experiment({ by: 'tenant' })], of('ann'), null)).toEqual({ treated: null, controls: [] });
    expect(assignGroup([experiment({ medium: 'image' })], of('ann'), 'ten_1').controls).toEqual([]);
  });
});

test('several experiments of a medium share the subjects, each with its whole percentage', () => {
  const percents = [50, 30, 20];
  const all = percents.map((percent, index) => experiment({ name: `number-${index}`, percent }));
  const groups = users.map((user) => assignGroup(all, of(user), 'ten_1'));
  all.forEach((one, index) => {
    expectShare(groups.filter(({ treated }) => treated === one).length, percents[index] ?? 0);
  });
  expect(groups.every(({ treated }) => treated !== null)).toBe(true);
});

describe('a choice', () => {
  const models: Model[] = [
    makeModel({ id: 'acme/clip' }),
    makeModel({ id: 'acme/reel', price: perSecond('9') }),
    makeModel({ id: 'brick/clip', provider: 'brick', price: perSecond('0.2') }),
  ];
  const cheapest = makeRequest({ user: 'ann', routing: routing({ strategy: 'cost' }) });
  const everybody = { experiments: [experiment({ percent: 100 })] };
  const nobody = { experiments: [experiment({ percent: 0 })] };

  const decide = (request: GenerationRequest, overrides: Partial<Snapshot>) => {
    const decision = chooseCandidates(request, makeSnapshot(models, overrides));
    return { variant: decision.variant, running: inTheRunning(decision).map(({ model }) => model) };
  };
  const usual = ['acme/clip', 'brick/clip', 'acme/reel'];
  const treated = { variant: 'reel-first', running: ['acme/reel', 'acme/clip', 'brick/clip'] };

  test('puts the model of the experiment first, with the others as they were', () => {
    expect(decide(cheapest, everybody)).toEqual(treated);
    const { candidates } = chooseCandidates(cheapest, makeSnapshot(models, everybody));
    expect(candidates[0]?.reason).toContain('the experiment reel-first puts it first');
  });

  test('of the others is as ever, and recorded as the control', () => {
    expect(decide(cheapest, nobody)).toEqual({ variant: 'reel-first:control', running: usual });
    const two = { experiments: [experiment({ percent: 0 }), experiment({ name: 'late', percent: 0 })] };
    expect(decide(cheapest, two).variant).toBe('reel-first:control,late:control');
  });

  test('without a subject is none of the experiment', () => {
    expect(decide({ ...cheapest, user: null }, everybody)).toEqual({ variant: null, running: usual });
  });

  test.each([
    ['the request', {}],
    ['the user', { modelFrom: 'user' }],
    ['the tenant', { modelFrom: 'tenant' }],
  ] as const)('that %s has made stays', (_who, from) => {
    for (const overrides of [everybody, nobody])
      expect(decide({ ...cheapest, model: 'acme/clip', ...from }, overrides)).toEqual({
        variant: null,
        running: ['acme/clip'],
      });
  });

  test('that the operator has set is open to the operator’s experiment', () => {
    const usually = { ...cheapest, model: 'acme/clip', modelFrom: 'defaults' } as const;
    const request = { ...usually, routing: routing({ strategy: 'cost', allow: ['brick/clip'] }) };
    expect(decide(request, everybody)).toEqual(treated);
    expect(decide(request, nobody)).toEqual({ variant: 'reel-first:control', running: ['acme/clip', 'brick/clip'] });
  });

  test.each<[string, Partial<GenerationRequest>]>([
    ['denied', { routing: routing({ strategy: 'cost', deny: ['acme/reel'] }) }],
    ['too dear', { routing: routing({ strategy: 'cost', maxCostUsd: '5' }) }],
    ['not among those allowed', { routing: routing({ strategy: 'cost', allow: ['acme/clip'] }) }],
    ['of another provider', { provider: 'brick' }],
  ])('whose model is %s belongs to neither group', (_why, overrides) => {
    const request = { ...cheapest, ...overrides };
    const without = decide(request, {});
    expect(without.running).not.toContain('acme/reel');
    for (const by of [everybody, nobody]) expect(decide(request, by)).toEqual({ ...without, variant: null });
  });

  test('offers a model that is only for those who name it to those who are treated', () => {
    const hidden = models.map((model) => (model.id === 'acme/reel' ? { ...model, automatic: false } : model));
    const decideHidden = (overrides: Partial<Snapshot>) =>
      chooseCandidates(cheapest, makeSnapshot(hidden, overrides)).candidates.map(({ model }) => model);
    expect(decideHidden(everybody)).toEqual(treated.running);
    expect(decideHidden(nobody)).toEqual(['acme/clip', 'brick/clip']);
  });

  test('does not wait for the model of the experiment where another one can go', () => {
    const capacity = new Map([['acme/reel', { state: 'open', waitMs: 90_000 } as const]]);
    expect(decide(cheapest, { ...everybody, capacity, waitThresholdMs: 20_000 })).toEqual({
      variant: 'reel-first',
      running: usual,
    });
  });

  test('records a variant only where its model is in the running, and never loses a candidate', () => {
    fc.assert(
      fc.property(anyRequest, anySnapshot, (request, from) => {
        const plain = chooseCandidates(request, { ...from, experiments: [] });
        const decision = chooseCandidates(request, from);
        expect(plain.variant).toBeNull();
        const running = inTheRunning(decision).map(({ model }) => model);
        expect(running).toEqual(expect.arrayContaining(inTheRunning(plain).map(({ model }) => model)));
        const { variant } = decision;
        const named = from.experiments.find(({ name }) => name === variant)?.model ?? null;
        if (named !== null)
          expect(from.models.some((row) => running.includes(row.id) && [row.id, row.family].includes(named))).toBe(
            true,
          );
        else expect(running).toHaveLength(inTheRunning(plain).length);
      }),
    );
  });
});
