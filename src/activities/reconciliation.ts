import { readAttempt } from '../stores/attempts';
import {
  listAnnounced,
  listCancelPending,
  listDecided,
  listNotBegun,
  listSilent,
  listUnwatched,
  recordRepair,
  recordWorkflowSeen,
} from '../stores/reconciliation';
import { deleteOldSends } from '../stores/sends';
import type { Dependencies } from './dependencies';
import { recoverAnnounced } from './fate';
import { withHeartbeat } from './heartbeat';
import { settleGeneration } from './settlement';

/** Younger rows are left to the API, which starts their workflows itself. */
const patienceSeconds = 5;

const askTimeoutMs = 20_000;

/** What was put right, and how often. */
export type Repairs = Record<
  'started' | 'canceled' | 'closed' | 'watched' | 'recovered' | 'resolved' | 'failed',
  number
>;

type Repair = Exclude<keyof Repairs, 'failed'>;

/** Something that may be out of order, and what to do about it: `null` where nothing was. */
type Sweep = (dependencies: Dependencies) => Promise<{ id: string; mend: () => Promise<Repair | null> }[]>;

const close = async (dependencies: Dependencies, generationId: string): Promise<Repair> => {
  const { status } = await settleGeneration(dependencies, { generationId, canceled: false, interrupted: true });
  dependencies.logger.warn({ generation: generationId, status }, 'closed: its workflow had ended without an outcome');
  return 'closed';
};

const closeIfOver = async (dependencies: Dependencies, id: string): Promise<Repair | null> =>
  (await dependencies.workflows.isClosed(id)) ? close(dependencies, id) : null;

/** Accepted rows without a workflow. */
const sweepNotBegun: Sweep = async (dependencies) =>
  (await listNotBegun(dependencies.database, patienceSeconds)).map((generation) => ({
    id: generation.id,
    mend: async () => {
      const { database, workflows } = dependencies;
      const isNew = (await workflows.start(generation)) === 'started';
      const closed = isNew ? null : await closeIfOver(dependencies, generation.id);
      await recordWorkflowSeen(database, generation.id);
      return isNew ? 'started' : closed;
    },
  }));

/** Cancels requested, but not delivered. */
const sweepCancels: Sweep = async ({ database, workflows }) =>
  (await listCancelPending(database, patienceSeconds)).map(({ id }) => ({
    id,
    mend: async () => {
      await workflows.cancel(id);
      return 'canceled';
    },
  }));

/** Rows that run although their workflow is closed: terminated in the Web UI, timed out, lost by the server. */
const sweepSilent: Sweep = async (dependencies) =>
  (await listSilent(dependencies.database, dependencies.settings.silentSeconds)).map(({ id }) => ({
    id,
    mend: () => closeIfOver(dependencies, id),
  }));

/** Work that nobody waits for. */
const sweepUnwatched: Sweep = async ({ database, workflows }) =>
  (await listUnwatched(database, patienceSeconds)).map((attempt) => ({
    id: attempt.generationId,
    mend: async () => ((await workflows.watch(attempt)) === 'started' ? 'watched' : null),
  }));

/** Lost answers about which the provider has told something since. */
const sweepAnnounced: Sweep = async (dependencies) =>
  (await listAnnounced(dependencies.database)).map((key) => ({
    id: key.generationId,
    mend: async () => {
      const subject = await readAttempt(dependencies.database, key);
      if (!(await recoverAnnounced(dependencies, subject, askTimeoutMs))) return null;
      await dependencies.workflows.resolve(key.generationId);
      return 'recovered';
    },
  }));

/** Held ones that were decided, or whose time is up: their workflow was not told. */
const sweepHeld: Sweep = async ({ database, workflows, settings }) =>
  (await listDecided(database, settings.holdMs)).map(({ id }) => ({
    id,
    mend: async () => {
      await workflows.resolve(id);
      return 'resolved';
    },
  }));

/** Windows and figures look back so far and no further. */
const forgetOldSends = async ({ database, logger }: Dependencies): Promise<void> => {
  const count = await deleteOldSends(database);
  if (count > 0) logger.debug({ count }, 'sends that nothing counts any more are forgotten');
};

/** What may be many comes last. */
const sweeps = [sweepCancels, sweepSilent, sweepUnwatched, sweepAnnounced, sweepHeld, sweepNotBegun];

/** What the database and the workflow service disagree on is put right here; every repair is an event of its generation. */
export const reconcileGenerations = (dependencies: Dependencies): Promise<Repairs> =>
  withHeartbeat(async () => {
    const repairs = await repairAll(dependencies);
    await forgetOldSends(dependencies);
    return repairs;
  });

const repairAll = async (dependencies: Dependencies): Promise<Repairs> => {
  const { database, logger } = dependencies;
  const done: Repairs = { started: 0, canceled: 0, closed: 0, watched: 0, recovered: 0, resolved: 0, failed: 0 };
  for (const sweep of sweeps) {
    for (const { id, mend } of await sweep(dependencies)) {
      try {
        const repair = await mend();
        if (repair === null) continue;
        done[repair] += 1;
        await recordRepair(database, id, repair);
      } catch (error) {
        // one that cannot be mended now must not keep the others waiting
        done.failed += 1;
        logger.warn({ generation: id, error: (error as Error).message }, 'could not be put right yet');
      }
    }
  }
  return done;
};
