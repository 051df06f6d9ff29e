import type { Logger } from 'pino';
import type { WorkflowPort } from './activities/dependencies';

type Start = { id: string; tenantId: string; medium: string };

const againMs = 1_000;

/** More are left to reconcile: the rows are committed, only the quick start is given up. */
const remembered = 10_000;

/**
 * Starts workflows of committed rows without holding up the answer to the caller. While the server is away they are
 * remembered and tried each second; what a dying process forgets, reconcile finds.
 */
export const startInBackground = (temporal: Pick<WorkflowPort, 'start' | 'cancel'>, logger: Logger) => {
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

  const timer = setInterval(() => void sweep(), againMs);
  timer.unref();
  return {
    start: (generation: Start): void => void startNow(generation),
    cancel: async (id: string): Promise<void> => {
      try {
        await temporal.cancel(id);
      } catch (error) {
        logger.warn({ generation: id, error: (error as Error).message }, 'cannot cancel the workflow yet');
      }
    },
    stop: (): void => clearInterval(timer),
  };
};
