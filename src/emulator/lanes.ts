import type { Journal } from './journal';
import { endsAtMs, type Operation } from './operations';
import type { Settings } from './settings';

/** First come, first served, at most `concurrent` at a time. */
type Lane = {
  provider: string;
  /** Of one model only, at some providers. */
  model: string;
  waiting: Operation[];
  running: Operation[];
};

export type Lanes = Map<string, Lane>;

/** As much of the world as queueing needs. */
type Yard = { lanes: Lanes; settings: Settings; journal: Journal; clock: () => number };

const laneOf = (yard: Yard, operation: Operation): Lane | undefined => {
  const name = operation.details['lane'];
  if (typeof name !== 'string') return undefined;
  const { provider, model } = operation;
  const lane = yard.lanes.get(name) ?? {
    provider,
    model: name.endsWith(`/${model}`) ? model : '',
    waiting: [],
    running: [],
  };
  yard.lanes.set(name, lane);
  return lane;
};

const earliestEnd = (operations: Operation[]): Operation | undefined =>
  operations.reduce<Operation | undefined>((best, candidate) => {
    const endMs = endsAtMs(candidate);
    if (endMs === null) return best;
    return best === undefined || endMs < (endsAtMs(best) ?? Infinity) ? candidate : best;
  }, undefined);

const startOldest = (yard: Yard, lane: Lane, freedAtMs: number): void => {
  const next = lane.waiting.shift();
  if (next === undefined) return;
  next.startedAtMs = Math.max(next.submittedAtMs, freedAtMs);
  lane.running.push(next);
  yard.journal.append({ provider: next.provider, id: next.id, set: { startedAtMs: next.startedAtMs } });
};

const limitOf = ({ settings }: Yard, { provider, model }: Lane): number => {
  const limits = settings.limits[provider];
  return limits?.models?.[model]?.concurrent ?? limits?.concurrent ?? Infinity;
};

/**
 * Brings a lane up to date in the order of events: a slot that became free while nobody looked was taken at
 * that moment, so that waiting times do not depend on how often somebody polls.
 */
const advanceLane = (yard: Yard, lane: Lane): void => {
  const nowMs = yard.clock();
  const limit = limitOf(yard, lane);
  for (let freedAtMs = 0; ;) {
    while (lane.waiting.length > 0 && lane.running.length < limit) startOldest(yard, lane, freedAtMs);
    const done = earliestEnd(lane.running);
    const endMs = done === undefined ? null : endsAtMs(done);
    if (done === undefined || endMs === null || endMs > nowMs) return;
    lane.running.splice(lane.running.indexOf(done), 1);
    freedAtMs = endMs;
  }
};

export const advanceLanes = (yard: Yard): void => {
  for (const lane of yard.lanes.values()) advanceLane(yard, lane);
};

/** Enters an operation (new, or known from before a restart) into its lane. */
export const admit = (yard: Yard, operation: Operation): void => {
  const lane = laneOf(yard, operation);
  if (lane === undefined) return;
  if (operation.startedAtMs === null) lane.waiting.push(operation);
  else lane.running.push(operation);
  advanceLane(yard, lane);
};

export const advance = (yard: Yard, operation: Operation): void => {
  const lane = laneOf(yard, operation);
  if (lane !== undefined) advanceLane(yard, lane);
};

export const queuePosition = (yard: Yard, operation: Operation): number =>
  Math.max(0, laneOf(yard, operation)?.waiting.indexOf(operation) ?? 0);

/** A canceled operation does not wait its turn. */
export const withdraw = (yard: Yard, operation: Operation): void => {
  const lane = laneOf(yard, operation);
  const place = lane?.waiting.indexOf(operation) ?? -1;
  if (place >= 0) lane?.waiting.splice(place, 1);
};
