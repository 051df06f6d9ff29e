import type { Database } from './database';

/** How many generations wait, by the index of their priority: for their workflow to begin, or for capacity. */
export const countQueued = (database: Database): Promise<{ priority: number; count: number }[]> =>
  database.$queryRaw`
    SELECT priority, count(*)::int AS count FROM (
      SELECT priority FROM turns WHERE lease_until IS NULL OR lease_until <= clock_timestamp()
      UNION ALL
      SELECT array_position(ARRAY['high', 'medium', 'low'], request->>'priority') - 1 FROM generations
      WHERE status = 'queued'
    ) waiting GROUP BY priority ORDER BY priority`;
