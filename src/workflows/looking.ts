import { ActivityFailure, TimeoutFailure } from '@temporalio/workflow';
import type { AttemptStep } from '../domain/attempt-step';
import { pollAt } from './proxies';

type Looked = { generationId: string; number: number; provider: string; watching?: boolean };

// near its end the server refuses the next try, and hands on the last "not ready" with this retry state
const isTimeout = (error: unknown): boolean =>
  error instanceof ActivityFailure && (error.retryState === 'TIMEOUT' || error.cause instanceof TimeoutFailure);

/** Only the provider's answer ends submitted work: when one poll activity's time is up, a fresh one goes on. */
export const lookUntilEnded = async (looked: Looked): Promise<AttemptStep> => {
  const poll = pollAt(looked);
  const { generationId, number, watching = false } = looked;
  for (;;) {
    try {
      return await poll({ generationId, number, watching });
    } catch (error) {
      if (!isTimeout(error)) throw error;
    }
  }
};
