import fc from 'fast-check';
import { correct, createWindow, enter, roomAtMs, slide, type Entry, type Window } from '../../src/emulator/windows';

const lengthMs = 100;

type Came = { atMs: number; amount: number };

const steps = fc.array(fc.record({ pauseMs: fc.nat(60), amount: fc.nat(9) }), { minLength: 1, maxLength: 60 });

/** What came, one after the other. */
const timesOf = (list: readonly { pauseMs: number; amount: number }[]): Came[] => {
  let atMs = 1_000;
  return list.map(({ pauseMs, amount }) => ({ atMs: (atMs += pauseMs), amount }));
};

const sumOf = (list: readonly Came[], nowMs: number): number =>
  list.filter(({ atMs }) => atMs > nowMs - lengthMs && atMs <= nowMs).reduce((sum, { amount }) => sum + amount, 0);

const fill = (list: readonly Came[]): Window => {
  const window = createWindow(lengthMs);
  for (const { atMs, amount } of list) enter(window, atMs, amount);
  return window;
};

test('counts what a look at everything counts, at any moment', () => {
  fc.assert(
    fc.property(steps, fc.nat(200), (list, laterMs) => {
      const came = timesOf(list);
      const window = fill(came);
      const nowMs = (came.at(-1)?.atMs ?? 0) + laterMs;
      slide(window, nowMs);
      expect(window.sum).toBe(sumOf(came, nowMs));
      expect(window.peak).toBe(Math.max(...came.map(({ atMs }, index) => sumOf(came.slice(0, index + 1), atMs))));
    }),
  );
});

test('says when so much more fits: not a millisecond before', () => {
  fc.assert(
    fc.property(steps, fc.nat(9), fc.nat(40), (list, amount, most) => {
      const came = timesOf(list);
      const window = fill(came);
      const roomMs = roomAtMs(window, amount, most);
      if (roomMs === null) expect(amount).toBeGreaterThan(most);
      else {
        const nowMs = Math.max(roomMs, came.at(-1)?.atMs ?? 0);
        expect(sumOf(came, nowMs) + amount).toBeLessThanOrEqual(most);
        if (roomMs > (came.at(-1)?.atMs ?? 0)) expect(sumOf(came, roomMs - 1) + amount).toBeGreaterThan(most);
      }
    }),
  );
});

test('what came exactly a window ago counts no longer', () => {
  const window = fill([{ atMs: 1_000, amount: 1 }]);
  slide(window, 1_000 + lengthMs - 1);
  expect(window.sum).toBe(1);
  slide(window, 1_000 + lengthMs);
  expect(window.sum).toBe(0);
});

test('a correction counts for as long as the entry does', () => {
  const window = createWindow(lengthMs);
  const entries = [enter(window, 1_000, 50), enter(window, 1_050, 50)] as [Entry, Entry];
  correct(window, entries[0], 10);
  expect([window.sum, window.peak]).toEqual([60, 100]);
  slide(window, 1_100);
  correct(window, entries[0], 30);
  expect(window.sum).toBe(50);
  correct(window, entries[1], 120);
  expect([window.sum, window.peak]).toEqual([120, 120]);
  slide(window, 1_150);
  expect(window.sum).toBe(0);
});

test('forgets what has left, however long it goes on', () => {
  const window = fill(Array.from({ length: 50_000 }, (_, index) => ({ atMs: 1_000 + index, amount: 1 })));
  expect([window.sum, window.peak]).toEqual([100, 100]);
  expect(window.entries.length).toBeLessThan(2_000);
});
