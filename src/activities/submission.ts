import { retryDelayMs } from '../domain/backoff';
import type { AttemptStep } from '../domain/attempt-step';
import { failures } from '../domain/failure';
import type { GenerationRequest } from '../domain/generation';
import type { Model } from '../domain/model';
import { alternativeTo } from '../domain/next-attempt';
import { pollDelayMs } from '../domain/polling';
import {
  ProviderError,
  type Call,
  type Credential,
  type Outcome,
  type Provider,
  type ReadyInput,
} from '../providers/provider';
import {
  readAttempt,
  recordAnswer,
  recordEnding,
  recordNotAccepted,
  recordSubmitted,
  type AttemptKey,
  type AttemptRow,
  type Ending,
} from '../stores/attempts';
import { endSend, takeAttempt, untakeAttempt, type Sender, type Take } from '../stores/attempt-take';
import { readGeneration } from '../stores/generations';
import { findModel, findProvider, gatewayOf, openCredential, traceOf, type Dependencies } from './dependencies';
import { persist, withHeartbeat } from './heartbeat';
import { lost, settleFate } from './fate';
import { storeAtOnce } from './artifacts';
import { readReadyInput } from './ready-input';
import { costOf, keepOutputs, warningsOf } from './results';
import { comeBackLater, stepOf } from './step';

/** Everything one submit is made with. */
type Sending = {
  key: AttemptKey;
  provider: Provider;
  model: Model;
  /** `null`: none is configured (any more). */
  credential: Credential | null;
  /** Of the paid call. */
  deadlineMs: number;
  priority: GenerationRequest['priority'];
  /** Where the provider may announce the end of the work. */
  callbackUrl: string | null;
};

/**
 * What goes over the wire; or why nothing can, which counts as a refusal of the send. `null`: not made ready, for when it
 * was read somebody else was sending.
 */
type Parcel = ReadyInput | ProviderError | null;

type SubmitCall = Call & { requestId: () => string | null };

type Prepared = { sending: Sending; parcel: Parcel };

type Taken = Extract<Take, { kind: 'taken' }>;
type Unresolved = Extract<Take, { kind: 'unresolved' }>;

/** A timer takes longer than that to fire. */
const shortestTimerMs = 20;

/** A rate limit longer than this is worth another provider, where there is one. */
const worthWaitingMs = 20_000;

/** A take that has not led to a send after this long is given back: the time others wait for an answer starts with it. */
const staleTakeMs = 3_000;

/** Of the uploads that a model needs before its paid request, in ms. */
const stagingTimeoutMs = 5 * 60_000;

const prepareSending = async (dependencies: Dependencies, key: AttemptKey, attempt: AttemptRow): Promise<Prepared> => {
  const provider = findProvider(dependencies, attempt.provider);
  const model = findModel(dependencies, attempt.model);
  const waits = attempt.status === 'planned';
  // the key of an earlier take binds nobody before something was sent with it
  const unbound = { provider: attempt.provider, credential: null, credentialPrint: null };
  const credential = await openCredential(dependencies, waits ? unbound : attempt);
  const deadlineMs = dependencies.settings.submitTimeoutMs(model, credential);
  const { request } = await readGeneration(dependencies.database, key.generationId);
  const announces = provider.announces?.(model) === true && credential?.gateway === undefined;
  const callbackUrl = announces ? dependencies.callbackUrlFor(provider.id, key) : null;
  const sending = { key, provider, model, credential, deadlineMs, priority: request.priority, callbackUrl };
  return { sending, parcel: waits ? await makeParcel(dependencies, sending, request) : null };
};

const makeParcel = async (
  dependencies: Dependencies,
  sending: Sending,
  { input }: GenerationRequest,
): Promise<Parcel> => {
  const { provider, model, credential } = sending;
  if (!credential) return withoutKey(sending);
  try {
    const ready = await readReadyInput(dependencies, model, input);
    const call = { ...callFor(dependencies, sending, credential), deadlineMs: stagingTimeoutMs };
    const staged = provider.stage ? await provider.stage(model, ready, call) : ready;
    dependencies.reached('staged');
    return staged;
  } catch (error) {
    if (error instanceof ProviderError) return notSent(error);
    throw error;
  }
};

/** Whatever the provider made of an upload, the paid request was not sent. */
const notSent = ({ code, message, scope, retryAfterMs, httpStatus }: ProviderError): ProviderError =>
  new ProviderError(code, message, { accepted: 'no', scope, retryAfterMs, httpStatus });

const callFor = ({ settings }: Dependencies, sending: Sending, credential: Credential): SubmitCall => {
  let requestId: string | null = null;
  return {
    credential,
    trace: traceOf(sending.key),
    deadlineMs: sending.deadlineMs,
    priority: sending.priority,
    store: settings.store(sending.provider.id),
    ...(sending.callbackUrl !== null && { webhookUrl: sending.callbackUrl }),
    onExchange: (exchange) => (requestId = exchange.requestId ?? requestId),
    requestId: () => requestId,
  };
};

