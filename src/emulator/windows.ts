/** Something that counts from its moment until it has left the window. */
export type Entry = { atMs: number; amount: number; isCounted: boolean };

/**
 * How much there was in the last so many milliseconds, kept while it comes and goes. Half-open: what came exactly
 * `lengthMs` ago counts no longer.
 */
export type Window = {
  lengthMs: number;
  /** In order of time; those before `first` have left. */
  entries: Entry[];
  first: number;
  sum: number;
  /** The largest sum that any window ever had. */
  peak: number;
};

export const createWindow = (lengthMs: number): Window => ({ lengthMs, entries: [], first: 0, sum: 0, peak: 0 });

const keptGone = 1_000;

export const slide = (window: Window, nowMs: number): void => {
  for (let entry = window.entries[window.first]; entry !== undefined; entry = window.entries[window.first]) {
    if (entry.atMs > nowMs - window.lengthMs) break;
    entry.isCounted = false;
    window.sum -= entry.amount;
    window.first += 1;
  }
  if (window.first < keptGone) return;
  window.entries.splice(0, window.first);
  window.first = 0;
};

/** A sum is largest when something has just come, so that no larger one is missed. */
const measure = (window: Window): void => {
  window.peak = Math.max(window.peak, window.sum);
};

export const enter = (window: Window, atMs: number, amount: number): Entry => {
  slide(window, atMs);
  const entry = { atMs, amount, isCounted: true };
  window.entries.push(entry);
  window.sum += amount;
  measure(window);
  return entry;
};

/** What it really was. */
export const correct = (window: Window, entry: Entry, amount: number): void => {
  if (!entry.isCounted) return;
  window.sum += amount - entry.amount;
  entry.amount = amount;
  measure(window);
};

/** When so much more will fit under the limit; null: more than fits at all. */
export const roomAtMs = (window: Window, amount: number, most: number): number | null => {
  let sum = window.sum;
  let atMs = 0;
  for (let index = window.first; sum + amount > most; index += 1) {
    const entry = window.entries[index];
    if (entry === undefined) return null;
    sum -= entry.amount;
    atMs = entry.atMs + window.lengthMs;
  }
  return atMs;
};
