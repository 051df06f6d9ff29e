import type { GenerationRequest } from '../domain/generation';
import {
  chooseCandidates as choose,
  followSuccessor,
  idsOfMedium,
  inTheRunning,
  runningModels,
  type Snapshot,
} from '../domain/routing';
import { publishChange, readGeneration, type LockedGeneration } from '../stores/generations';
import { readModelFigures } from '../stores/model-figures';
import { drawTurn } from '../stores/round-robin';
import { readCapacity } from './capacity';
import { snapshotFor, type Dependencies } from './dependencies';

/** A request that only one model can do asks nobody how the others stand, and takes no turn. */
const measure = async (
  dependencies: Dependencies,
  request: GenerationRequest,
  snapshot: Snapshot,
): Promise<Snapshot> => {
  const { database, models } = dependencies;
  const running = runningModels(request, snapshot);
  if (running.length < 2) return snapshot;
  const [figures, capacity, turn] = await Promise.all([
    readModelFigures(database, idsOfMedium(models, request.medium)),
    readCapacity(dependencies, running),
    request.routing.strategy === 'round_robin' ? drawTurn(database) : 0,
  ]);
  return { ...snapshot, figures, capacity, turn };
};

/** From what is known at this moment: nothing is asked under the lock of the row. */
const decide = async (dependencies: Dependencies, generation: LockedGeneration) => {
  const still = snapshotFor(dependencies, generation);
  const request = followSuccessor(generation.request, still);
  return choose(request, await measure(dependencies, request, still));
};

/**
 * Decides once which models may be tried and in which order, and records why. A later run of the same workflow keeps
 * the decision: attempts refer to it. Returns how many are in the running.
 */
export const chooseCandidates = async (
  dependencies: Dependencies,
  { generationId }: { generationId: string },
): Promise<{ candidates: number }> => {
  const { database, reached } = dependencies;
  const read = await readGeneration(database, generationId);
  let decision = read.decision ?? (await decide(dependencies, read));
  await publishChange(database, generationId, (generation) => {
    if (generation.decision) {
      decision = generation.decision;
      return {};
    }
    const { warnings = [] } = generation.request;
    return { phase: 'choosing', decision, ...(warnings.length > 0 && { warnings }) };
  });
  reached('chosen');
  return { candidates: inTheRunning(decision).length };
};
