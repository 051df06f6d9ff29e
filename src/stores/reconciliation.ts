import type { GenerationRequest } from '../domain/generation';
import type { AttemptKey } from './attempts';
import { inTransaction, type Database } from './database';
import { lockGeneration, publish } from './generations';

export type Unbegun = {
  id: string;
  tenantId: string;
  weight: number;
  medium: string;
  priority: GenerationRequest['priority'];
};

/**
 * Accepted more than `olderThanSeconds` ago and not begun: their workflow was never started, or just not yet. Those not
 * known to have one come first, then those not seen for longest: a crowd that waits for a worker hides nobody.
 */
export const listNotBegun = (database: Database, olderThanSeconds: number): Promise<Unbegun[]> =>
  database.$queryRaw`
    SELECT g.id, g.tenant_id AS "tenantId", t.weight, g.medium, g.request ->> 'priority' AS priority
    FROM generations g JOIN tenants t ON t.id = g.tenant_id
    WHERE g.status = 'queued' AND g.created_at < now() - make_interval(secs => ${olderThanSeconds})
    ORDER BY g.workflow_seen_at NULLS FIRST, random() LIMIT 500`;

/** The workflow of this queued generation exists: others are asked for before it. */
export const recordWorkflowSeen = async (database: Database, id: string): Promise<void> => {
  await database.$executeRaw`UPDATE generations SET workflow_seen_at = now() WHERE id = ${id} AND status = 'queued'`;
};

/**
 * Running, and silent for a while: no event of theirs is younger than `silentSeconds`. A random handful, so that a
 * crowd of slow ones cannot hide a stuck one for ever. Those that wait for their turn are not among them: it asks.
 */
export const listSilent = (database: Database, silentSeconds: number): Promise<{ id: string }[]> =>
  database.$queryRaw`
    SELECT g.id FROM generations g
    WHERE g.status = 'running' AND NOT EXISTS (
      SELECT FROM events e WHERE e.generation_id = g.id AND e.at > now() - make_interval(secs => ${silentSeconds}))
      AND (g.deadline_at < now() OR NOT EXISTS (SELECT FROM turns t WHERE t.generation_id = g.id))
    ORDER BY random() LIMIT 200`;

/** Cancelled by a caller, but the workflow has not ended them: it was not told, or could not be. */
export const listCancelPending = (database: Database, olderThanSeconds: number): Promise<{ id: string }[]> =>
  database.$queryRaw`
    SELECT id FROM generations WHERE status IN ('queued', 'running')
      AND cancel_requested_at < now() - make_interval(secs => ${olderThanSeconds}) ORDER BY id LIMIT 500`;

/** What was put right behind the workflow's back is an event of the generation, once of each kind. */
export const recordRepair = (database: Database, id: string, repair: string): Promise<void> =>
  inTransaction(database, async (transaction) => {
    const generation = await lockGeneration(transaction, id);
    const type = 'generation.repair';
    const known = await transaction.event.findFirst({
      where: { generationId: id, type, data: { path: ['repair'], equals: repair } },
      select: { sequence: true },
    });
    if (!known) await publish(transaction, generation, { events: [{ type, data: { repair } }] });
  });

/**
 * What may run on and cost at a provider although nobody waits for it: its generation has ended, or went on without it.
 */
export const listUnwatched = (database: Database, olderThanSeconds: number): Promise<AttemptKey[]> =>
  database.$queryRaw`
    SELECT a.generation_id AS "generationId", a.number FROM attempts a JOIN generations g ON g.id = a.generation_id
    WHERE (a.status IN ('submitting', 'submitted') AND g.completed_at < now() - make_interval(secs => ${olderThanSeconds}))
      OR (a.status = 'submitted' AND a.superseded_by IS NOT NULL
        AND a.submitted_at < now() - make_interval(secs => ${olderThanSeconds})
        -- about to be taken over
        AND NOT EXISTS (SELECT FROM attempts t WHERE t.generation_id = a.generation_id AND t.takes_over = a.number
          AND t.status = 'planned'))
    ORDER BY random() LIMIT 200`;

/**
 * Lost answers that nobody has decided about, and about which their provider has told something since. What was told
 * more than a day ago was read often enough.
 */
export const listAnnounced = (database: Database): Promise<AttemptKey[]> =>
  database.$queryRaw`
    SELECT a.generation_id AS "generationId", a.number FROM attempts a
    WHERE a.status = 'ambiguous' AND a.resolution IS NULL AND EXISTS (SELECT FROM provider_callbacks c
      WHERE c.generation_id = a.generation_id AND c.number = a.number AND c.received_at > now() - interval '1 day')
    ORDER BY a.started_at DESC LIMIT 200`;

/** Sent since then with this key, and silent for a minute: no answer to any of its sends can come any more. */
export const listSent = (
  database: Database,
  { provider, credential, since }: { provider: string; credential: string; since: Date },
): Promise<(AttemptKey & { model: string })[]> =>
  database.$queryRaw`
    SELECT generation_id AS "generationId", number, model FROM attempts
    WHERE provider = ${provider} AND credential = ${credential} AND epoch > 0 AND started_at > ${since}
      AND coalesce(sent_at + make_interval(secs => send_timeout_ms / 1000.0), started_at) < now() - interval '1 minute'
    ORDER BY started_at DESC LIMIT 5000`;

export const isOwned = async (
  database: Database,
  { provider, credential, operationId }: { provider: string; credential: string; operationId: string },
): Promise<boolean> => (await database.attempt.count({ where: { provider, credential, operationId } })) > 0;

/** Held, and decided or overdue: their workflows were not told, or not yet. */
export const listDecided = (database: Database, holdMs: number): Promise<{ id: string }[]> =>
  database.$queryRaw`
    SELECT g.id FROM generations g WHERE g.status = 'running' AND g.held_at IS NOT NULL
      AND (g.held_at < now() - make_interval(secs => ${holdMs / 1000}::float8)
        OR NOT EXISTS (SELECT FROM attempts a WHERE a.generation_id = g.id AND a.status = 'ambiguous'
          AND a.resolution IS NULL AND a.superseded_by IS NULL))
    ORDER BY g.held_at LIMIT 200`;
