import type { AttemptStep } from '../domain/attempt-step';
import type { FailureCode } from '../domain/failure';
import type { Model } from '../domain/model';
import { pollDelayMs } from '../domain/polling';
import {
  ProviderError,
  type Call,
  type Cancellation,
  type Credential,
  type Outcome,
  type Provider,
} from '../providers/provider';
import {
  operationOf,
  readAttempt,
  recordEnding,
  recordFailedLook,
  recordLook,
  recordSucceeded,
  type AttemptKey,
  type AttemptRow,
} from '../stores/attempts';
import { readGeneration, type LockedGeneration } from '../stores/generations';
import { findModel, findProvider, openCredential, traceOf, type Dependencies } from './dependencies';
import { persist, withHeartbeat } from './heartbeat';
import { noteLook } from './send-outcome';
import { costOf, keepOutputs, warningsOf } from './results';
import { comeBackLater, stepOf } from './step';

/** Looks at a provider have small answers; a result fetched with them may take longer. */
const lookTimeoutMs = 20_000;

/** This many answers in a row that there is no such operation: it is gone, and with it the result. */
const goneAfterLooks = 3;

/** One attempt's work at the provider, and what to talk to it with. */
export type Work = {
  key: AttemptKey;
  attempt: AttemptRow;
  generation: LockedGeneration;
  provider: Provider;
  model: Model;
  /** `null`: its key is not configured any more. */
  credential: Credential | null;
};

export const readWork = async (dependencies: Dependencies, key: AttemptKey): Promise<Work> => {
  const attempt = await readAttempt(dependencies.database, key);
  return {
    key,
    attempt,
    generation: await readGeneration(dependencies.database, key.generationId),
    provider: findProvider(dependencies, attempt.provider),
    model: findModel(dependencies, attempt.model),
    credential: await openCredential(dependencies, attempt),
  };
};

/** Throws without a key, which is then awaited: it may come back. */
export const callOf = ({ key, attempt, credential }: Work, { settings }: Dependencies): Call => {
  if (!credential)
    throw new ProviderError('provider_auth', `no key called ${attempt.credential} for ${attempt.provider}`, {
      accepted: 'no',
      scope: 'credential',
    });
  return { credential, trace: traceOf(key), deadlineMs: lookTimeoutMs, store: settings.store(attempt.provider) };
};

const delayFor = ({ settings, random }: Dependencies, work: Work, hintMs: number | null): number =>
  pollDelayMs({
    typicalMs: work.model.typicalSeconds * 1000,
    elapsedMs: work.generation.now.getTime() - (work.attempt.submittedAt ?? work.attempt.startedAt).getTime(),
    hintMs,
    leftMs: work.generation.deadlineAt.getTime() - work.generation.now.getTime(),
    announced: work.attempt.announced,
    scale: settings.pollScale,
    random: random(),
  });

/** One look at submitted work. "Not ready" is thrown, and the retry policy is the clock of the next look. */
export const pollAttempt = (
  dependencies: Dependencies,
  input: AttemptKey & { watching: boolean },
): Promise<AttemptStep> => withHeartbeat(() => lookOnce(dependencies, input));

const lookOnce = async (
  dependencies: Dependencies,
  { watching, ...key }: AttemptKey & { watching: boolean },
): Promise<AttemptStep> => {
  const work = await readWork(dependencies, key);
  // late work is replaced, and watched all the same
  if (work.attempt.supersededBy !== null && !watching) return { state: 'fenced' };
  if (work.attempt.status !== 'submitted') return stepOf(work.attempt);
  const outcome = await look(dependencies, work);
  if (outcome instanceof ProviderError) return failedLook(dependencies, { ...work, watching }, outcome);
  await noteGoodLook(dependencies, work);
  if (outcome.state !== 'pending') return concluded(dependencies, work, outcome);
  if (!watching && (await isStopped(dependencies, work, outcome.progress ?? null))) return { state: 'canceled' };
  throw comeBackLater('not_ready', delayFor(dependencies, work, outcome.retryAfterMs ?? null));
};

/** After some that failed. */
const noteGoodLook = async (dependencies: Dependencies, { attempt }: Work): Promise<void> => {
  if (attempt.pollErrors > 0) await noteLook(dependencies, attempt, null);
};

const isStopped = async (dependencies: Dependencies, work: Work, progress: number | null): Promise<boolean> => {
  await recordLook(dependencies.database, work.key, progress);
  return stopOverdue(dependencies, work);
};

/** A person named an operation where there is nothing to look at. */
const lostForGood = ({ id }: Provider): Outcome => ({
  state: 'failed',
  code: 'provider_result_lost',
  message: `${id} keeps nothing that could be looked at`,
});

