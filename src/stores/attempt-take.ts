import { isTerminal } from '../domain/generation';
import { handOver, isPaid, readAttempt, recordIf, writeAttempt, type AttemptKey, type AttemptRow } from './attempts';
import { inTransaction, type Database, type Transaction } from './database';
import { lockGeneration, publish, type LockedGeneration } from './generations';
import { deleteSend, insertSend } from './sends';
import { useTurn } from './turns';

export type Taken = { attempt: AttemptRow; generation: LockedGeneration };

export type Take =
  /** Ours to send, now. `attempt.epoch` fences whoever took it before. */
  | ({ kind: 'taken' } & Taken)
  /** Sent earlier or ended: nothing to send. */
  | ({ kind: 'recorded' } & Taken)
  /** `subject` was sent by somebody who did not tell how it went; decide nothing before `waitMs` is over. */
  | ({ kind: 'unresolved'; subject: AttemptRow; waitMs: number } & Taken)
  /** It has no turn, or had it too long ago: to get in line again. */
  | { kind: 'turnless' }
  | { kind: 'fenced' };

/** How long an answer may still come in after the sender's own deadline, in ms. */
const settlingMs = 5_000;

/** Until the fate of a send may be decided, in ms. */
export const untilSettled = (subject: AttemptRow, now: Date): number => {
  const silentFrom = (subject.sentAt?.getTime() ?? 0) + (subject.sendTimeoutMs ?? 0) + settlingMs;
  return Math.max(0, silentFrom - now.getTime());
};

const unresolved = (subject: AttemptRow, { generation, attempt }: Taken): Take => {
  return {
    kind: 'unresolved',
    subject,
    waitMs: untilSettled(subject, generation.now),
    generation,
    attempt,
  };
};

/** What became of the attempt this one takes over; `null` when this one may go on to send. */
const settlePredecessor = async (transaction: Transaction, taken: Taken): Promise<Take | null> => {
  const { attempt, generation } = taken;
  if (attempt.takesOver === null) return null;
  const earlier = await readAttempt(transaction, { generationId: attempt.generationId, number: attempt.takesOver });
  if (earlier.status === 'submitting') return unresolved(earlier, taken);
  if (isPaid(earlier)) {
    const owner = await handOver(transaction, generation, { from: earlier, to: attempt });
    return { kind: 'recorded', attempt: owner, generation };
  }
  if (earlier.status !== 'planned') {
    // the policy decides on what became of it, not on this attempt, which never sent anything
    await writeAttempt(transaction, generation, { key: earlier, patch: { supersededBy: null } });
    await writeAttempt(transaction, generation, {
      key: attempt,
      patch: { status: 'superseded', endedAt: generation.now },
    });
    return { kind: 'recorded', attempt: earlier, generation };
  }
  // never accepted after all: this attempt gets in line to send in its place
  const superseded = { status: 'superseded', endedAt: generation.now };
  await writeAttempt(transaction, generation, { key: earlier, patch: superseded });
  await writeAttempt(transaction, generation, { key: attempt, patch: { takesOver: null } });
  return { kind: 'turnless' };
};

/** Nothing is sent any more for a generation that was cancelled, is past its deadline or has ended without this attempt. */
const isOver = ({ cancelRequestedAt, now, deadlineAt, status }: LockedGeneration): boolean =>
  cancelRequestedAt !== null || now > deadlineAt || isTerminal(status);

/** Lets go what has not been sent. Free of charge. */
const letGo = async (transaction: Transaction, { attempt, generation }: Taken): Promise<Take> => {
  const patch = { status: 'canceled', endedAt: generation.now, costUsd: '0' };
  return {
    kind: 'recorded',
    attempt: await writeAttempt(transaction, generation, { key: attempt, patch }),
    generation,
  };
};

