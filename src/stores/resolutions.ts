import { SureshotError } from '../domain/failure';
import { isTerminal } from '../domain/generation';
import { alternativeTo, type ResolutionAction } from '../domain/next-attempt';
import { isCounted, writeAttempt, type AttemptPatch, type AttemptRow } from './attempts';
import { inTransaction, type Database, type Transaction } from './database';
import { lockGeneration, publish, type LockedGeneration } from './generations';

/** What a person decided. `operation`: the provider's id, to `adopt`. `attempt`: which one; else the latest lost answer. */
export type Decision = { action: ResolutionAction; operation: string | null; attempt: number | null };

type Held = { tenantId: string; generation: LockedGeneration; attempts: AttemptRow[]; subject: AttemptRow };

const conflict = (message: string): SureshotError => new SureshotError('caller_conflict', message);

const findSubject = (attempts: readonly AttemptRow[], wanted: number | null): AttemptRow => {
  const lost = attempts.filter(({ status }) => status === 'ambiguous');
  const subject = wanted === null ? lost.at(-1) : lost.find(({ number }) => number === wanted);
  if (subject) return subject;
  throw conflict(wanted === null ? 'no submit of it is held' : `attempt ${wanted} is not ambiguous`);
};

/** Only while it is held: there is nothing that could go on otherwise. */
const checkHeld = ({ generation, attempts, subject }: Held, action: ResolutionAction): void => {
  const isLatest = attempts.filter(isCounted).at(-1)?.number === subject.number;
  if (generation.heldAt === null || isTerminal(generation.status) || !isLatest)
    throw conflict(`nothing is held: ${action} decides how a running generation goes on`);
  if (subject.resolution !== null) throw conflict('it was decided already, and is about to go on');
  if (action !== 'fail_over') return;
  const candidates = (generation.decision?.candidates ?? []).filter(({ excluded }) => excluded === null);
  if (alternativeTo(subject.model, candidates, { fallback: true }) === null)
    throw conflict('there is no further candidate to fail over to');
};

const ownedElsewhere = (): SureshotError => conflict('this operation belongs to another attempt');

/** Whose it is only those are told whose it is. */
const checkUnowned = async (
  transaction: Transaction,
  { provider, credential }: AttemptRow,
  { tenantId, operationId }: { tenantId: string; operationId: string },
): Promise<void> => {
  const owner = await transaction.attempt.findFirst({
    where: { provider, credential, operationId },
    select: { number: true, generationId: true, generation: { select: { tenantId: true } } },
  });
  if (!owner) return;
  if (owner.generation.tenantId !== tenantId) throw ownedElsewhere();
  throw conflict(`this operation belongs to attempt ${owner.number} of ${owner.generationId}`);
};

/** Those who adopt one operation at the same moment all found it free: the unique index lets one of them. */
const isTaken = (error: unknown): boolean => (error as { code?: string }).code === 'P2002';

const adopt = async (transaction: Transaction, held: Held, id: string): Promise<AttemptPatch> => {
  const { generation, subject, tenantId } = held;
  await checkUnowned(transaction, subject, { tenantId, operationId: id });
  return {
    status: 'submitted',
    operationId: id,
    operation: { id },
    submittedAt: generation.now,
    errorCode: null,
    errorMessage: null,
    costUsd: null,
    possibleCostUsd: null,
    endedAt: null,
  };
};

/** What it means for the row; `resubmit` and `fail_over` leave it ambiguous. */
const patchFor = async (transaction: Transaction, held: Held, decision: Decision): Promise<AttemptPatch> => {
  const { action, operation } = decision;
  if (action === 'adopt') return adopt(transaction, held, operation ?? '');
  if (action === 'abandon') return { costUsd: '0', possibleCostUsd: null };
  checkHeld(held, action);
  return {};
};

/**
 * Writes down what a person decided about a submit whose answer is lost. `adopt` and `abandon` also correct one that was
 * settled otherwise, or whose generation has ended. Throws `caller_conflict` when nothing is held; `null`: no such
 * generation of this tenant.
 */
export const resolveAmbiguous = async (
  database: Database,
  whose: { tenantId: string; id: string },
  decision: Decision,
): Promise<'resolved' | null> => {
  try {
    return await resolve(database, whose, decision);
  } catch (error) {
    throw isTaken(error) ? ownedElsewhere() : error;
  }
};

const resolve = (
  database: Database,
  { tenantId, id }: { tenantId: string; id: string },
  decision: Decision,
): Promise<'resolved' | null> =>
  inTransaction(database, async (transaction) => {
    const mine = await transaction.generation.findFirst({ where: { id, tenantId }, select: { id: true } });
    if (!mine) return null;
    const generation = await lockGeneration(transaction, id);
    const attempts = await transaction.attempt.findMany({ where: { generationId: id }, orderBy: { number: 'asc' } });
    const subject = findSubject(attempts, decision.attempt);
    const patch = await patchFor(transaction, { tenantId, generation, attempts, subject }, decision);
    const { action, operation } = decision;
    const resolution = { action, operation, at: generation.now.toISOString() };
    await writeAttempt(transaction, generation, { key: subject, patch: { ...patch, resolution } });
    const data = { number: subject.number, action };
    await publish(transaction, generation, { events: [{ type: 'generation.resolution', data }] });
    return 'resolved';
  });
