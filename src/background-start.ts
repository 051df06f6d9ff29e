import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Start } from './domain/generation';
import type { Temporal } from './temporal';

/** At once, of one process: more would only wait for each other at the server until their time is over. */
const startersAtMost = 16;

/** After a start that failed. */
const restMs = 1_000;

/** More are left to reconcile: the rows are committed, only the quick start is given up. */
const remembered = 10_000;

/**
 * Starts workflows of committed rows without holding up the answer to the caller. What cannot be started yet is tried
 * again until it can; what a dying process forgets, reconcile finds.
 */
export const startInBackground = (
  temporal: Pick<Temporal, 'start' | 'cancel' | 'resolve' | 'callBack'>,
  logger: Logger,
) => {
  const waiting: Start[] = [];
  let starters = 0;
  let stopped = false;

  /** Whatever fails goes behind the others: it may be the only one. */
  const startOne = async (generation: Start): Promise<void> => {
    try {
      await temporal.start(generation);
    } catch (error) {
      waiting.push(generation);
      logger.warn({ generation: generation.id, error: (error as Error).message }, 'cannot start the workflow yet');
      await pause(restMs, undefined, { ref: false });
    }
  };

  const startAll = async (): Promise<void> => {
    starters += 1;
    for (let next = waiting.shift(); next !== undefined && !stopped; next = waiting.shift()) await startOne(next);
    starters -= 1;
  };

  /** The fast path of what stands in the database already: reconcile is the slow one. */
  const tell = async (what: string, telling: Promise<void>): Promise<void> => {
    try {
      await telling;
    } catch (error) {
      logger.warn({ error: (error as Error).message }, `cannot ${what} yet`);
    }
  };

  return {
    start: (generation: Start): void => {
      if (waiting.length >= remembered) return;
      waiting.push(generation);
      if (starters < startersAtMost) void startAll();
    },
    cancel: (id: string): Promise<void> => tell('cancel the workflow', temporal.cancel(id)),
    resolve: (id: string): Promise<void> => tell('tell the workflow of a decision', temporal.resolve(id)),
    callBack: (attempt: { generationId: string; number: number }): Promise<void> =>
      tell('tell the workflow of a message', temporal.callBack(attempt)),
    stop: (): void => {
      stopped = true;
    },
  };
};