/** What it is sent with, and by whom: `sender` is another one each time somebody sets out to send. */
export type Sender = {
  /** The most it may use. */
  tokens: number;
  sender: string;
  credential: string | null;
  credentialPrint: string | null;
  gateway: string | null;
  sendTimeoutMs: number;
  /** The provider is told where to announce the end. */
  announced: boolean;
};

/**
 * The first half of submit-once: commits "about to send" before anything is sent. Whoever comes after finds
 * `submitting` and knows that a request may be out.
 */
export const takeAttempt = (database: Database, key: AttemptKey, sender: Sender): Promise<Take> =>
  inTransaction(database, async (transaction) => {
    const generation = await lockGeneration(transaction, key.generationId);
    const attempt = await readAttempt(transaction, key);
    const taken = { attempt, generation };
    if (attempt.supersededBy !== null) return { kind: 'fenced' };
    // its commit went through, only the acknowledgement was lost: nothing was sent
    if (attempt.status === 'submitting' && attempt.sender === sender.sender) return { kind: 'taken', ...taken };
    if (attempt.status === 'submitting') return unresolved(attempt, taken);
    if (attempt.status !== 'planned') return { kind: 'recorded', ...taken };
    const earlier = await settlePredecessor(transaction, taken);
    if (earlier) return earlier;
    return isOver(generation) ? letGo(transaction, taken) : announceSend(transaction, taken, sender);
  });

/** In its turn, which becomes a send. */
const announceSend = async (
  transaction: Transaction,
  { attempt, generation }: Taken,
  { tokens, ...sender }: Sender,
): Promise<Take> => {
  const { generationId, number, provider, model } = attempt;
  const key = { generationId, number };
  const { credential } = sender;
  if (credential === null || !(await useTurn(transaction, key, credential))) return { kind: 'turnless' };
  const epoch = attempt.epoch + 1;
  await insertSend(transaction, { ...key, epoch, provider, model, credential, tokens });
  await publish(transaction, generation, { phase: 'submitting' });
  const patch = { status: 'submitting', epoch, sentAt: generation.now, ...sender };
  return { kind: 'taken', attempt: await writeAttempt(transaction, generation, { key, patch }), generation };
};

/** The sender has given up on its answer: whoever asks what became of it need not wait for the sender's deadline. */
export const endSend = (database: Database, key: AttemptKey, epoch: number): Promise<AttemptRow | null> =>
  recordIf(database, key, {
    when: (attempt) => attempt.status === 'submitting' && attempt.epoch === epoch,
    patch: ({ sentAt }, now) => ({ sendTimeoutMs: Math.max(0, now.getTime() - (sentAt ?? now).getTime()) }),
  });

/** Puts a take back that was never sent. */
export const untakeAttempt = (database: Database, key: AttemptKey, epoch: number): Promise<void> =>
  inTransaction(database, async (transaction) => {
    const generation = await lockGeneration(transaction, key.generationId);
    const attempt = await readAttempt(transaction, key);
    if (attempt.status !== 'submitting' || attempt.epoch !== epoch) return;
    await writeAttempt(transaction, generation, { key, patch: { status: 'planned', sentAt: null } });
    await deleteSend(transaction, { ...key, epoch });
  });

/** The generation has ended: what was planned for it and never sent never will be. */
export const letGoOfPlanned = async (transaction: Transaction, generation: LockedGeneration): Promise<void> => {
  const planned = await transaction.attempt.findMany({ where: { generationId: generation.id, status: 'planned' } });
  for (const attempt of planned) await letGo(transaction, { attempt, generation });
};

/** The workflow was told to stop while the attempt waited to be sent: it never will be. */
export const releaseAttempt = (database: Database, key: AttemptKey): Promise<void> =>
  inTransaction(database, async (transaction) => {
    const generation = await lockGeneration(transaction, key.generationId);
    const attempt = await readAttempt(transaction, key);
    const isFree = attempt.takesOver === null && attempt.supersededBy === null;
    if (attempt.status === 'planned' && (isFree || isTerminal(generation.status)))
      await letGo(transaction, { attempt, generation });
  });
