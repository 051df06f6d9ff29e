import fc from 'fast-check';
import { pollDelayMs, type PollState } from '../../src/domain/polling';

const tenMinutesMs = 600_000;
const start: PollState = {
  typicalMs: tenMinutesMs,
  elapsedMs: 0,
  hintMs: null,
  leftMs: 3_600_000,
  scale: 1,
  random: 0.5,
};

/** How often one looks at an operation that is ready after `readyMs`. */
const countLooks = (readyMs: number, state: Partial<PollState>): number => {
  let looks = 0;
  for (let elapsedMs = 0; elapsedMs < readyMs; looks += 1) elapsedMs += pollDelayMs({ ...start, ...state, elapsedMs });
  return looks;
};

test.each([0, 0.5, 1])('looks ten to twenty times at an operation of ten minutes (random %d)', (random) => {
  const looks = countLooks(tenMinutesMs, { random });
  expect(looks).toBeGreaterThanOrEqual(10);
  expect(looks).toBeLessThanOrEqual(20);
});

test.each([60_000, 90_000, 180_000])(
  'looks at most twenty times when the usual %d ms become ten minutes',
  (typicalMs) => {
    expect(countLooks(tenMinutesMs, { typicalMs })).toBeLessThanOrEqual(20);
  },
);

test('notices what is ready at its usual time within a few seconds', () => {
  for (const typicalMs of [10_000, 60_000, 90_000, tenMinutesMs]) {
    let elapsedMs = 0;
    while (elapsedMs < typicalMs) elapsedMs += pollDelayMs({ ...start, typicalMs, elapsedMs });
    expect(elapsedMs - typicalMs).toBeLessThan(3_000);
  }
});

const times = fc.integer({ min: 0, max: 86_400_000 });
const states = fc.record({
  typicalMs: times,
  elapsedMs: times,
  hintMs: fc.option(times),
  leftMs: fc.integer({ min: -86_400_000, max: 86_400_000 }),
  scale: fc.double({ min: 0.01, max: 10, noNaN: true }),
  random: fc.double({ min: 0, max: 1, noNaN: true }),
});

test('is a whole number of milliseconds above zero', () => {
  fc.assert(
    fc.property(states, (state) => {
      const delayMs = pollDelayMs(state);
      expect(Number.isInteger(delayMs)).toBe(true);
      expect(delayMs).toBeGreaterThan(0);
    }),
  );
});

test('never sleeps past the deadline by more than the moment that makes the next look see it', () => {
  fc.assert(
    fc.property(states, (state) => {
      fc.pre(state.leftMs > 0);
      expect(pollDelayMs(state)).toBeLessThanOrEqual(state.leftMs + 100);
    }),
  );
});

test('goes on looking after the deadline, at most every few seconds', () => {
  expect(pollDelayMs({ ...start, leftMs: -1, random: 0 })).toBeGreaterThanOrEqual(1_800);
});

test('waits at least as long as the provider asked for, unless the deadline comes first', () => {
  fc.assert(
    fc.property(states, fc.integer({ min: 1, max: 600_000 }), (state, hintMs) => {
      const delayMs = pollDelayMs({ ...state, hintMs, scale: 1, leftMs: 86_400_000 });
      expect(delayMs).toBeGreaterThanOrEqual(hintMs);
    }),
  );
});

test('a hint shorter than the profile changes nothing', () => {
  expect(pollDelayMs({ ...start, hintMs: 1_000 })).toBe(pollDelayMs(start));
});

test('scales every delay, hints included, and never stretches a hint', () => {
  expect(pollDelayMs({ ...start, scale: 0.1 })).toBe(pollDelayMs(start) / 10);
  const hinted = { ...start, hintMs: 300_000 };
  expect(pollDelayMs({ ...hinted, scale: 0.1 })).toBe(pollDelayMs(hinted) / 10);
  expect(pollDelayMs({ ...hinted, scale: 2 })).toBe(pollDelayMs(hinted));
});

test('spreads looks by a tenth either side', () => {
  expect(pollDelayMs({ ...start, random: 0 })).toBe(54_000);
  expect(pollDelayMs({ ...start, random: 1 })).toBe(66_000);
});

describe('where the provider tells the end by itself', () => {
  const announced = { ...start, announced: true };

  test.each([10_000, 60_000, tenMinutesMs])('looks are a safety net: %d ms of work takes few of them', (typicalMs) => {
    expect(countLooks(typicalMs, { announced: true, typicalMs })).toBeLessThanOrEqual(typicalMs / 60_000 + 1);
  });

  test('looks at least once a minute, also when it drags on', () => {
    for (const elapsedMs of [0, tenMinutesMs - 1, tenMinutesMs, 10 * tenMinutesMs])
      expect(pollDelayMs({ ...announced, elapsedMs, random: 1 })).toBeLessThanOrEqual(66_000);
  });

  test('never looks sooner than it would without', () => {
    fc.assert(
      fc.property(states, (state) => {
        expect(pollDelayMs({ ...state, announced: true })).toBeGreaterThanOrEqual(pollDelayMs(state));
      }),
    );
  });
});
