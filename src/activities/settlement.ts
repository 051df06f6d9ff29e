import { explainAllFailed, type EndedAttempt } from '../domain/attempt-reasons';
import type { Failure, FailureCode } from '../domain/failure';
import { isTerminal, type TerminalStatus, type Usage } from '../domain/generation';
import { isCounted, outputsOf, type AttemptRow } from '../stores/attempts';
import { letGoOfPlanned } from '../stores/attempt-take';
import { inTransaction, type Transaction } from '../stores/database';
import { lockGeneration, publish, type Change, type LockedGeneration } from '../stores/generations';
import type { Dependencies } from './dependencies';
import { listUnfetched } from './inputs';

/** Longer texts stand in artifact 0 only. */
const textLimit = 64 * 1024;

export type Settlement = { status: TerminalStatus };

const interruptedFailure: Failure = {
  code: 'system_internal',
  message: 'the workflow was closed before it had an outcome; re-run the generation',
};

const latestOf = (attempts: readonly AttemptRow[]): AttemptRow | undefined => attempts.filter(isCounted).at(-1);

const toEnded = ({ model, errorCode }: AttemptRow): EndedAttempt[] =>
  errorCode === null ? [] : [{ model, code: errorCode as FailureCode }];

const failureOf = (attempts: readonly AttemptRow[]): Failure => {
  const latest = latestOf(attempts);
  if (!latest) return { code: 'policy_no_capacity', message: 'no configured model can do what this request asks for' };
  if (latest.status === 'canceled')
    return { code: 'provider_failed', message: `the work was cancelled at ${latest.provider}, not by this service` };
  if (latest.errorCode === null) return interruptedFailure;
  const ended = attempts.filter(isCounted).flatMap(toEnded);
  if (new Set(ended.map(({ model }) => model)).size === 1 || latest.status === 'ambiguous')
    return { code: latest.errorCode as FailureCode, message: latest.errorMessage ?? '' };
  return explainAllFailed(ended);
};

/** A lost answer says more than that nobody was left to wait for its decision. */
const interruptionOf = (attempts: readonly AttemptRow[]): Failure =>
  latestOf(attempts)?.status === 'ambiguous' ? failureOf(attempts) : interruptedFailure;

const textOf = (attempt: AttemptRow): string | null => {
  const text = outputsOf(attempt)
    .flatMap((output) => (output.kind === 'text' ? [output.text] : []))
    .join('');
  return text === '' || text.length > textLimit ? null : text;
};

type Ledger = { attempts: AttemptRow[]; stored: number };

const hasResult = ({ attempts, stored }: Ledger): AttemptRow | null => {
  const latest = latestOf(attempts);
  return latest?.status === 'succeeded' && stored > 0 ? latest : null;
};

const conclude = (
  generation: LockedGeneration,
  ledger: Ledger,
  how: { canceled: boolean; interrupted: boolean },
): Change & { status: TerminalStatus } => {
  const winner = hasResult(ledger);
  if (winner) return { status: 'succeeded', progress: 100, text: textOf(winner), usage: winner.usage as Usage | null };
  if (how.canceled || generation.cancelRequestedAt !== null) return { status: 'canceled', cancelRequested: true };
  if (generation.inputError !== null) return { status: 'failed', error: generation.inputError };
  const latest = latestOf(ledger.attempts);
  const stopped = latest ? latest.status === 'canceled' : listUnfetched(generation.request).length > 0;
  if (stopped && generation.now > generation.deadlineAt) return { status: 'expired' };
  return { status: 'failed', error: how.interrupted ? interruptionOf(ledger.attempts) : failureOf(ledger.attempts) };
};

const readLedger = async (transaction: Transaction, generationId: string): Promise<Ledger> => ({
  attempts: await transaction.attempt.findMany({ where: { generationId }, orderBy: { number: 'asc' } }),
  stored: await transaction.artifact.count({ where: { generationId } }),
});

/**
 * Last step: what the ledger says is what the generation ends as. `canceled`: the workflow was cancelled, by a caller or
 * in the Web UI. `interrupted`: it is closed and cannot say more.
 */
export const settleGeneration = async (
  { database, reached }: Dependencies,
  input: { generationId: string; canceled: boolean; interrupted?: boolean },
): Promise<Settlement> => {
  reached('settling');
  const settled = await inTransaction(database, async (transaction) => {
    const generation = await lockGeneration(transaction, input.generationId);
    const ledger = await readLedger(transaction, input.generationId);
    if (isTerminal(generation.status)) return { status: generation.status };
    const change = conclude(generation, ledger, { canceled: input.canceled, interrupted: input.interrupted === true });
    await publish(transaction, generation, change);
    await letGoOfPlanned(transaction, generation);
    return { status: change.status };
  });
  reached('settled');
  return settled;
};
