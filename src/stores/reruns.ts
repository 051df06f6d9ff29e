import { SureshotError, type FailureCode } from '../domain/failure';
import type { Medium } from '../domain/generation';
import { claimPlace } from './admission';
import { attemptEvent, isCounted, possession, unique, type AttemptRow } from './attempts';
import { inTransaction, type Database, type Transaction } from './database';
import { Prisma } from './generated/client';
import {
  findByIdempotencyKey,
  insertGeneration,
  lockGeneration,
  matching,
  publish,
  type LockedGeneration,
  type NewGeneration,
} from './generations';

export const rerunFrom = ['failed_step', 'start'] as const;
export type RerunFrom = (typeof rerunFrom)[number];

export type NewRerun = NewGeneration & {
  /** The generation that is run again. */
  rerunOf: string;
  from: RerunFrom;
  /** Begins this much later: its deadline too. */
  delayMs: number;
  /** The request asks for the same work as before: what was paid for it can be taken over. */
  sameWork: boolean;
};

type Source = { generation: LockedGeneration; attempts: AttemptRow[] };

/** How a generation has ended that can be run again. */
export const rerunnable = ['failed', 'canceled', 'expired'] as const;

const conflict = (message: string, retryAfterSeconds?: number): SureshotError =>
  new SureshotError('caller_conflict', message, retryAfterSeconds === undefined ? {} : { retryAfterSeconds });

/** The end of the chain of its re-runs, itself where there is none. Locked from the oldest on. */
const lockLatest = async (transaction: Transaction, id: string): Promise<LockedGeneration> => {
  const generation = await lockGeneration(transaction, id);
  const child = await transaction.generation.findUnique({ where: { rerunOf: id }, select: { id: true } });
  return child ? lockLatest(transaction, child.id) : generation;
};

const checkRerunnable = ({ id, status }: LockedGeneration, asked: string): void => {
  if ((rerunnable as readonly string[]).includes(status)) return;
  if (id !== asked) throw conflict(`it is being re-run, or was: ${id} is ${status}`);
  throw conflict(`it is ${status}; what has failed, was canceled or has expired can be run again`);
};

/** In seconds; a lost answer is settled within its deadline. */
const settlesWithin = 10;

/** Of what may have been accepted nobody knows what it costs to run it again: a person says so first, or starts anew. */
const checkSettled = ({ attempts }: Source): void => {
  if (attempts.some(({ status }) => status === 'submitting'))
    throw conflict('its last submit is still being settled; ask again soon', settlesWithin);
  const latest = attempts.filter(isCounted).at(-1);
  if (latest?.status === 'ambiguous' && latest.resolution === null)
    throw conflict('its last submit may have been accepted: resolve it first, or re-run from start to pay again');
};

/** The provider's own word that it failed: there is nothing to be had of it any more. */
const finalCodes: readonly FailureCode[] = ['provider_failed', 'provider_content_rejected', 'caller_content_rejected'];

const rankOf = (attempt: AttemptRow): number => {
  if (attempt.status === 'succeeded') return 3;
  if (attempt.operationId === null) return 0;
  if (attempt.status === 'submitted') return 2;
  const isOpenEnded = attempt.status === 'failed' && !finalCodes.includes(attempt.errorCode as FailureCode);
  return isOpenEnded ? 1 : 0;
};

/** What it has paid for and what may still be had: a result, running work, work nobody could look at any more. */
const findPaidWork = ({ attempts }: Source): AttemptRow | null => {
  const [best] = attempts.filter((attempt) => rankOf(attempt) > 0).sort((one, other) => rankOf(other) - rankOf(one));
  return best ?? null;
};

