import { endsAtMs, type Operation } from './operations';
import type { World } from './world';

/** First come, first served, at most `concurrent` at a time. */
type Lane = {
  provider: string;
  waiting: Operation[];
  running: Operation[];
};

export type Lanes = Map<string, Lane>;

const laneOf = (world: World, operation: Operation): Lane | undefined => {
  const name = operation.details['lane'];
  if (typeof name !== 'string') return undefined;
  const lane = world.lanes.get(name) ?? { provider: operation.provider, waiting: [], running: [] };
  world.lanes.set(name, lane);
  return lane;
};

const earliestEnd = (operations: Operation[]): Operation | undefined =>
  operations.reduce<Operation | undefined>((best, candidate) => {
    const endMs = endsAtMs(candidate);
    if (endMs === null) return best;
    return best === undefined || endMs < (endsAtMs(best) ?? Infinity) ? candidate : best;
  }, undefined);

const startOldest = (world: World, lane: Lane, freedAtMs: number): void => {
  const next = lane.waiting.shift();
  if (next === undefined) return;
  next.startedAtMs = Math.max(next.submittedAtMs, freedAtMs);
  lane.running.push(next);
  world.journal.append({ provider: next.provider, id: next.id, set: { startedAtMs: next.startedAtMs } });
};

/**
 * Brings a lane up to date in the order of events: a slot that became free while nobody looked was taken at
 * that moment, so that waiting times do not depend on how often somebody polls.
 */
const advanceLane = (world: World, lane: Lane): void => {
  const nowMs = world.clock();
  const limit = world.settings.limits[lane.provider]?.concurrent ?? Infinity;
  for (let freedAtMs = 0; ;) {
    while (lane.waiting.length > 0 && lane.running.length < limit) startOldest(world, lane, freedAtMs);
    const done = earliestEnd(lane.running);
    const endMs = done === undefined ? null : endsAtMs(done);
    if (done === undefined || endMs === null || endMs > nowMs) return;
    lane.running.splice(lane.running.indexOf(done), 1);
    freedAtMs = endMs;
  }
};

export const advanceLanes = (world: World): void => {
  for (const lane of world.lanes.values()) advanceLane(world, lane);
};

/** Enters an operation (new, or known from before a restart) into its lane. */
export const admit = (world: World, operation: Operation): void => {
  const lane = laneOf(world, operation);
  if (lane === undefined) return;
  if (operation.startedAtMs === null) lane.waiting.push(operation);
  else lane.running.push(operation);
  advanceLane(world, lane);
};

export const advance = (world: World, operation: Operation): void => {
  const lane = laneOf(world, operation);
  if (lane !== undefined) advanceLane(world, lane);
};

export const queuePosition = (world: World, operation: Operation): number =>
  Math.max(0, laneOf(world, operation)?.waiting.indexOf(operation) ?? 0);

/** A canceled operation does not wait its turn. */
export const withdraw = (world: World, operation: Operation): void => {
  const lane = laneOf(world, operation);
  const place = lane?.waiting.indexOf(operation) ?? -1;
  if (place >= 0) lane?.waiting.splice(place, 1);
};
