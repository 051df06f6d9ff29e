import { listUnwatched } from '../stores/attempts';
import { listCancelPending, listNotBegun, listSilent } from '../stores/generations';
import type { Dependencies } from './dependencies';
import { settleGeneration } from './settlement';

/** Younger rows are left to the API, which starts their workflows itself. */
const patienceSeconds = 5;

const close = async (dependencies: Dependencies, generationId: string): Promise<void> => {
  const { status } = await settleGeneration(dependencies, { generationId, canceled: false, interrupted: true });
  dependencies.logger.warn({ generation: generationId, status }, 'closed: its workflow had ended without an outcome');
};

/** What the database and the workflow service disagree on is put right here; each figure counts repairs. */
export const reconcileGenerations = async (
  dependencies: Dependencies,
): Promise<{ started: number; canceled: number; closed: number; watched: number }> => {
  const { database, workflows } = dependencies;
  const done = { started: 0, canceled: 0, closed: 0, watched: 0 };
  for (const generation of await listNotBegun(database, patienceSeconds)) {
    if ((await workflows.start(generation)) === 'started') done.started += 1;
    else if (await workflows.isClosed(generation.id)) {
      await close(dependencies, generation.id);
      done.closed += 1;
    }
  }
  for (const { id } of await listCancelPending(database, patienceSeconds)) {
    await workflows.cancel(id);
    done.canceled += 1;
  }
  for (const { id } of await listSilent(database, dependencies.settings.silentSeconds)) {
    if (!(await workflows.isClosed(id))) continue;
    await close(dependencies, id);
    done.closed += 1;
  }
  for (const attempt of await listUnwatched(database, patienceSeconds)) {
    if ((await workflows.watch(attempt)) === 'started') done.watched += 1;
  }
  return done;
};
