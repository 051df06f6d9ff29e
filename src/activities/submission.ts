import type { AttemptStep } from '../domain/attempt-step';
import type { Model } from '../domain/model';
import { pollDelayMs } from '../domain/polling';
import { ProviderError, type Outcome } from '../providers/provider';
import { takeAttempt, untakeAttempt, type Take } from '../stores/attempt-take';
import {
  readAttempt,
  recordAnswer,
  recordSubmitted,
  type AttemptKey,
  type AttemptRow,
  type Ending,
} from '../stores/attempts';
import { readGeneration } from '../stores/generations';
import { delaySend } from '../stores/sends';
import { returnTurn } from '../stores/turns';
import { storeAtOnce } from './artifacts';
import { traceOf, type Dependencies } from './dependencies';
import { settleFate } from './fate';
import { persist, withHeartbeat } from './heartbeat';
import { callFor, describeSender, prepareSending, type Parcel, type Sending } from './preparation';
import { end, refused, type Taken } from './refused-send';
import { costOf, keepOutputs, warningsOf } from './results';
import { noteSend } from './send-outcome';
import { comeBackLater, stepOf } from './step';
import { comeToTurn } from './turns';

type Unresolved = Extract<Take, { kind: 'unresolved' }>;

/** A timer takes longer than that to fire. */
const shortestTimerMs = 20;

/** A send that left later than this after its take is counted from when it left. */
const promptMs = 250;

/** A take that has not led to a send after this long is given back: the time others wait for an answer starts with it. */
const staleTakeMs = 3_000;

/** What has sent nothing and continues nothing: whether there is anything to send is not known before that is settled. */
const needsTurn = ({ status, takesOver, supersededBy }: AttemptRow): boolean =>
  status === 'planned' && takesOver === null && supersededBy === null;

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

/**
 * Submits at most once: takes the attempt in the ledger, sends, records. Whoever enters after a death finds in the
 * ledger how far it came, and never sends blindly again.
 */
export const submitAttempt = (dependencies: Dependencies, key: AttemptKey): Promise<AttemptStep> =>
  withHeartbeat(async () => {
    const attempt = await readAttempt(dependencies.database, key);
    if (attempt.supersededBy === null && !isOpen(attempt)) return stepOf(attempt);
    if (isUnknown(dependencies, attempt)) return end(dependencies, key, withdrawn(attempt));
    const generation = await readGeneration(dependencies.database, key.generationId);
    const coming = needsTurn(attempt) ? await comeToTurn(dependencies, { attempt, generation }) : null;
    if (coming?.kind === 'step') return coming.step;
    // all that takes time comes before the take: from there on others count the time until they may ask
    const alias = coming?.kind === 'turn' ? coming.credential : null;
    return takeAndSend(dependencies, await prepareSending(dependencies, { attempt, generation, alias }));
  });

const takeAndSend = async (
  dependencies: Dependencies,
  { sending, parcel }: { sending: Sending; parcel: Parcel },
): Promise<AttemptStep> => {
  const { key } = sending;
  const sender = await describeSender(dependencies, sending);
  const startedAt = performance.now();
  const take = await persist(dependencies, () => takeAttempt(dependencies.database, key, sender));
  switch (take.kind) {
    case 'fenced':
      return { state: 'fenced' };
    case 'turnless':
      await returnTurn(dependencies.database, key);
      throw comeBackLater('not_accepted', 0);
    case 'recorded':
      return stepOf(take.attempt);
    case 'unresolved':
      return settleUnknown(dependencies, sending, take);
    case 'taken':
      dependencies.reached('taken');
      return isSendable(parcel, startedAt)
        ? send(dependencies, { sending, take, takenAt: startedAt }, parcel)
        : giveBack(dependencies, take);
  }
};

const isSendable = (parcel: Parcel, startedAt: number): parcel is NonNullable<Parcel> =>
  parcel !== null && performance.now() - startedAt <= staleTakeMs;

const giveBack = async (dependencies: Dependencies, { attempt }: Taken): Promise<never> => {
  await persist(dependencies, () => untakeAttempt(dependencies.database, attempt, attempt.epoch));
  throw comeBackLater('not_accepted', 0);
};

const send = async (
  dependencies: Dependencies,
  { sending, take, takenAt }: { sending: Sending; take: Taken; takenAt: number },
  parcel: NonNullable<Parcel>,
): Promise<AttemptStep> => {
  const { provider, model, credential } = sending;
  if (parcel instanceof ProviderError) return refused(dependencies, { sending, take, latencyMs: 0 }, parcel);
  if (!credential) return giveBack(dependencies, take);
  const startedAt = performance.now();
  const onSent = (): void => {
    if (performance.now() - takenAt > promptMs) countFromNow(dependencies, take);
  };
  const call = { ...callFor(dependencies, sending, credential), onSent };
  let outcome: Outcome;
  try {
    outcome = await provider.submit(model, parcel, call);
  } catch (error) {
    const latencyMs = Math.round(performance.now() - startedAt);
    return refused(dependencies, { sending, take, latencyMs }, error);
  }
  const latencyMs = Math.round(performance.now() - startedAt);
  dependencies.reached('accepted');
  const step = await accepted(dependencies, { sending, take, requestId: call.requestId() }, outcome);
  await noteSend(dependencies, take.attempt, {
    outcome: 'accepted',
    error: null,
    latencyMs,
    tokens: tokensUsed(outcome),
  });
  return step;
};

/** The provider's window begins with what it gets, not with what we announced. Lost: a second at the window's end. */
const countFromNow = ({ database, logger }: Dependencies, { attempt }: Taken): void => {
  delaySend(database, attempt).catch((error: unknown) =>
    logger.warn({ error: (error as Error).message }, 'a late send counts from its take'),
  );
};

const tokensUsed = (outcome: Outcome): number | null => {
  if (outcome.state !== 'succeeded') return null;
  const { inputTokens, outputTokens } = outcome.usage;
  return inputTokens === null && outputTokens === null ? null : (inputTokens ?? 0) + (outputTokens ?? 0);
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