const look = async (dependencies: Dependencies, work: Work): Promise<Outcome | ProviderError> => {
  const { provider, model, attempt } = work;
  try {
    const call = callOf(work, dependencies);
    if (!provider.check) return lostForGood(provider);
    return await provider.check(model, operationOf(attempt), call);
  } catch (error) {
    if (error instanceof ProviderError) return error;
    dependencies.logger.error(
      { attempt: traceOf(work.key), error: (error as Error).message },
      'a look went wrong on our side',
    );
    throw error;
  }
};

const concluded = async (
  dependencies: Dependencies,
  { key, attempt, model, generation }: Work,
  outcome: Exclude<Outcome, { state: 'pending' }>,
): Promise<AttemptStep> => {
  const { database } = dependencies;
  dependencies.reached('looked');
  if (outcome.state === 'succeeded') {
    const outputs = await keepOutputs(dependencies, attempt, outcome.outputs);
    const costUsd = costOf(model, generation.request.input, outcome);
    const { usage } = outcome;
    const warnings = warningsOf(model, generation.request.input, outcome);
    await recordSucceeded(database, key, { outputs, usage, costUsd, providerRequestId: null, warnings });
  } else {
    const told = outcome.state === 'failed' ? outcome : { code: null, message: '' };
    const costUsd = outcome.chargedUsd ?? null;
    await recordEnding(database, key, {
      status: outcome.state,
      code: told.code,
      message: told.message,
      costUsd,
      from: ['submitted'],
    });
    if (outcome.state === 'failed') await noteLook(dependencies, attempt, { code: outcome.code });
  }
  dependencies.reached('concluded');
  dependencies.logger.info({ attempt: traceOf(key), state: outcome.state }, 'the provider is done');
  return stepOf(await readAttempt(database, key));
};

/**
 * How long the provider is believed to be able to say more, once the deadline has passed: a day for what may pass, no
 * time for answers that make no sense, an hour for a key that is refused (somebody may put it right).
 */
const patienceMs: Partial<Record<FailureCode, number>> = {
  provider_bad_response: 0,
  caller_invalid_request: 0,
  provider_auth: 3_600_000,
  provider_insufficient_funds: 3_600_000,
};
const usualPatienceMs = 24 * 3_600_000;

/** In a row. Looks that an outage of ours prevented do not count. */
const failedLooksAtLeast = 20;

/** With what the attempt ends; `null`: another look may tell more. */
const lastWord = (work: Work, error: ProviderError, looks: { failed: number; gone: number }): FailureCode | null => {
  if (looks.gone >= goneAfterLooks) return 'provider_result_lost';
  const overdueMs = work.generation.now.getTime() - work.generation.deadlineAt.getTime();
  const hasPatience = overdueMs <= (patienceMs[error.code] ?? usualPatienceMs);
  return hasPatience || looks.failed < failedLooksAtLeast ? null : error.code;
};

/** The look failed, not the generation: it takes a provider's last word to end it, or a long silence. */
const failedLook = async (
  dependencies: Dependencies,
  work: Work & { watching: boolean },
  error: ProviderError,
): Promise<AttemptStep> => {
  const { key } = work;
  const gone = error.code === 'provider_result_lost';
  const looks = await recordFailedLook(dependencies.database, key, { gone });
  await noteLook(dependencies, work.attempt, error);
  dependencies.logger.warn({ attempt: traceOf(key), code: error.code, looks }, error.message);
  const code = lastWord(work, error, looks);
  if (code !== null) {
    const told = { code, message: error.message, costUsd: null };
    const ending = { status: 'failed', ...told, from: ['submitted'] } as const;
    await persist(dependencies, () => recordEnding(dependencies.database, key, ending));
    return stepOf(await readAttempt(dependencies.database, key));
  }
  if (!work.watching && !gone && (await stopOverdue(dependencies, work))) return { state: 'canceled' };
  const hintMs = error.retryAfterMs ?? Math.min(60_000, 1_000 * 2 ** Math.min(looks.failed, 6));
  throw comeBackLater('not_ready', delayFor(dependencies, work, hintMs));
};

/** Past the deadline and not done: cancelled where the provider can, else it goes on to its end. */
const stopOverdue = async (dependencies: Dependencies, work: Work): Promise<boolean> => {
  if (work.generation.now <= work.generation.deadlineAt) return false;
  if ((await cancelAtProvider(dependencies, work)) !== 'confirmed') return false;
  const ended = { status: 'canceled', code: null, message: '', costUsd: null, from: ['submitted'] } as const;
  await persist(dependencies, () => recordEnding(dependencies.database, work.key, ended));
  return true;
};

/** `unable` also when the call fails: the next look tells how it stands. */
export const cancelAtProvider = async (dependencies: Dependencies, work: Work): Promise<Cancellation> => {
  const { provider, model, attempt } = work;
  const { logger, reached } = dependencies;
  if (!provider.cancel) return 'unable';
  reached('canceling');
  try {
    return await provider.cancel(model, operationOf(attempt), callOf(work, dependencies));
  } catch (error) {
    logger.warn({ attempt: traceOf(work.key), error: (error as Error).message }, 'could not cancel at the provider');
    return 'unable';
  }
};
