import type { FailureCode } from '../domain/failure';
import { isTerminal, type AttemptStatus } from '../domain/generation';
import { nextAttempt, type AttemptPolicy, type LedgerEntry, type NextAttempt } from '../domain/next-attempt';
import { attemptEvent, handOver, isPaid, writeAttempt, type AttemptRow } from './attempts';
import { inTransaction, type Database, type Transaction } from './database';
import { lockGeneration, publish, type LockedGeneration } from './generations';

export type Plan = { action: 'stop' } | { action: 'attempt'; number: number; provider: string; model: string };

const toEntry = (attempt: AttemptRow): LedgerEntry => ({
  number: attempt.number,
  model: attempt.model,
  status: attempt.status as AttemptStatus,
  errorCode: attempt.errorCode as FailureCode | null,
  estimatedUsd: attempt.estimatedUsd?.toFixed() ?? null,
  takesOver: attempt.takesOver,
});

const latestOf = (attempts: readonly AttemptRow[]): AttemptRow | undefined =>
  attempts.filter((attempt) => attempt.status !== 'superseded').at(-1);

/** `null`: nothing more to try. After a cancel or the end only what was sent is still followed. */
const decide = (
  generation: LockedGeneration,
  attempts: readonly AttemptRow[],
  policy: AttemptPolicy,
): NextAttempt | null => {
  const candidates = (generation.decision?.candidates ?? []).filter(({ excluded }) => excluded === null);
  const next = nextAttempt(attempts.map(toEntry), candidates, policy);
  const isOver = generation.cancelRequestedAt !== null || isTerminal(generation.status);
  return isOver && next?.takesOver === null ? null : next;
};

export type Planning = {
  policyOf: (generation: LockedGeneration) => AttemptPolicy;
  /** Names the price row of a model. */
  priceVersionOf: (model: string) => string;
};

/**
 * Allocates the next attempt. Also what makes a reset or a re-run safe: what an earlier attempt sent or paid for is
 * taken over, and the earlier one is fenced.
 */
export const planAttempt = (
  database: Database,
  generationId: string,
  { policyOf, priceVersionOf }: Planning,
): Promise<Plan> =>
  inTransaction(database, async (transaction) => {
    const generation = await lockGeneration(transaction, generationId);
    const attempts = await transaction.attempt.findMany({ where: { generationId }, orderBy: { number: 'asc' } });
    const next = decide(generation, attempts, policyOf(generation));
    if (!next) return { action: 'stop' };
    const { model, provider, estimatedCostUsd: estimatedUsd } = next.candidate;
    const number = (attempts.at(-1)?.number ?? 0) + 1;
    const { takesOver } = next;
    const created = await transaction.attempt.create({
      data: { generationId, number, model, provider, estimatedUsd, priceVersion: priceVersionOf(model), takesOver },
    });
    await publish(transaction, generation, { phase: 'submitting', progress: null, events: [attemptEvent(created)] });
    const latest = latestOf(attempts);
    if (latest) await replace(transaction, generation, { latest, by: created });
    return { action: 'attempt', number, provider, model };
  });

const replace = async (
  transaction: Transaction,
  generation: LockedGeneration,
  { latest, by }: { latest: AttemptRow; by: AttemptRow },
): Promise<void> => {
  if (isPaid(latest)) return void (await handOver(transaction, generation, { from: latest, to: by }));
  const supersededBy = by.number;
  if (latest.status === 'planned') {
    const patch = { status: 'superseded', supersededBy, endedAt: generation.now };
    await writeAttempt(transaction, generation, { key: latest, patch });
  }
  // an answer may still come: it is fenced and keeps its row for it; of `submitting`, `by` settles the fate first
  if (latest.status === 'submitting' || latest.status === 'ambiguous')
    await writeAttempt(transaction, generation, { key: latest, patch: { supersededBy } });
};
