import type { ModelCapacity } from '../domain/capacity';
import { forecast, type Key, type Waiting } from '../domain/turns';
import { readQueues } from '../stores/turns';
import type { Dependencies, View } from './dependencies';
import { readKeys } from './rounds';

/** A choice may be made from what was true this long ago: giving turns decides, not this. */
const freshMs = 1_000;

const look = async (dependencies: Dependencies, provider: string): Promise<View> => {
  const { database } = dependencies;
  const [standing, queues] = await Promise.all([readKeys(dependencies, database, provider), readQueues(database)]);
  return { ...standing, queue: queues.find((queue) => queue.provider === provider) };
};

const viewOf = (dependencies: Dependencies, provider: string): Promise<View> => {
  const { views } = dependencies;
  const nowMs = performance.now();
  const seen = views.get(provider);
  if (seen && nowMs - seen.seenAtMs < freshMs) return seen.view;
  const view = look(dependencies, provider);
  views.set(provider, { seenAtMs: nowMs, view });
  view.catch(() => views.delete(provider));
  return view;
};

/** One more piece of work: nobody knows its size, but it has one. What is used up has no room for it. */
const imagined = (model: string, now: Date): Waiting => ({
  ...{ generationId: '', number: 0, model, priority: 1, tag: 0, since: now },
  ...{ tokens: 1, costUsd: 1e-8, avoid: null },
});

const stateOf = ({ keys, now, queue }: View, model: string): ModelCapacity['state'] => {
  if (queue?.pausedAt || keys.length === 0) return 'paused';
  const isPaused = ({ pausedUntil }: Key): boolean => pausedUntil !== null && pausedUntil > now;
  const isOpen = ({ gates }: Key): boolean => gates.some((gate) => gate.model === model && gate.until > now);
  if (keys.every(isPaused)) return 'paused';
  return keys.every((key) => isPaused(key) || isOpen(key)) ? 'open' : 'busy';
};

const capacityOf = (view: View, model: string, workMs: number): ModelCapacity => {
  const { keys, now, queue } = view;
  const ahead = (queue?.waiting ?? []).filter((row) => row.model === model).reduce((sum, { count }) => sum + count, 0);
  const { firstMs, perTurnMs } = forecast(keys, { turn: imagined(model, now), workMs, now });
  const isClosed = keys.length === 0 || (queue?.pausedAt ?? null) !== null;
  const waitMs = isClosed ? Infinity : Math.round(firstMs + ahead * perTurnMs);
  return waitMs === 0 ? { state: 'ready', waitMs } : { state: stateOf(view, model), waitMs };
};

/** How long one more would wait for each of these models, as of a second ago at most. */
export const readCapacity = async (
  dependencies: Dependencies,
  models: readonly string[],
): Promise<ReadonlyMap<string, ModelCapacity>> => {
  const rows = dependencies.models.filter(({ id }) => models.includes(id));
  const capacities = rows.map(async ({ id, provider, typicalSeconds }): Promise<[string, ModelCapacity]> => [
    id,
    capacityOf(await viewOf(dependencies, provider), id, typicalSeconds * 1000),
  ]);
  return new Map(await Promise.all(capacities));
};
