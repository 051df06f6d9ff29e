import type { FailureCode } from '../domain/failure';
import type { AttemptStatus, Usage } from '../domain/generation';
import type { Money } from '../domain/money';
import { storable } from '../domain/text';
import { inTransaction, type Database, type Transaction } from './database';
import { Prisma, type Attempt } from './generated/client';
import { lockGeneration, publish, type LockedGeneration } from './generations';
import { leaveLine } from './turns';

export type AttemptKey = { generationId: string; number: number };

/** Where a result waits: at the provider, already in our blob store, or (text) right here. */
export type StoredOutput =
  | {
      kind: 'url';
      url: string;
      contentType: string | null;
      headers?: Record<string, string>;
      credentialHeader?: { name: string; scheme: 'Bearer' | null };
    }
  | { kind: 'blob'; key: string; contentType: string; bytes: number; sha256: string }
  | { kind: 'text'; text: string };

export type AttemptRow = Attempt;

export const operationOf = (attempt: AttemptRow): { id: string; [key: string]: unknown } =>
  attempt.operation as { id: string };

export const outputsOf = (attempt: AttemptRow): StoredOutput[] => (attempt.outputs ?? []) as StoredOutput[];

/** The key as Prisma wants it. */
export const unique = ({ generationId, number }: AttemptKey) => ({ generationId_number: { generationId, number } });

/** Reads without a lock: for steps that only look. */
export const readAttempt = (database: Database | Transaction, key: AttemptKey): Promise<AttemptRow> =>
  database.attempt.findUniqueOrThrow({ where: unique(key) });

export const attemptEvent = (attempt: AttemptRow) => ({
  type: 'generation.attempt',
  data: {
    number: attempt.number,
    provider: attempt.provider,
    model: attempt.model,
    status: attempt.status,
    ...(attempt.errorCode !== null && { error: { code: attempt.errorCode, message: attempt.errorMessage } }),
  },
});

export type AttemptPatch = Prisma.AttemptUpdateInput;

/** What becomes of an attempt that is never sent. */
const isLeaving = ({ status }: AttemptPatch): boolean =>
  status === 'canceled' || status === 'rejected' || status === 'superseded';

/** Under the generation's lock: writes the row and appends its event. */
export const writeAttempt = async (
  transaction: Transaction,
  generation: LockedGeneration,
  { key, patch }: { key: AttemptKey; patch: AttemptPatch },
): Promise<AttemptRow> => {
  const attempt = await transaction.attempt.update({ where: unique(key), data: patch });
  if (isLeaving(patch)) await leaveLine(transaction, key);
  if (patch.status !== undefined) await publish(transaction, generation, { events: [attemptEvent(attempt)] });
  return attempt;
};

/** What moves with paid work when a later attempt becomes its owner. */
export const possession = (from: AttemptRow): Prisma.AttemptUpdateInput => ({
  status: from.status,
  credential: from.credential,
  credentialPrint: from.credentialPrint,
  announced: from.announced,
  gateway: from.gateway,
  operationId: from.operationId,
  operation: from.operation ?? Prisma.DbNull,
  outputs: from.outputs ?? Prisma.DbNull,
  usage: from.usage ?? Prisma.DbNull,
  costUsd: from.costUsd,
  possibleCostUsd: from.possibleCostUsd,
  providerRequestId: from.providerRequestId,
  sentAt: from.sentAt,
  sendTimeoutMs: from.sendTimeoutMs,
  submittedAt: from.submittedAt,
  endedAt: from.endedAt,
});

/** One owner at any time: the loser's handle is cleared in the statement before the winner gets it. */
export const handOver = async (
  transaction: Transaction,
  generation: LockedGeneration,
  { from, to }: { from: AttemptRow; to: AttemptKey },
): Promise<AttemptRow> => {
  const released = { operationId: null, costUsd: null, possibleCostUsd: null };
  await writeAttempt(transaction, generation, {
    key: from,
    patch: { status: 'superseded', supersededBy: to.number, ...released, endedAt: generation.now },
  });
  return writeAttempt(transaction, generation, { key: to, patch: { ...possession(from), takesOver: null } });
};

export const isPaid = (attempt: AttemptRow): boolean =>
  attempt.status === 'submitted' || attempt.status === 'succeeded';

/** Writes `patch` if the row is still as `when` wants it; `null` when it is not. */
export const recordIf = (
  database: Database,
  key: AttemptKey,
  { when, patch }: { when: (attempt: AttemptRow) => boolean; patch: (attempt: AttemptRow, now: Date) => AttemptPatch },
): Promise<AttemptRow | null> =>
  inTransaction(database, async (transaction) => {
    const generation = await lockGeneration(transaction, key.generationId);
    const attempt = await readAttempt(transaction, key);
    if (!when(attempt)) return null;
    return writeAttempt(transaction, generation, { key, patch: patch(attempt, generation.now) });
  });

/**
 * Work that turned out to be paid after its attempt had been replaced: the generation goes on without it, it is followed
 * to its end and booked.
 */
