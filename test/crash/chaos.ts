import { setTimeout as pause } from 'node:timers/promises';
import { listTakenOrders, placeOrder, type AnyBoundary } from './orders';
import type { Random } from './random';
import { processNames, type Tree } from './tree';

/** A SIGKILL that was given. `where`: the boundary it was given at. */
export type Kill = { name: string; where: string; atMs: number };

export const atRandom = 'at random';

/** The processes that do the work die most. */
const targets: readonly { weight: number; name: string }[] = [
  { weight: 5, name: 'worker-1' },
  { weight: 5, name: 'worker-2' },
  { weight: 2, name: 'api-1' },
  { weight: 2, name: 'api-2' },
  { weight: 3, name: 'postgres' },
  { weight: 3, name: 'temporal' },
  { weight: 2, name: 'emulator' },
];

const shuffle = <Thing>(random: Random, things: readonly Thing[]): Thing[] =>
  things
    .map((thing) => ({ thing, rank: random.next() }))
    .sort((one, other) => one.rank - other.rank)
    .map(({ thing }) => thing);

const wait = (durationMs: number, stopped: AbortSignal): Promise<void> =>
  pause(durationMs, undefined, { signal: stopped }).catch(() => undefined);

export type KillPlan = { count: number; shortestMs: number; longestMs: number };

/** So many kills, each of a process that runs: first every one of them, in any order, then by weight. */
export const killAtRandom = async (
  tree: Tree,
  random: Random,
  { plan, stopped }: { plan: KillPlan; stopped: AbortSignal },
): Promise<Kill[]> => {
  const kills: Kill[] = [];
  const first = shuffle(random, processNames);
  while (kills.length < plan.count && !stopped.aborted) {
    await wait(random.between(plan.shortestMs, plan.longestMs), stopped);
    const name = first.shift() ?? random.pickWeighted(targets).name;
    if (tree.kill(name)) kills.push({ name, where: atRandom, atMs: Date.now() });
  }
  return kills;
};

/** Each boundary in turn gets its order, which waits there for whoever comes. */
export const orderDeaths = async (
  tree: Tree,
  random: Random,
  { boundaries, everyMs, stopped }: { boundaries: readonly AnyBoundary[]; everyMs: number; stopped: AbortSignal },
): Promise<void> => {
  for (const boundary of shuffle(random, boundaries)) {
    await wait(everyMs, stopped);
    // with nobody at work nothing would be learnt
    while (!tree.areReady(['worker-1']) && !tree.areReady(['worker-2']) && !stopped.aborted) await wait(100, stopped);
    if (stopped.aborted) return;
    placeOrder(tree.orders, boundary);
  }
};

/** Orders that were carried out. */
export const listOrderedKills = (tree: Tree): Kill[] =>
  listTakenOrders(tree.orders).map(({ boundary, pid, atMs }) => ({
    name: tree.deaths.find((death) => death.pid === pid)?.name ?? `process ${pid}`,
    where: boundary,
    atMs,
  }));
