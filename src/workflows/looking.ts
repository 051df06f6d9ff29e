import {
  ActivityFailure,
  CancellationScope,
  condition,
  defineSignal,
  isCancellation,
  setHandler,
  TimeoutFailure,
} from '@temporalio/workflow';
import type { AttemptStep } from '../domain/attempt-step';
import { signals } from './messages';
import { pollAt } from './proxies';

type Looked = { generationId: string; number: number; provider: string; watching?: boolean };

/** Whether the provider has told something since it was last asked. */
export type Hint = { given: boolean };

/** The provider's word is only a hint to look: whoever sent it, and however often. May come before there is anything to look at. */
export const listenForHints = (): Hint => {
  const hint: Hint = { given: false };
  setHandler(defineSignal(signals.providerCallback), () => void (hint.given = true));
  return hint;
};

/** Until it is time for the first look. */
export const waitForFirstLook = async (hint: Hint, waitMs: number): Promise<void> => {
  if (waitMs > 0) await condition(() => hint.given, waitMs);
};

// near its end the server refuses the next try, and hands on the last "not ready" with this retry state
const isTimeout = (error: unknown): boolean =>
  error instanceof ActivityFailure && (error.retryState === 'TIMEOUT' || error.cause instanceof TimeoutFailure);

/** `null`: a hint came while it waited for the next look. */
const lookUnlessHinted = async (look: () => Promise<AttemptStep>, hint: Hint): Promise<AttemptStep | null> => {
  const waiting = new CancellationScope();
  const state = { over: false, hinted: false };
  hint.given = false;
  const interrupt = async (): Promise<void> => {
    await condition(() => hint.given || state.over);
    state.hinted = !state.over;
    if (state.hinted) waiting.cancel();
  };
  // ends with the workflow's own cancellation, which the look is told by itself
  interrupt().catch(() => undefined);
  try {
    return await waiting.run(look);
  } catch (error) {
    if (state.hinted && isCancellation(error) && !CancellationScope.current().consideredCancelled) return null;
    throw error;
  } finally {
    state.over = true;
  }
};

/**
 * Only the provider's answer ends submitted work: when one poll activity's time is up, or the provider has told
 * something, a fresh one goes on.
 */
export const lookUntilEnded = async (looked: Looked, hint: Hint): Promise<AttemptStep> => {
  const poll = pollAt(looked);
  const { generationId, number, watching = false } = looked;
  for (;;) {
    try {
      const step = await lookUnlessHinted(() => poll({ generationId, number, watching }), hint);
      if (step !== null) return step;
    } catch (error) {
      if (!isTimeout(error)) throw error;
    }
  }
};
