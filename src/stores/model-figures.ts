import type { ModelFigures } from '../domain/snapshot';
import type { Database } from './database';

/** Of each model its latest attempts of a day count, the last one most. */
const latestAttempts = 50;
const weightOfLatest = 0.2;

/** What this process read last is good for so long: a choice need not know the last second. */
const freshMs = 2_000;

type Row = ModelFigures & { model: string };

const query = (database: Database, models: readonly string[]): Promise<Row[]> =>
  database.$queryRaw`
    SELECT named.model,
      (sum(power(${1 - weightOfLatest}::float8, recent.age) * recent.ms) FILTER (WHERE recent.succeeded)
        / sum(power(${1 - weightOfLatest}::float8, recent.age)) FILTER (WHERE recent.succeeded))::float8 AS "ewmaMs",
      percentile_cont(0.95) WITHIN GROUP (ORDER BY recent.ms) FILTER (WHERE recent.succeeded) AS "p95Ms",
      avg(recent.succeeded::int)::float8 AS "successRate",
      count(*)::int AS samples
    FROM unnest(${models}::text[]) AS named(model)
    CROSS JOIN LATERAL (
      SELECT latest.succeeded, latest.ms,
        row_number() OVER (PARTITION BY latest.succeeded ORDER BY latest.ended_at DESC) - 1 AS age
      FROM (
        SELECT status = 'succeeded' AS succeeded, extract(epoch FROM ended_at - sent_at)::float8 * 1000 AS ms, ended_at
        FROM attempts
        WHERE model = named.model AND ended_at > now() - interval '1 day'
          AND status IN ('succeeded', 'failed', 'rejected', 'ambiguous') AND sent_at IS NOT NULL
          AND (error_code IS NULL OR error_code LIKE 'provider_%')
          AND error_code IS DISTINCT FROM 'provider_content_rejected'
        ORDER BY ended_at DESC LIMIT ${latestAttempts}) latest) recent
    GROUP BY named.model`;

type Seen = { atMs: number; figures: Promise<ReadonlyMap<string, ModelFigures>> };

/** By the models that were asked for: those of a medium, until the configuration changes them. */
const seen = new WeakMap<Database, Map<string, Seen>>();
const listsAtMost = 20;

const seenOf = (database: Database): Map<string, Seen> => {
  const known = seen.get(database);
  if (known && known.size <= listsAtMost) return known;
  const fresh = new Map<string, Seen>();
  seen.set(database, fresh);
  return fresh;
};

const read = async (database: Database, models: readonly string[]): Promise<ReadonlyMap<string, ModelFigures>> => {
  const rows = await query(database, models);
  return new Map(rows.map(({ model, ...figures }) => [model, figures]));
};

/**
 * What the attempts of late show of these models, as of two seconds ago at most; one that nobody has tried is missing. What
 * callers got wrong does not count. `nowMs` is of a clock that only goes forward.
 */
export const readModelFigures = (
  database: Database,
  models: readonly string[],
  nowMs: number = performance.now(),
): Promise<ReadonlyMap<string, ModelFigures>> => {
  const key = models.join(' ');
  const known = seenOf(database);
  const last = known.get(key);
  if (last && nowMs - last.atMs < freshMs) return last.figures;
  const figures = read(database, models);
  known.set(key, { atMs: nowMs, figures });
  // what could not be read is asked for again by the next one
  figures.catch(() => known.delete(key));
  return figures;
};
