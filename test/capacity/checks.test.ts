import type { Booking, Meter } from '../crash/emulator';
import * as checks from './checks';
import { lineOf } from './lines';
import { countOvertakings, findStarved, findUnfairness, type Waiter } from './order';
import type { Books, SendEntry } from './readings';
import { backlogPeriod, longestBelow, meanOf, peakOf, toWindowSpans } from './spans';

const slots = lineOf('slots');
const rate = lineOf('rate');

const t0 = Date.parse('2026-11-21T12:00:00Z');

const iso = (afterMs: number): string => new Date(t0 + afterMs).toISOString();

const booking = (change: Partial<Booking> = {}): Booking => ({
  ...{ provider: 'mock', operation: 'op', model: 'video', promptHash: 'p', credential: 'key_1', costUsd: '0' },
  ...{ submittedAt: iso(0), startedAt: iso(0), endedAt: iso(10_000), state: 'succeeded', submits: 1, retryCount: 0 },
  ...change,
});

const meter = (change: Partial<Meter> = {}): Meter => ({
  ...{ provider: 'mock', credential: 'key_1', model: 'video', limits: {}, requests: 1, accepted: 1, waited: 0 },
  refused: { minute: 0, day: 0, tokens: 0, concurrent: 0 },
  peaks: { minute: 1, day: 1, tokens: 0, concurrent: 1 },
  ...change,
});

const books = (change: Partial<Books> = {}): Books => ({
  ...{ ledger: [], meters: [meter()], sends: [], pauses: [], generations: [] },
  ...change,
});

const told = ({ offenders }: checks.Check): string[] => offenders.map(({ what }) => what);

/** Work in four slots, one after the other, with a pause between. */
const fourSlots = (pauseMs: number): Booking[] =>
  Array.from({ length: 40 }, (_, index) => {
    const fromMs = Math.floor(index / 4) * (10_000 + pauseMs);
    return booking({ operation: String(index), submittedAt: iso(fromMs), endedAt: iso(fromMs + 10_000) });
  });

test('a window is half-open: what left at the very moment another came was not in it', () => {
  expect(peakOf(toWindowSpans([0, 60_000], 60_000))).toBe(1);
  expect(peakOf(toWindowSpans([0, 59_999], 60_000))).toBe(2);
});

test('means and stretches are those of the period', () => {
  const spans = [
    { fromMs: 0, untilMs: 100 },
    { fromMs: 0, untilMs: 50 },
    { fromMs: 80, untilMs: 200 },
  ];
  expect(meanOf(spans, { fromMs: 0, untilMs: 100 })).toBeCloseTo(1.7);
  expect(longestBelow(spans, 2, { fromMs: 0, untilMs: 200 })).toBe(100);
  expect(longestBelow(spans, 2, { fromMs: 0, untilMs: 80 })).toBe(30);
  expect(backlogPeriod(spans, 2)).toEqual({ fromMs: 0, untilMs: 80 });
  expect(backlogPeriod(spans, 4)).toBeNull();
});

test('a limit that was kept and used is no offence', () => {
  const rows = checks.measureLine(books({ ledger: fourSlots(500) }), slots);
  expect(rows).toMatchObject([{ limit: 'concurrent', most: 4, allowed: 4, refused: 0, idleMs: 500 }]);
  expect(rows[0]?.utilisation).toBeGreaterThan(0.94);
  const found = [checks.checkLimits(rows), checks.checkRefusals(rows), checks.checkUtilisation(rows)];
  expect([...found, checks.checkIdle(rows, 1_000)].flatMap(told)).toEqual([]);
});

test('one more than the limit is found, by the provider as by its list', () => {
  const counted = checks.measureLine(books({ meters: [meter({ peaks: { concurrent: 5 } })] }), slots);
  expect(told(checks.checkLimits(counted))).toHaveLength(1);
  const extra = booking({ operation: 'more', submittedAt: iso(9_999), endedAt: iso(12_000) });
  const listed = checks.measureLine(books({ ledger: [...fourSlots(500), extra] }), slots);
  expect(told(checks.checkLimits(listed))).toHaveLength(1);
});

test('one request too many in a window that no minute of the clock shows is found', () => {
  const at = (afterMs: number): Booking => booking({ provider: 'openai', submittedAt: iso(afterMs) });
  const ledger = [at(0), ...Array.from({ length: 8 }, (_, index) => at(59_000 + index * 30))];
  expect(told(checks.checkLimits(checks.measureLine(books({ ledger }), rate)))).toHaveLength(1);
  const later = ledger.map((row, index) => (index === 0 ? row : { ...row, submittedAt: iso(60_000 + index) }));
  expect(told(checks.checkLimits(checks.measureLine(books({ ledger: later }), rate)))).toEqual([]);
});

