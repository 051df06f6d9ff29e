import type { Logger } from 'pino';
import type { Start } from './domain/generation';
import type { Temporal } from './temporal';

const againMs = 1_000;

/** More are left to reconcile: the rows are committed, only the quick start is given up. */
const remembered = 10_000;

/**
 * Starts workflows of committed rows without holding up the answer to the caller. While the server is away they are
 * remembered and tried each second; what a dying process forgets, reconcile finds.
 */
export const startInBackground = (
  temporal: Pick<Temporal, 'start' | 'cancel' | 'resolve' | 'callBack'>,
  logger: Logger,
) => {
  const waiting = new Map<string, Start>();
  let sweeping = false;

  const startNow = async (generation: Start): Promise<boolean> => {
    try {
      await temporal.start(generation);
      waiting.delete(generation.id);
      return true;
    } catch (error) {
      if (waiting.size < remembered) waiting.set(generation.id, generation);
      logger.warn({ generation: generation.id, error: (error as Error).message }, 'cannot start the workflow yet');
      return false;
    }
  };

  const sweep = async (): Promise<void> => {
    if (sweeping) return;
    sweeping = true;
    for (const generation of [...waiting.values()]) if (!(await startNow(generation))) break;
    sweeping = false;
  };

  /** The fast path of what stands in the database already: reconcile is the slow one. */
  const tell = async (what: string, telling: Promise<void>): Promise<void> => {
    try {
      await telling;
    } catch (error) {
      logger.warn({ error: (error as Error).message }, `cannot ${what} yet`);
    }
  };

  const timer = setInterval(() => void sweep(), againMs);
  timer.unref();
  return {
    start: (generation: Start): void => void startNow(generation),
    cancel: (id: string): Promise<void> => tell('cancel the workflow', temporal.cancel(id)),
    resolve: (id: string): Promise<void> => tell('tell the workflow of a decision', temporal.resolve(id)),
    callBack: (attempt: { generationId: string; number: number }): Promise<void> =>
      tell('tell the workflow of a message', temporal.callBack(attempt)),
    stop: (): void => clearInterval(timer),
  };
};
