import { chooseCandidates as choose, followSuccessor, inTheRunning } from '../domain/routing';
import { publishChange } from '../stores/generations';
import { snapshotFor, type Dependencies } from './dependencies';

/**
 * Decides once which models may be tried and in which order, and records why. A later run of the same workflow keeps
 * the decision: attempts refer to it. Returns how many are in the running.
 */
export const chooseCandidates = async (
  dependencies: Dependencies,
  { generationId }: { generationId: string },
): Promise<{ candidates: number }> => {
  let candidates = 0;
  await publishChange(dependencies.database, generationId, (generation) => {
    const snapshot = snapshotFor(dependencies, generation);
    const decision = generation.decision ?? choose(followSuccessor(generation.request, snapshot), snapshot);
    candidates = inTheRunning(decision).length;
    return generation.decision ? {} : { phase: 'choosing', decision };
  });
  dependencies.reached('chosen');
  return { candidates };
};
