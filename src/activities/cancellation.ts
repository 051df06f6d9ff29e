import type { ResolutionAction } from '../domain/next-attempt';
import { releaseAttempt as release, untilSettled } from '../stores/attempt-take';
import { recordEnding, type AttemptKey, type AttemptRow } from '../stores/attempts';
import type { Dependencies } from './dependencies';
import { settleFate } from './fate';
import { persist, withHeartbeat } from './heartbeat';
import { cancelAtProvider, readWork } from './look';
import { comeBackLater } from './step';

/** An attempt that waits to be sent, and whose workflow was told to stop, is let go. */
export const releaseAttempt = ({ database }: Dependencies, key: AttemptKey): Promise<void> => release(database, key);

/** A person named the operation of a lost answer: its result is waited for, though its generation has ended. */
const isWanted = ({ resolution }: AttemptRow): boolean =>
  (resolution as { action: ResolutionAction } | null)?.action === 'adopt';

const askTimeoutMs = 20_000;

/**
 * Tells the provider to stop. `submitted` work it confirms as stopped is ended here; all else is left to the looks that
 * follow. The fate of an attempt whose sender has died is settled first.
 */
export const cancelOperation = (dependencies: Dependencies, key: AttemptKey): Promise<void> =>
  withHeartbeat(() => stop(dependencies, key));

const stop = async (dependencies: Dependencies, key: AttemptKey): Promise<void> => {
  const work = await readWork(dependencies, key);
  if (work.attempt.status === 'submitting') {
    const waitMs = untilSettled(work.attempt, work.generation.now);
    if (waitMs === 0) await settleFate(dependencies, work.attempt, askTimeoutMs);
    throw comeBackLater('not_settled', Math.max(waitMs, 100));
  }
  // never received, and nobody will send it any more
  if (work.attempt.status === 'planned') return releaseAttempt(dependencies, key);
  if (work.attempt.status !== 'submitted' || isWanted(work.attempt)) return;
  if ((await cancelAtProvider(dependencies, work)) !== 'confirmed') return;
  // whether it was charged is the provider's to tell, and not every one does: it stands as a possible cost
  const ending = { status: 'canceled', code: null, message: '', costUsd: null, from: ['submitted'] } as const;
  await persist(dependencies, () => recordEnding(dependencies.database, key, ending));
  dependencies.reached('canceled');
};
