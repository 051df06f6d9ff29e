import type { AttemptStep } from '../domain/attempt-step';
import { retryDelayMs } from '../domain/backoff';
import { isKeyRefusal } from '../domain/breaker';
import { failures } from '../domain/failure';
import { ProviderError } from '../providers/provider';
import { endSend, type Take } from '../stores/attempt-take';
import { readAttempt, recordEnding, recordNotAccepted, type AttemptKey } from '../stores/attempts';
import { traceOf, type Dependencies } from './dependencies';
import { lost } from './fate';
import { persist } from './heartbeat';
import type { Sending } from './preparation';
import { noteSend } from './send-outcome';
import { comeBackLater, stepOf } from './step';

/** What this sender has announced. */
export type Taken = Extract<Take, { kind: 'taken' }>;

export const end = async (
  dependencies: Dependencies,
  key: AttemptKey,
  ending: Parameters<typeof recordEnding>[2],
): Promise<AttemptStep> => {
  await persist(dependencies, () => recordEnding(dependencies.database, key, ending));
  return stepOf(await persist(dependencies, () => readAttempt(dependencies.database, key)));
};

/** What is not a `ProviderError` is a fault of ours in the middle of a send: nobody knows how far it came. */
const asProviderError = (error: unknown): ProviderError =>
  error instanceof ProviderError
    ? error
    : new ProviderError('system_internal', 'the submit was interrupted', {
        accepted: 'unknown',
        scope: 'request',
        cause: error,
      });

type Refused = { sending: Sending; take: Taken; latencyMs: number };

export const refused = async (dependencies: Dependencies, refusal: Refused, cause: unknown): Promise<AttemptStep> => {
  const { sending, take, latencyMs } = refusal;
  const error = asProviderError(cause);
  const { code, accepted } = error;
  dependencies.logger.info({ attempt: traceOf(sending.key), code, accepted }, error.message);
  const followed = await recordRefusal(dependencies, refusal, error);
  // the key's pause stands before the attempt gets in line again
  await noteSend(dependencies, take.attempt, { outcome: code, error, latencyMs, tokens: null });
  if ('againMs' in followed) throw comeBackLater(followed.why, followed.againMs);
  return followed;
};

type Again = { why: 'not_settled' | 'not_accepted'; againMs: number };

const recordRefusal = (
  dependencies: Dependencies,
  { sending, take }: Refused,
  error: ProviderError,
): Promise<AttemptStep | Again> => {
  if (error.accepted === 'unknown') return recordLost(dependencies, { sending, take }, error);
  const againMs = delayAfter(dependencies, take, error);
  return againMs === null
    ? recordRejected(dependencies, { sending, take }, error)
    : recordForNextTry(dependencies, { sending, take }, { error, againMs: untilDeadline(take, againMs) });
};

const recordLost = async (
  dependencies: Dependencies,
  { sending, take }: { sending: Sending; take: Taken },
  error: ProviderError,
): Promise<AttemptStep | Again> => {
  const { epoch } = take.attempt;
  const canBeAsked = sending.provider.find !== undefined || sending.callbackUrl !== null;
  if (!canBeAsked) return end(dependencies, sending.key, lost(epoch, error.message));
  // left as `submitting`: the next entry asks the provider
  await persist(dependencies, () => endSend(dependencies.database, sending.key, epoch));
  return { why: 'not_settled', againMs: 1_000 };
};

const recordRejected = (
  dependencies: Dependencies,
  { sending, take }: { sending: Sending; take: Taken },
  { code, message }: ProviderError,
): Promise<AttemptStep> => {
  const { epoch } = take.attempt;
  const ending = { status: 'rejected', code, message, costUsd: '0', from: ['submitting'], epoch } as const;
  return end(dependencies, sending.key, ending);
};

const recordForNextTry = async (
  dependencies: Dependencies,
  { sending, take }: { sending: Sending; take: Taken },
  { error, againMs }: { error: ProviderError; againMs: number },
): Promise<Again> => {
  const { code, message } = error;
  const note = { code, message, counts: !concernsKey(error), epoch: take.attempt.epoch };
  await persist(dependencies, () => recordNotAccepted(dependencies.database, sending.key, note));
  return { why: 'not_accepted', againMs };
};

/** The key has to rest, or is of no use: the request may go with another one, and no try is used up. */
const concernsKey = (error: ProviderError): boolean => error.code === 'provider_rate_limited' || isKeyRefusal(error);

/** In ms, until it gets in line again; `null`: it is refused for good. */
const delayAfter = ({ settings }: Dependencies, { attempt }: Taken, error: ProviderError): number | null => {
  // whoever has no key any more is told so when it gets in line
  if (concernsKey(error)) return 0;
  const retry = settings.retryOf(attempt.provider);
  const failuresSoFar = attempt.submitErrors + 1;
  return failures[error.code].retryable && failuresSoFar < retry.attempts
    ? retryDelayMs(retry, failuresSoFar, error.retryAfterMs)
    : null;
};

/** Never sleeps past the deadline: the next entry then lets the attempt go, free of charge. */
const untilDeadline = ({ generation }: Taken, delayMs: number): number =>
  Math.max(0, Math.min(delayMs, generation.deadlineAt.getTime() - generation.now.getTime() + 100));
