import { forecast, type Gauge, type Key, type Waiting } from '../../src/domain/turns';

const now = new Date('2026-11-21T12:00:00Z');
const at = (ms: number): Date => new Date(now.getTime() + ms);

const turn: Waiting = {
  ...{ generationId: 'gen_1', number: 1, model: 'acme/clip', priority: 1, tag: 1, since: now, tokens: 0 },
  ...{ costUsd: null, avoid: null },
};

const makeKey = (gauges: Partial<Gauge>[], overrides: Partial<Key> = {}): Key => ({
  ...{ alias: 'main', priority: 100, weight: 1, pausedUntil: null, lastUsedAt: null, gates: [] },
  gauges: gauges.map((gauge) => ({
    ...{ kind: 'jobs_in_flight', model: null, most: 1, used: 0, freesAt: null },
    ...gauge,
  })),
  ...overrides,
});

const workMs = 60_000;
const look = (keys: Key[], own: Partial<Waiting> = {}) => forecast(keys, { turn: { ...turn, ...own }, workMs, now });

test('with room nobody waits', () => {
  expect(look([makeKey([{ used: 1 }]), makeKey([{}])]).firstMs).toBe(0);
});

test('without a key nobody knows', () => {
  expect(look([])).toEqual({ firstMs: Infinity, perTurnMs: Infinity });
});

test.each<[string, Key, number]>([
  ['a pause ends when it ends', makeKey([], { pausedUntil: at(7_000) }), 7_000],
  [
    'a window frees when its oldest leaves',
    makeKey([{ kind: 'requests_per_minute', used: 1, freesAt: at(9_000) }]),
    9_000,
  ],
  [
    'of two waits the longer counts',
    makeKey([{ kind: 'requests_per_minute', used: 1, freesAt: at(9_000) }], { pausedUntil: at(30_000) }),
    30_000,
  ],
  ['work that is out takes as long as it usually does', makeKey([{ used: 1 }]), workMs],
  ['an open breaker may be tried then', makeKey([], { gates: [{ model: 'acme/clip', until: at(3_000) }] }), 3_000],
])('%s', (_name, key, firstMs) => {
  expect(look([key]).firstMs).toBe(firstMs);
});

test('the first key that is free serves the first one', () => {
  expect(look([makeKey([{ used: 1 }]), makeKey([], { pausedUntil: at(7_000) })]).firstMs).toBe(7_000);
});

test.each<[string, Partial<Gauge>[], Partial<Waiting>, number]>([
  ['slots go on as work ends', [{ most: 4 }], {}, 15_000],
  ['requests go on by the minute', [{ kind: 'requests_per_minute', most: 10 }], {}, 6_000],
  ['tokens go on by their number', [{ kind: 'tokens_per_minute', most: 1_000 }], { tokens: 100 }, 6_000],
  ['the tightest limit decides', [{ most: 1 }, { kind: 'requests_per_minute', most: 10 }], {}, 60_000],
  ['limits of other models do not count', [{ most: 4 }, { most: 1, model: 'acme/film' }], {}, 15_000],
])('%s', (_name, gauges, own, perTurnMs) => {
  expect(look([makeKey(gauges)], own).perTurnMs).toBeCloseTo(perTurnMs);
});

test('keys add up', () => {
  expect(look([makeKey([{ most: 1 }]), makeKey([{ most: 2 }])]).perTurnMs).toBeCloseTo(20_000);
});

test('without limits those that follow wait for nothing', () => {
  expect(look([makeKey([])]).perTurnMs).toBeLessThan(0.001);
});

test.each<[string, Partial<Gauge>]>([
  ['a day', { kind: 'requests_per_day', most: 100, used: 10 }],
  ['a month', { kind: 'spend_per_month', most: 100, used: 10 }],
])('what is left of %s is not spread over it', (_name, gauge) => {
  expect(look([makeKey([gauge, { most: 4 }])], { costUsd: 0.04 }).perTurnMs).toBeCloseTo(15_000);
});

test('a month that is used up frees all at once, a day bit by bit', () => {
  const dayMs = 86_400_000;
  const full = { most: 10, used: 10, freesAt: at(dayMs) };
  const own = { costUsd: 0.5 };
  const slots = { most: 4 };
  const month = look([makeKey([{ ...full, kind: 'spend_per_month' }, slots])], own);
  expect(month).toEqual({ firstMs: dayMs, perTurnMs: 15_000 });
  const day = look([makeKey([{ ...full, kind: 'requests_per_day' }, slots])], own);
  expect(day).toEqual({ firstMs: dayMs, perTurnMs: dayMs / 10 });
});
