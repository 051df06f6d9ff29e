import {
  CancellationScope,
  condition,
  defineSignal,
  isCancellation,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
  startChild,
} from '@temporalio/workflow';
import type { AttemptStep } from '../domain/attempt-step';
import { signals, watchWorkflowId, type AttemptInput } from './messages';
import { listenForHints, lookUntilEnded, waitForFirstLook } from './looking';
import { ledger, submitTo, transferFrom } from './proxies';
import type { watch } from './watch';

const tell = (input: AttemptInput, phase: string): void =>
  setCurrentDetails(`${input.model}, attempt ${input.number}: ${phase}. Safe to reset: yes, on the parent.`);

/** While it waits to be sent (a rate limit, a queue), a cancellation takes it out of the wait for good. */
const releaseWhenCanceled = (key: { generationId: string; number: number }): void => {
  CancellationScope.current().cancelRequested.catch(() =>
    CancellationScope.nonCancellable(() => ledger.releaseAttempt(key)),
  );
};

/** What may still run at the provider gets a workflow of its own, which outlives the generation. */
const leaveToWatch = ({ generationId, number }: AttemptInput): Promise<void> =>
  CancellationScope.nonCancellable(async () => {
    try {
      await startChild<typeof watch>('watch', {
        workflowId: watchWorkflowId(generationId, number),
        args: [{ generationId, number }],
        parentClosePolicy: ParentClosePolicy.ABANDON,
      });
    } catch (error) {
      // reconcile was quicker
      if ((error as Error).name !== 'WorkflowExecutionAlreadyStartedError') throw error;
    }
  });

type Turn = { come: boolean };

const listenForTurn = (): Turn => {
  const turn: Turn = { come: false };
  setHandler(defineSignal(signals.turn), () => void (turn.come = true));
  return turn;
};

/** Until it was sent, or will not be: told of its turn it asks again, and now and then without being told. */
const submitInTurn = async (input: AttemptInput, turn: Turn): Promise<AttemptStep> => {
  const key = { generationId: input.generationId, number: input.number };
  for (;;) {
    turn.come = false;
    // never cut off: an answer that nobody waits for is paid work that nobody knows of
    const step = await CancellationScope.nonCancellable(() => submitTo(input)(key));
    if (step.state !== 'waiting') return step;
    tell(input, 'waiting for capacity');
    try {
      await condition(() => turn.come, step.waitMs);
    } catch (error) {
      if (!isCancellation(error)) throw error;
      // nothing was sent
      await CancellationScope.nonCancellable(() => ledger.releaseAttempt(key));
      return { state: 'canceled' };
    }
  }
};

/** One provider, one paid submit: submit → poll → store. Ends with a tagged outcome, never with an error. */
export async function attempt(input: AttemptInput): Promise<AttemptStep> {
  const key = { generationId: input.generationId, number: input.number };
  const hint = listenForHints();
  const turn = listenForTurn();
  tell(input, 'submitting');
  releaseWhenCanceled(key);
  try {
    let step = await submitInTurn(input, turn);
    if (step.state === 'pending') {
      tell(input, 'polling');
      await waitForFirstLook(hint, step.pollAfterMs);
      step = await lookUntilEnded(input, hint);
    }
    if (step.state === 'succeeded' && !step.stored) {
      tell(input, 'storing');
      step = await transferFrom(input)(key);
    }
    return step;
  } catch (error) {
    if (!isCancellation(error)) throw error;
    await leaveToWatch(input);
    return { state: 'canceled' };
  }
}
