import { recordEnding, type AttemptKey } from '../stores/attempts';
import type { Dependencies } from './dependencies';
import { cancelAtProvider, readWork } from './look';
import { comeBackLater } from './step';

/**
 * Tells the provider to stop. `submitted` work it confirms as stopped is ended here; all else is left to the looks that
 * follow. An attempt still being sent is waited for.
 */
export const cancelOperation = async (dependencies: Dependencies, key: AttemptKey): Promise<void> => {
  const work = await readWork(dependencies, key);
  if (work.attempt.status === 'submitting') throw comeBackLater('not_settled', 1_000);
  if (work.attempt.status !== 'submitted' || work.attempt.supersededBy !== null) return;
  if ((await cancelAtProvider(dependencies, work)) !== 'confirmed') return;
  // whether it was charged is the provider's to tell, and not every one does: it stands as a possible cost
  const ending = { status: 'canceled', code: null, message: '', costUsd: null, from: ['submitted'] } as const;
  await recordEnding(dependencies.database, key, ending);
};