export const isLate = ({ supersededBy, status }: AttemptRow): boolean =>
  supersededBy !== null && ['submitted', 'succeeded', 'failed', 'canceled'].includes(status);

/** Those the outcome of the generation is read from. */
export const isCounted = (attempt: AttemptRow): boolean => attempt.status !== 'superseded' && !isLate(attempt);

/**
 * Also from `ambiguous`: an answer that arrives late is still the answer. And from `planned`, where the provider had
 * said that it never received it.
 */
const awaitsAnswer = ({ status, epoch }: AttemptRow): boolean =>
  status === 'submitting' || status === 'ambiguous' || (status === 'planned' && epoch > 0);

/** Who has this operation already: the attempt itself (its commit went through unnoticed), or whoever adopted it. */
const findOwner = (transaction: Transaction, { provider, credential }: AttemptRow, operationId: string) =>
  transaction.attempt.findFirst({ where: { provider, credential, operationId } });

/** The row of paid work whose attempt has gone on to other work: paid work always has an owner. */
const createLate = async (
  transaction: Transaction,
  generation: LockedGeneration,
  {
    original,
    patch,
  }: {
    original: AttemptRow;
    patch: Omit<Prisma.AttemptUncheckedCreateInput, keyof AttemptKey | 'provider' | 'model' | 'priceVersion'>;
  },
): Promise<AttemptRow> => {
  const { generationId, provider, model, credential, credentialPrint, gateway, priceVersion, estimatedUsd } = original;
  const last = await transaction.attempt.aggregate({ where: { generationId }, _max: { number: true } });
  const created = await transaction.attempt.create({
    data: {
      ...{ generationId, provider, model, credential, credentialPrint, gateway, priceVersion, estimatedUsd },
      number: (last._max.number ?? 0) + 1,
      supersededBy: original.number,
      sentAt: original.sentAt,
      submittedAt: generation.now,
      ...patch,
    },
  });
  await publish(transaction, generation, { events: [attemptEvent(created)] });
  return created;
};

/**
 * The provider took it and works on it. Returns the attempt that has the operation: this one, whoever adopted it, or a
 * new one, late, where this attempt has gone on to other work.
 */
export const recordSubmitted = (
  database: Database,
  key: AttemptKey,
  answer: { operation: { id: string }; providerRequestId: string | null },
): Promise<AttemptRow> =>
  inTransaction(database, async (transaction) => {
    const generation = await lockGeneration(transaction, key.generationId);
    const attempt = await readAttempt(transaction, key);
    const { operation, providerRequestId } = answer;
    const owner = await findOwner(transaction, attempt, operation.id);
    if (owner) return owner;
    const patch = { status: 'submitted', operationId: operation.id, operation, providerRequestId };
    if (!awaitsAnswer(attempt)) return createLate(transaction, generation, { original: attempt, patch });
    if (attempt.status === 'planned') await leaveLine(transaction, key);
    if (attempt.supersededBy === null) await publish(transaction, generation, { phase: 'polling' });
    const cleared = { errorCode: null, errorMessage: null, possibleCostUsd: null, endedAt: null };
    return writeAttempt(transaction, generation, {
      key,
      patch: { ...patch, ...cleared, submittedAt: generation.now },
    });
  });

export type Result = {
  outputs: StoredOutput[];
  usage: Usage;
  costUsd: Money | null;
  providerRequestId: string | null;
  warnings: string[];
  /** Where the result came with the answer and can be looked at all the same. */
  operation?: { id: string };
};

const succeeded = (result: Result, attempt: AttemptRow, now: Date) => ({
  ...completed(result, attempt, now),
  ...(result.operation && { operationId: result.operation.id, operation: result.operation }),
});

const completed = ({ outputs, usage, costUsd, providerRequestId }: Result, attempt: AttemptRow, now: Date) => ({
  status: 'succeeded',
  errorCode: null,
  errorMessage: null,
  outputs,
  usage,
  costUsd,
  possibleCostUsd: costUsd === null ? attempt.estimatedUsd : null,
  ...(providerRequestId !== null && { providerRequestId }),
  submittedAt: attempt.submittedAt ?? now,
  endedAt: now,
});

const recordResult = async (
  transaction: Transaction,
  generation: LockedGeneration,
  { attempt, result }: { attempt: AttemptRow; result: Result },
): Promise<AttemptRow> => {
  if (attempt.status === 'planned') await leaveLine(transaction, attempt);
  // the choice may have had something to say before
  const warnings = [...(generation.request.warnings ?? []), ...result.warnings.map(storable)];
  if (attempt.supersededBy === null)
    await publish(transaction, generation, {
      phase: 'storing',
      progress: 100,
      ...(warnings.length > 0 && { warnings }),
    });
  return writeAttempt(transaction, generation, { key: attempt, patch: succeeded(result, attempt, generation.now) });
};

/**
 * The provider is done: a look told. `null`: the work has gone to another attempt, or its end was recorded otherwise.
 */
export const recordSucceeded = (database: Database, key: AttemptKey, result: Result): Promise<AttemptRow | null> =>
  inTransaction(database, async (transaction) => {
    const generation = await lockGeneration(transaction, key.generationId);
    const attempt = await readAttempt(transaction, key);
    return attempt.status === 'submitted' ? recordResult(transaction, generation, { attempt, result }) : null;
  });