const isOpen = ({ status }: AttemptRow): boolean => status === 'planned' || status === 'submitting';

/** Planned when the configuration still had its model; nothing of it is out. */
const isUnknown = ({ models }: Dependencies, { status, takesOver, model }: AttemptRow): boolean =>
  status === 'planned' && takesOver === null && !models.some(({ id }) => id === model);

const withdrawn = ({ model }: AttemptRow): Ending => ({
  status: 'rejected',
  code: 'provider_model_not_found',
  message: `${model} has left the configuration`,
  costUsd: '0',
  from: ['planned'],
});

/** The key is kept before anything is sent with it: what it opens can be looked at for as long as it takes. */
const describeSender = async (dependencies: Dependencies, sending: Sending): Promise<Sender> => {
  const { provider, credential, deadlineMs, callbackUrl } = sending;
  return {
    sender: dependencies.newSender(),
    credential: credential?.alias ?? null,
    credentialPrint: credential && (await dependencies.vault.keep(provider.id, credential)),
    gateway: gatewayOf(credential),
    sendTimeoutMs: deadlineMs,
    announced: callbackUrl !== null,
  };
};

/**
 * Submits at most once: takes the attempt in the ledger, sends, records. Whoever enters after a death finds in the
 * ledger how far it came, and never sends blindly again.
 */
export const submitAttempt = (dependencies: Dependencies, key: AttemptKey): Promise<AttemptStep> =>
  withHeartbeat(async () => {
    const attempt = await readAttempt(dependencies.database, key);
    if (attempt.supersededBy === null && !isOpen(attempt)) return stepOf(attempt);
    if (isUnknown(dependencies, attempt)) return end(dependencies, key, withdrawn(attempt));
    // all that takes time comes before the take: from there on others count the time until they may ask
    const { sending, parcel } = await prepareSending(dependencies, key, attempt);
    const sender = await describeSender(dependencies, sending);
    const startedAt = performance.now();
    const take = await persist(dependencies, () => takeAttempt(dependencies.database, key, sender));
    if (take.kind === 'taken') dependencies.reached('taken');
    switch (take.kind) {
      case 'fenced':
        return { state: 'fenced' };
      case 'recorded':
        return stepOf(take.attempt);
      case 'unresolved':
        return settleUnknown(dependencies, sending, take);
      case 'taken':
        return isSendable(parcel, startedAt)
          ? send(dependencies, { sending, take }, parcel)
          : giveBack(dependencies, take);
    }
  });

const isSendable = (parcel: Parcel, startedAt: number): parcel is NonNullable<Parcel> =>
  parcel !== null && performance.now() - startedAt <= staleTakeMs;

const giveBack = async (dependencies: Dependencies, { attempt }: Taken): Promise<never> => {
  await persist(dependencies, () => untakeAttempt(dependencies.database, attempt, attempt.epoch));
  throw comeBackLater('not_accepted', 0);
};

const withoutKey = ({ provider }: Sending): ProviderError =>
  new ProviderError('provider_auth', `no key for ${provider.id} is configured`, {
    accepted: 'no',
    scope: 'credential',
  });

const end = async (
  dependencies: Dependencies,
  key: AttemptKey,
  ending: Parameters<typeof recordEnding>[2],
): Promise<AttemptStep> => {
  await persist(dependencies, () => recordEnding(dependencies.database, key, ending));
  return stepOf(await persist(dependencies, () => readAttempt(dependencies.database, key)));
};

const send = async (
  dependencies: Dependencies,
  { sending, take }: { sending: Sending; take: Taken },
  parcel: NonNullable<Parcel>,
): Promise<AttemptStep> => {
  const { provider, model, credential } = sending;
  if (parcel instanceof ProviderError) return refused(dependencies, { sending, take }, parcel);
  if (!credential) return refused(dependencies, { sending, take }, withoutKey(sending));
  const call = callFor(dependencies, sending, credential);
  let outcome: Outcome;
  try {
    outcome = await provider.submit(model, parcel, call);
  } catch (error) {
    return refused(dependencies, { sending, take }, error);
  }
  dependencies.reached('accepted');
  return accepted(dependencies, { sending, take, requestId: call.requestId() }, outcome);
};