test('a 429, and work that had to wait at the provider, are found', () => {
  const refused = checks.measureLine(books({ meters: [meter({ refused: { minute: 1 } })] }), slots);
  expect(told(checks.checkRefusals(refused))).toHaveLength(1);
  const waited = checks.measureLine(books({ meters: [meter({ waited: 2 })] }), slots);
  expect(told(checks.checkRefusals(waited))).toHaveLength(1);
});

test('room that nobody used is found', () => {
  const rows = checks.measureLine(books({ ledger: fourSlots(8_000) }), slots);
  expect(told(checks.checkUtilisation(rows))).toHaveLength(1);
  expect(told(checks.checkIdle(rows, 7_000))).toHaveLength(1);
});

const send = (change: Partial<SendEntry>): SendEntry => ({
  ...{ generationId: 'gen_1', number: 1, provider: 'google', credential: 'key-1', model: 'm', tenant: 'default' },
  ...{ priority: 'medium', prompt: 'a kite', status: 'succeeded', sinceMs: t0, sentMs: t0 },
  ...change,
});

test('a submit with a resting key is found in either ledger', () => {
  const pauses = [{ provider: 'google', credential: 'key-1', atMs: t0, untilMs: t0 + 10_000 }];
  const refusals = [{ provider: 'google', credential: 'key_1', atMs: t0, retryAfterMs: 10_000 }];
  const check = (change: Partial<Books>): string[] => told(checks.checkPauses(books(change), pauses, refusals));
  expect(check({ sends: [send({ sentMs: t0 - 1 }), send({ sentMs: t0 + 10_000 })] })).toEqual([]);
  expect(check({ sends: [send({ sentMs: t0 + 9_000 })] })).toHaveLength(1);
  expect(check({ sends: [send({ sentMs: t0 + 9_000, credential: 'key-2' })] })).toEqual([]);
  expect(check({ ledger: [booking({ provider: 'google', submittedAt: iso(9_999) })] })).toHaveLength(1);
  expect(told(checks.checkPauses(books(), [], refusals))).toHaveLength(1);
});

test('a refused request that the other key did not take over is found', () => {
  const failover = (sends: SendEntry[]): string[] => told(checks.checkFailover(sends, ['a kite']));
  expect(failover([send({}), send({ credential: 'key-2' })])).toEqual([]);
  expect(failover([send({}), send({})])).toHaveLength(1);
  expect(failover([send({}), send({ credential: 'key-2', number: 2 })])).toHaveLength(1);
});

test('what did not end, and what did not wait, is found', () => {
  const day = lineOf('day');
  const made = { model: day.model, status: 'succeeded', phase: null };
  const waits = { model: day.model, status: 'running', phase: 'waiting_for_capacity' };
  const six = Array.from({ length: 6 }, (_, index) => ({ id: String(index), ...made }));
  const right = books({ generations: [...six, { id: 'x', ...waits }] });
  expect(told(checks.checkWaiting(right, day))).toEqual([]);
  expect(told(checks.checkWaiting(books({ generations: six.slice(1) }), day))).toHaveLength(1);
  const five = [...six.slice(1), { id: 'x', ...waits }, { id: 'y', ...waits }];
  const lost = send({ model: day.model, status: 'ambiguous' });
  expect(told(checks.checkWaiting(books({ generations: five }), day))).toHaveLength(1);
  expect(told(checks.checkWaiting(books({ generations: five, sends: [lost] }), day))).toEqual([]);
  expect(told(checks.checkEnds(right, [day]))).toHaveLength(1);
  expect(told(checks.checkEnds(right, [slots]))).toEqual([]);
});

const repeat = (pattern: string, times: number): string[] => [...pattern.repeat(times)];

test.each<[string, string[], number, boolean]>([
  ['one by one', repeat('ab', 50), 1, true],
  ['with a turn in twenty lost to the floor', repeat('abababababababababaa', 5), 1, true],
  ['three to one', repeat('bbba', 30), 3, true],
  ['in order of arrival', [...repeat('a', 16), ...repeat('b', 15)], 3, false],
  ['the late one first', [...repeat('b', 40), ...repeat('a', 60), 'b'], 1, false],
  ['one to one although it weighs three', repeat('ab', 50), 3, false],
])('the order of tenants is judged: %s', (_what, order, weight, isFair) => {
  const shares = { tenant: 'b', share: weight / (weight + 1), atOnce: 2 };
  expect(findUnfairness([...order, ...repeat('a', 50)], shares).length === 0).toBe(isFair);
});

test('a low one that waits for ever is found, one that is overtaken now and then is not', () => {
  const high = (index: number): Waiter => ({ priority: 'high', sinceMs: index * 100, sentMs: index * 1_000 });
  const low = (sinceMs: number, sentMs: number): Waiter => ({ priority: 'low', sinceMs, sentMs });
  const many = Array.from({ length: 60 }, (_, index) => high(index));
  expect(findStarved([...many, low(450, 14_500)], 1)).toEqual([]);
  expect(countOvertakings([...many, low(450, 14_500)])).toBe(10);
  expect(findStarved([...many, low(450, 59_500)], 1)).toHaveLength(1);
});