/** Whoever has this very work already: its commit went through unnoticed, or it was found and handed on. */
const findOwnerOfAnswer = async (
  transaction: Transaction,
  attempt: AttemptRow,
  { result, epoch }: { result: Result; epoch: number },
): Promise<AttemptRow | null> => {
  const isSameSend = attempt.epoch === epoch;
  if (isSameSend && attempt.status === 'succeeded') return attempt;
  if (isSameSend && attempt.status === 'superseded' && attempt.operation !== null) return attempt;
  return result.operation ? findOwner(transaction, attempt, result.operation.id) : null;
};

/**
 * The answer to the submit is the result. Returns the attempt that has it: this one, or a new one, late, where this attempt
 * has gone on to other work. `epoch` is of the send that it answers.
 */
export const recordAnswer = (
  database: Database,
  key: AttemptKey & { epoch: number },
  result: Result,
): Promise<AttemptRow> =>
  inTransaction(database, async (transaction) => {
    const generation = await lockGeneration(transaction, key.generationId);
    const attempt = await readAttempt(transaction, key);
    const owner = await findOwnerOfAnswer(transaction, attempt, { result, epoch: key.epoch });
    if (owner) return owner;
    // found at the provider meanwhile: this is the result of the same send
    const isFound = attempt.status === 'submitted' && attempt.epoch === key.epoch;
    if (isFound || awaitsAnswer(attempt)) return recordResult(transaction, generation, { attempt, result });
    const patch = succeeded(result, attempt, generation.now);
    return createLate(transaction, generation, { original: attempt, patch });
  });

export type Ending = {
  status: 'failed' | 'canceled' | 'ambiguous' | 'rejected';
  code: FailureCode | null;
  message: string;
  /** `null`: not known; the estimate then stands as a possible cost. */
  costUsd: Money | null;
  from: readonly AttemptStatus[];
  /** Of the send this is known of; absent where it is not about one send. */
  epoch?: number;
};

/** Ends an attempt without a result. `null` when it had ended otherwise. */
export const recordEnding = (database: Database, key: AttemptKey, ending: Ending): Promise<AttemptRow | null> =>
  inTransaction(database, async (transaction) => {
    const generation = await lockGeneration(transaction, key.generationId);
    const attempt = await readAttempt(transaction, key);
    if (!ending.from.includes(attempt.status as AttemptStatus)) return null;
    if (ending.epoch !== undefined && ending.epoch !== attempt.epoch) return null;
    // what is known of the cost of work that is looked at again stays known
    const costUsd = ending.costUsd ?? attempt.costUsd;
    return writeAttempt(transaction, generation, {
      key,
      patch: {
        status: ending.status,
        errorCode: ending.code,
        errorMessage: ending.code === null ? null : storable(ending.message),
        costUsd,
        possibleCostUsd: costUsd === null ? attempt.estimatedUsd : null,
        endedAt: generation.now,
      },
    });
  });

/**
 * Known not accepted: free to be sent again. `counts` is false for rate limits, which use up no try. `epoch` is of the
 * send this is known of: a sender that wakes up late says nothing about a later one.
 */
export const recordNotAccepted = (
  database: Database,
  key: AttemptKey,
  { code, message, counts, epoch }: { code: FailureCode; message: string; counts: boolean; epoch: number },
): Promise<AttemptRow | null> =>
  recordIf(database, key, {
    when: (attempt) => attempt.status === 'submitting' && attempt.epoch === epoch,
    patch: () => ({
      status: 'planned',
      submitErrors: { increment: counts ? 1 : 0 },
      errorCode: code,
      errorMessage: storable(message),
      sentAt: null,
    }),
  });

/** One look came back: progress for the customer, and the count of failed looks starts again. */
export const recordLook = (database: Database, key: AttemptKey, progress: number | null): Promise<void> =>
  inTransaction(database, async (transaction) => {
    const generation = await lockGeneration(transaction, key.generationId);
    await transaction.attempt.updateMany({
      where: { ...key, pollErrors: { gt: 0 } },
      data: { pollErrors: 0, goneLooks: 0 },
    });
    await publish(transaction, generation, { phase: 'polling', ...(progress !== null && { progress }) });
  });

/** How many looks in a row have failed, and how many of those in a row said that there is no such operation. */
export const recordFailedLook = async (
  database: Database,
  key: AttemptKey,
  { gone }: { gone: boolean },
): Promise<{ failed: number; gone: number }> => {
  const { pollErrors, goneLooks } = await database.attempt.update({
    where: unique(key),
    data: { pollErrors: { increment: 1 }, goneLooks: gone ? { increment: 1 } : 0 },
  });
  return { failed: pollErrors, gone: goneLooks };
};

/** Replaces links that died with fresh ones. */
export const replaceOutputs = async (database: Database, key: AttemptKey, outputs: StoredOutput[]): Promise<void> => {
  await database.attempt.update({ where: unique(key), data: { outputs } });
};
