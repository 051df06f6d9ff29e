import { setTimeout as pause } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { SureshotError } from '../domain/failure';
import type { Dependencies } from './dependencies';

const everyMs = 1_000;

/**
 * Lets the server notice within seconds that this worker has died. Carries no details: the ledger holds the state. What
 * is over within a second costs no heartbeat.
 */
export const withHeartbeat = async <Result>(work: () => Promise<Result>): Promise<Result> => {
  const context = Context.current();
  const timer = setInterval(() => context.heartbeat(), everyMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
};

const againMs = 500;

/** Prisma's "the row is not there": it will not be there the next time. */
const isFinal = (error: unknown): boolean =>
  error instanceof SureshotError || (error as { code?: unknown }).code === 'P2025';

/**
 * Writes down what the provider answered, however long the database is away: an answer that is not recorded is paid
 * work that nobody knows of. Ends with the activity's own time limit.
 */
export const persist = async <Result>({ logger }: Dependencies, write: () => Promise<Result>): Promise<Result> => {
  for (;;) {
    try {
      return await write();
    } catch (error) {
      if (isFinal(error)) throw error;
      logger.warn({ error: (error as Error).message }, 'cannot record an answer yet; trying on');
      await pause(againMs);
    }
  }
};
