import fc from 'fast-check';
import { retryDelayMs } from '../../src/domain/backoff';

const policy = { attempts: 3, initialSeconds: 1, maximumSeconds: 30, factor: 2 };

test.each([
  [0, 1_000],
  [1, 1_000],
  [2, 2_000],
  [3, 4_000],
  [6, 30_000],
  [10_000, 30_000],
])('after %d failures it waits %d ms', (failures, delayMs) => {
  expect(retryDelayMs(policy, failures, null)).toBe(delayMs);
});

test('the wish of the provider counts when it is longer, also above the maximum', () => {
  expect(retryDelayMs(policy, 1, 120_000)).toBe(120_000);
  expect(retryDelayMs(policy, 3, 10)).toBe(4_000);
});

test('never shrinks with more failures and stays within the maximum', () => {
  const policies = fc.record({
    attempts: fc.integer({ min: 1, max: 10 }),
    initialSeconds: fc.double({ min: 0.001, max: 60, noNaN: true }),
    maximumSeconds: fc.double({ min: 0.001, max: 600, noNaN: true }),
    factor: fc.double({ min: 1, max: 10, noNaN: true }),
  });
  fc.assert(
    fc.property(policies, fc.integer({ min: 0, max: 2_000 }), (any, failures) => {
      const delayMs = retryDelayMs(any, failures, null);
      expect(delayMs).toBeLessThanOrEqual(any.maximumSeconds * 1000);
      expect(retryDelayMs(any, failures + 1, null)).toBeGreaterThanOrEqual(delayMs);
    }),
  );
});
