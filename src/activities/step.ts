import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import type { AttemptStep } from '../domain/attempt-step';
import type { FailureCode } from '../domain/failure';
import type { AttemptRow } from '../stores/attempts';

/** What the row of an attempt that was sent or has ended means to the workflow. */
export const stepOf = (attempt: AttemptRow): AttemptStep => {
  switch (attempt.status) {
    case 'submitted':
      return { state: 'pending', pollAfterMs: 0 };
    case 'succeeded':
      return { state: 'succeeded', stored: false };
    case 'canceled':
      return { state: 'canceled' };
    case 'failed':
    case 'rejected':
    case 'ambiguous':
      return { state: attempt.status, code: attempt.errorCode as FailureCode };
    default:
      return { state: 'fenced' };
  }
};

/** Not an error: the next try of this activity is the next look. */
export const comeBackLater = (
  type: 'not_ready' | 'not_accepted' | 'not_settled',
  delayMs: number,
): ApplicationFailure =>
  ApplicationFailure.create({
    type,
    message: `again in ${delayMs} ms`,
    // the server takes a delay of nothing for "do not retry"
    nextRetryDelay: Math.max(1, Math.round(delayMs)),
    category: ApplicationFailureCategory.BENIGN,
  });