/** Ownership moves in one statement after the other of one transaction: the loser's handle goes first. */
const adopt = async (
  transaction: Transaction,
  { from, to, generation }: { from: AttemptRow; to: LockedGeneration; generation: LockedGeneration },
): Promise<void> => {
  const { model, provider, estimatedUsd, priceVersion, generationId, number, status } = from;
  const released = await transaction.attempt.update({
    where: unique(from),
    data: { status: 'superseded', operationId: null, costUsd: null, possibleCostUsd: null },
  });
  await publish(transaction, generation, { events: [attemptEvent(released)] });
  // work that nobody could look at any more is looked at again; what is known of its cost stays booked
  const looked = status === 'succeeded' ? {} : { status: 'submitted', endedAt: null, possibleCostUsd: null };
  const created = await transaction.attempt.create({
    data: {
      ...{ generationId: to.id, number: 1, model, provider, estimatedUsd, priceVersion },
      ...(possession(from) as object),
      ...looked,
      adoptedFrom: `${generationId}/${number}`,
    },
  });
  await publish(transaction, to, { events: [attemptEvent(created)] });
};

const readSource = async (transaction: Transaction, generation: LockedGeneration): Promise<Source> => ({
  generation,
  attempts: await transaction.attempt.findMany({
    where: { generationId: generation.id },
    orderBy: { number: 'asc' },
  }),
});

const continueFrom = async (transaction: Transaction, source: Source, rerun: NewRerun): Promise<void> => {
  const to = await lockGeneration(transaction, rerun.id);
  const { generation } = source;
  if (generation.analysis) await publish(transaction, to, { analysis: generation.analysis });
  const paid = findPaidWork(source);
  if (!paid) return;
  // attempts after the adopted one follow the decision it came from
  if (generation.decision) await publish(transaction, to, { decision: generation.decision });
  await adopt(transaction, { from: paid, to, generation });
};

const findEarlier = (transaction: Transaction, { tenantId, idempotencyKey, requestHash }: NewRerun) =>
  idempotencyKey === null ? null : findByIdempotencyKey(transaction, { tenantId, idempotencyKey, requestHash });

/**
 * Accepts a re-run: a new generation which, from the failed step, owns what the earlier one has paid for, before anything
 * of it begins. What was re-run already goes on from its last re-run. Throws `caller_conflict` for what did not fail, is
 * being re-run or is not settled.
 */
export const createRerun = (database: Database, rerun: NewRerun): Promise<{ id: string; created: boolean }> =>
  inTransaction(database, async (transaction) => {
    const latest = await lockLatest(transaction, rerun.rerunOf);
    const earlier = await findEarlier(transaction, rerun);
    if (earlier !== null) return { id: earlier, created: false };
    checkRerunnable(latest, rerun.rerunOf);
    const source = await readSource(transaction, latest);
    if (rerun.from === 'failed_step') checkSettled(source);
    const { tenantId, queuedPerTenant: most } = rerun;
    if (most !== undefined) await claimPlace(transaction, { tenantId, most });
    const inserted = await insertGeneration(transaction, { ...rerun, rerunOf: latest.id });
    if (!inserted) throw conflict('another request with this Idempotency-Key is being accepted', 1);
    if (rerun.from === 'failed_step' && rerun.sameWork) await continueFrom(transaction, source, rerun);
    return { id: rerun.id, created: true };
  });

export type RerunFilter = {
  status?: (typeof rerunnable)[number] | undefined;
  medium?: Medium | undefined;
  provider?: string | undefined;
  tag?: string | undefined;
};

/** What could be run again and was not yet, the oldest first. */
export const listRerunnable = async (
  database: Database,
  tenantId: string,
  { limit, ...filter }: RerunFilter & { limit: number },
): Promise<string[]> => {
  const statuses = filter.status === undefined ? [...rerunnable] : [filter.status];
  const conditions = [
    Prisma.sql`g.tenant_id = ${tenantId} AND g.status = ANY(${statuses})`,
    Prisma.sql`NOT EXISTS (SELECT FROM generations r WHERE r.rerun_of = g.id)`,
    ...matching(filter),
  ];
  const found = await database.$queryRaw<{ id: string }[]>`
    SELECT g.id FROM generations g WHERE ${Prisma.join(conditions, ' AND ')} ORDER BY g.id LIMIT ${limit}`;
  return found.map(({ id }) => id);
};
