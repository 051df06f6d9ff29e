import type { FailureCode } from '../domain/failure';
import { isTerminal, type AttemptStatus } from '../domain/generation';
import {
  nextStep,
  type AttemptPolicy,
  type LedgerEntry,
  type NextStep,
  type ResolutionAction,
} from '../domain/next-attempt';
import { attemptEvent, handOver, isCounted, isLate, isPaid, unique, writeAttempt, type AttemptRow } from './attempts';
import { inTransaction, type Database, type Transaction } from './database';
import { lockGeneration, publish, type LockedGeneration } from './generations';

export type Plan =
  | { action: 'stop' }
  /** A lost answer waits for a person: ask again when told, or after `waitMs`. */
  | { action: 'hold'; waitMs: number }
  | { action: 'attempt'; number: number; provider: string; model: string };

const resolutionOf = ({ resolution }: AttemptRow): ResolutionAction | null =>
  (resolution as { action: ResolutionAction } | null)?.action ?? null;

const toEntry = (attempt: AttemptRow): LedgerEntry => ({
  number: attempt.number,
  provider: attempt.provider,
  model: attempt.model,
  status: attempt.status as AttemptStatus,
  errorCode: attempt.errorCode as FailureCode | null,
  estimatedUsd: attempt.estimatedUsd?.toFixed() ?? null,
  takesOver: attempt.takesOver,
  resolution: resolutionOf(attempt),
  adopted: attempt.adoptedFrom === null ? null : { begun: attempt.epoch > 0 },
});

const latestOf = (attempts: readonly AttemptRow[]): AttemptRow | undefined => attempts.filter(isCounted).at(-1);

/** After a cancel or the end only what was sent is still followed. */
const decide = (generation: LockedGeneration, attempts: readonly AttemptRow[], policy: AttemptPolicy): NextStep => {
  const candidates = (generation.decision?.candidates ?? []).filter(({ excluded }) => excluded === null);
  const entries = attempts.filter((attempt) => !isLate(attempt)).map(toEntry);
  const next = nextStep(entries, candidates, policy);
  const isOver = generation.cancelRequestedAt !== null || isTerminal(generation.status);
  const follows = next.action === 'begin' || (next.action === 'attempt' && next.takesOver !== null);
  return isOver && !follows ? { action: 'stop' } : next;
};

export type Planning = {
  policyOf: (generation: LockedGeneration) => AttemptPolicy;
  /** How long a lost answer may wait for a person, in ms. */
  holdMs: number;
  /** Names the price row of a model. */
  priceVersionOf: (model: string) => string;
};

/** A lost answer waits for a person, and the deadline with it. */
const hold = async (transaction: Transaction, generation: LockedGeneration, holdMs: number): Promise<Plan> => {
  const heldAt = generation.heldAt ?? generation.now;
  const waitMs = heldAt.getTime() + holdMs - generation.now.getTime();
  await publish(transaction, generation, { phase: 'needs_attention', heldAt });
  return waitMs > 0 ? { action: 'hold', waitMs } : { action: 'stop' };
};

/** The deadline goes on from where it stood still. */
const endHold = async (transaction: Transaction, generation: LockedGeneration): Promise<void> => {
  if (generation.heldAt === null) return;
  const deadlineAt = new Date(generation.deadlineAt.getTime() + generation.now.getTime() - generation.heldAt.getTime());
  await publish(transaction, generation, { heldAt: null, deadlineAt });
};

type Ledger = { generation: LockedGeneration; attempts: AttemptRow[] };

const begin = async (transaction: Transaction, { generation, attempts }: Ledger, number: number): Promise<Plan> => {
  const adopted = attempts.find((attempt) => attempt.number === number) as AttemptRow;
  await transaction.attempt.update({ where: unique(adopted), data: { epoch: 1 } });
  await publish(transaction, generation, { phase: adopted.status === 'succeeded' ? 'storing' : 'polling' });
  return { action: 'attempt', number, provider: adopted.provider, model: adopted.model };
};

/**
 * Allocates the next attempt. Also what makes a reset or a re-run safe: what an earlier attempt sent or paid for is
 * taken over, and the earlier one is fenced.
 */
export const planAttempt = (
  database: Database,
  generationId: string,
  { policyOf, holdMs, priceVersionOf }: Planning,
): Promise<Plan> =>
  inTransaction(database, async (transaction) => {
    const generation = await lockGeneration(transaction, generationId);
    const attempts = await transaction.attempt.findMany({ where: { generationId }, orderBy: { number: 'asc' } });
    const next = decide(generation, attempts, policyOf(generation));
    if (next.action === 'hold') return hold(transaction, generation, holdMs);
    await endHold(transaction, generation);
    if (next.action === 'stop') return next;
    if (next.action === 'begin') return begin(transaction, { generation, attempts }, next.number);
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