const accepted = async (
  dependencies: Dependencies,
  { sending, take, requestId }: { sending: Sending; take: Taken; requestId: string | null },
  outcome: Outcome,
): Promise<AttemptStep> => {
  const { key, model } = sending;
  const { database, settings, random } = dependencies;
  if (outcome.state === 'failed' || outcome.state === 'canceled') {
    const told = outcome.state === 'failed' ? outcome : { code: null, message: '' };
    const costUsd = outcome.chargedUsd ?? null;
    return end(dependencies, key, { status: outcome.state, ...told, costUsd, from: ['submitting', 'ambiguous'] });
  }
  if (outcome.state === 'succeeded') {
    const { epoch } = take.attempt;
    const outputs = await persist(dependencies, () => keepOutputs(dependencies, { ...key, epoch }, outcome.outputs));
    const result = { ...describeResult(model, take, outcome), outputs, providerRequestId: requestId };
    const recorded = await persist(dependencies, () => recordAnswer(database, { ...key, epoch }, result));
    dependencies.reached('recorded');
    return isOurs(sending, recorded) ? storeAtOnce(dependencies, key) : late(dependencies, sending, recorded);
  }
  const { operation, retryAfterMs } = outcome;
  const answer = { operation, providerRequestId: requestId };
  const recorded = await persist(dependencies, () => recordSubmitted(database, key, answer));
  dependencies.reached('recorded');
  if (!isOurs(sending, recorded)) return late(dependencies, sending, recorded);
  const typicalMs = model.typicalSeconds * 1000;
  const leftMs = take.generation.deadlineAt.getTime() - take.generation.now.getTime();
  const announced = sending.callbackUrl !== null;
  const state = { typicalMs, elapsedMs: 0, hintMs: retryAfterMs ?? null, leftMs, announced, scale: settings.pollScale };
  const delayMs = pollDelayMs({ ...state, random: random() });
  return { state: 'pending', pollAfterMs: delayMs < shortestTimerMs ? 0 : delayMs };
};

const describeResult = (model: Model, { generation }: Taken, outcome: Extract<Outcome, { state: 'succeeded' }>) => ({
  usage: outcome.usage,
  costUsd: costOf(model, generation.request.input, outcome),
  warnings: warningsOf(model, generation.request.input, outcome),
  ...(outcome.operation && { operation: outcome.operation }),
});

const isOurs = ({ key }: Sending, recorded: AttemptRow): boolean =>
  recorded.generationId === key.generationId && recorded.number === key.number && recorded.supersededBy === null;

/** The answer came after somebody else had settled this attempt: it has its row, and what runs is watched. */
const late = (dependencies: Dependencies, { key }: Sending, { number, status }: AttemptRow): AttemptStep => {
  dependencies.logger.warn({ attempt: traceOf(key), owner: number, status }, 'an answer came after its replacement');
  return { state: 'fenced' };
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

const refused = async (
  dependencies: Dependencies,
  { sending, take }: { sending: Sending; take: Taken },
  cause: unknown,
): Promise<AttemptStep> => {
  const error = asProviderError(cause);
  dependencies.logger.info(
    { attempt: traceOf(sending.key), code: error.code, accepted: error.accepted },
    error.message,
  );
  if (error.accepted === 'unknown') {
    const { epoch } = take.attempt;
    const canBeAsked = sending.provider.find !== undefined || sending.callbackUrl !== null;
    if (!canBeAsked) return end(dependencies, sending.key, lost(epoch, error.message));
    // left as `submitting`: the next entry asks the provider
    await persist(dependencies, () => endSend(dependencies.database, sending.key, epoch));
    throw comeBackLater('not_settled', 1_000);
  }
  const retry = dependencies.settings.retryOf(sending.provider.id);
  const limited = error.code === 'provider_rate_limited';
  const failuresSoFar = take.attempt.submitErrors + 1;
  // a rate limit uses up no try, but asking again and again must slow down all the same
  const delayMs = retryDelayMs(retry, limited ? take.attempt.epoch : failuresSoFar, error.retryAfterMs);
  if (failures[error.code].retryable && (limited ? !leavesFor(take, delayMs) : failuresSoFar < retry.attempts)) {
    const { code, message } = error;
    const note = { code, message, counts: !limited, epoch: take.attempt.epoch };
    await persist(dependencies, () => recordNotAccepted(dependencies.database, sending.key, note));
    throw comeBackLater('not_accepted', untilDeadline(take, delayMs));
  }
  const { code, message } = error;
  const { epoch } = take.attempt;
  const ending = { status: 'rejected', code, message, costUsd: '0', from: ['submitting'], epoch } as const;
  return end(dependencies, sending.key, ending);
};

const leavesFor = ({ generation, attempt }: Taken, delayMs: number): boolean => {
  const running = generation.decision?.candidates.filter(({ excluded }) => excluded === null) ?? [];
  return delayMs > worthWaitingMs && alternativeTo(attempt.model, running, generation.request.routing) !== null;
};

/** Never sleeps past the deadline: the next entry then lets the attempt go, free of charge. */
const untilDeadline = ({ generation }: Taken, delayMs: number): number =>
  Math.max(0, Math.min(delayMs, generation.deadlineAt.getTime() - generation.now.getTime() + 100));

/**
 * Somebody sent and did not tell how it went. After its deadline no answer can come any more; then the provider is
 * asked, where it can be asked. What that writes decides: adopt, send or follow the policy.
 */
const settleUnknown = async (
  dependencies: Dependencies,
  sending: Sending,
  { subject, waitMs }: Unresolved,
): Promise<never> => {
  if (waitMs > 0) throw comeBackLater('not_settled', waitMs);
  await settleFate(dependencies, subject, sending.deadlineMs);
  throw comeBackLater('not_settled', 0);
};
