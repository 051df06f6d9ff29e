import type { ModelCapacity } from './capacity';

/** The lower the sooner: 0 now or soon, 1 later, 2 nobody knows when. */
export type WaitRank = 0 | 1 | 2;

export const rankWait = (capacity: ModelCapacity | undefined, thresholdMs: number): WaitRank => {
  if (capacity === undefined || capacity.state === 'ready' || capacity.waitMs <= thresholdMs) return 0;
  return Number.isFinite(capacity.waitMs) ? 1 : 2;
};

export const secondsOf = (ms: number): string => `${ms < 10_000 ? Math.round(ms / 100) / 10 : Math.round(ms / 1000)} s`;

const causes: Readonly<Record<Exclude<ModelCapacity['state'], 'ready'>, string>> = {
  busy: 'its limits are used up',
  paused: 'it is paused',
  open: 'its provider failed too often lately and is left alone',
};

/** `null`: nobody knows anything about it. */
export const describeWait = (capacity: ModelCapacity | undefined): string | null => {
  if (capacity === undefined) return null;
  if (capacity.state === 'ready') return 'can go now';
  const wait = Number.isFinite(capacity.waitMs)
    ? `would wait about ${secondsOf(capacity.waitMs)}`
    : 'would wait nobody knows how long';
  return `${wait}: ${causes[capacity.state]}`;
};
