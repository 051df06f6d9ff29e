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
import { findCredential, findModel, findProvider, traceOf, type Dependencies } from './dependencies';
import { persist } from './heartbeat';
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
    credential: findCredential(dependencies, attempt),
  };
};

/** Throws without a key: paid work waits for it to come back, only the provider's word ends it. */
export const callOf = ({ key, attempt, credential }: Work): Call => {
  if (!credential) throw new Error(`no key called ${attempt.credential} for ${attempt.provider}`);
  return { credential, trace: traceOf(key), deadlineMs: lookTimeoutMs };
};

const delayFor = ({ settings, random }: Dependencies, work: Work, hintMs: number | null): number =>
  pollDelayMs({
    typicalMs: work.model.typicalSeconds * 1000,
    elapsedMs: work.generation.now.getTime() - (work.attempt.submittedAt ?? work.attempt.startedAt).getTime(),
    hintMs,
    leftMs: work.generation.deadlineAt.getTime() - work.generation.now.getTime(),
    scale: settings.pollScale,
    random: random(),
  });

/** One look at submitted work. "Not ready" is thrown, and the retry policy is the clock of the next look. */
export const pollAttempt = async (
  dependencies: Dependencies,
  { watching, ...key }: AttemptKey & { watching: boolean },
): Promise<AttemptStep> => {
  const work = await readWork(dependencies, key);
  if (work.attempt.supersededBy !== null) return { state: 'fenced' };
  if (work.attempt.status !== 'submitted') return stepOf(work.attempt);
  const outcome = await look(dependencies, work);
  if (outcome instanceof ProviderError) return failedLook(dependencies, { ...work, watching }, outcome);
  if (outcome.state !== 'pending') return concluded(dependencies, work, outcome);
  if (!watching) await recordLook(dependencies.database, key, outcome.progress ?? null);
  if (!watching && (await stopOverdue(dependencies, work))) return { state: 'canceled' };
  throw comeBackLater('not_ready', delayFor(dependencies, work, outcome.retryAfterMs ?? null));
};

const look = async (dependencies: Dependencies, work: Work): Promise<Outcome | ProviderError> => {
  const { provider, model, attempt } = work;
  const call = callOf(work);
  try {
    if (!provider.check) throw new Error(`${provider.id} has no operations to look at`);
    return await provider.check(model, operationOf(attempt), call);
  } catch (error) {
    if (error instanceof ProviderError) return error;
    dependencies.logger.error(
      { attempt: call.trace, error: (error as Error).message },
      'a look went wrong on our side',
    );
    throw error;
  }
};

const concluded = async (
  dependencies: Dependencies,
  { key, model, generation }: Work,
  outcome: Exclude<Outcome, { state: 'pending' }>,
): Promise<AttemptStep> => {
  const { database } = dependencies;
  if (outcome.state === 'succeeded') {
    const outputs = await keepOutputs(dependencies, key, outcome.outputs);
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
  }
  dependencies.logger.info({ attempt: traceOf(key), state: outcome.state }, 'the provider is done');
  return stepOf(await readAttempt(database, key));
};

/** Answers that make no sense, after the deadline: nothing better will come. */
const senselessLooks = 20;

const lastWord = (work: Work, error: ProviderError, looks: { failed: number; gone: number }): FailureCode | null => {
  if (looks.gone >= goneAfterLooks) return 'provider_result_lost';
  const overdue = work.generation.now > work.generation.deadlineAt;
  return overdue && error.code === 'provider_bad_response' && looks.failed >= senselessLooks ? error.code : null;
};

/** The look failed, not the generation. Only "there is no such operation", said repeatedly, is the provider's last word. */
const failedLook = async (
  dependencies: Dependencies,
  work: Work & { watching: boolean },
  error: ProviderError,
): Promise<AttemptStep> => {
  const { key } = work;
  const gone = error.code === 'provider_result_lost';
  const looks = await recordFailedLook(dependencies.database, key, { gone });
  dependencies.logger.warn({ attempt: traceOf(key), code: error.code, looks }, error.message);
  const code = lastWord(work, error, looks);
  if (code !== null) {
    const message = code === error.code ? error.message : `${work.provider.id} does not know this operation any more`;
    const ending = { status: 'failed', code, message, costUsd: null, from: ['submitted'] } as const;
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
export const cancelAtProvider = async ({ logger }: Dependencies, work: Work): Promise<Cancellation> => {
  const { provider, model, attempt } = work;
  if (!provider.cancel) return 'unable';
  try {
    return await provider.cancel(model, operationOf(attempt), callOf(work));
  } catch (error) {
    logger.warn({ attempt: traceOf(work.key), error: (error as Error).message }, 'could not cancel at the provider');
    return 'unable';
  }
};
