import type { FailureCode } from '../domain/failure';
import type { Database } from './database';
import { Prisma } from './generated/client';

/** What the attempts of the last day show of a provider, or of one of its models. */
export type ProviderStatistics = {
  provider: string;
  /** `null`: of all its models together. */
  model: string | null;
  /** From the send to the end of what succeeded, in ms. */
  p50Ms: number | null;
  p95Ms: number | null;
  /** A mean in which the latest count most. */
  ewmaMs: number | null;
  /** Of what ended by the provider's doing, 0 to 1; what callers got wrong does not count. */
  successRate: number | null;
  /** The same of those that were sent again after the provider had refused them. */
  retrySuccessRate: number | null;
};

/** What the latest weighs; each one before it that much less. */
const ewmaShare = 0.2;
/** Those before weigh nothing any more. */
const ewmaPlaces = 100;

/** `place`: 1 is the latest. Weights are made to add up to one, so that the first ones count in full. */
const ewma = (place: Prisma.Sql): Prisma.Sql => {
  const weight = Prisma.sql`power(1 - ${ewmaShare}::float8, ${place})`;
  const counts = Prisma.sql`FILTER (WHERE good AND ${place} <= ${ewmaPlaces})`;
  return Prisma.sql`sum(ms * ${weight}) ${counts} / sum(${weight}) ${counts}`;
};

const percentile = (share: number): Prisma.Sql =>
  Prisma.sql`round(percentile_cont(${share}::float8) WITHIN GROUP (ORDER BY ms) FILTER (WHERE good))::int`;

const ended = Prisma.sql`
  SELECT provider, model, generation_id, number, ended_at, status = 'succeeded' AS good,
    extract(epoch FROM ended_at - sent_at)::float8 * 1000 AS ms
  FROM attempts
  WHERE status IN ('succeeded', 'failed', 'rejected', 'ambiguous') AND started_at > now() - interval '1 day'
    AND sent_at IS NOT NULL AND (error_code IS NULL OR error_code LIKE 'provider_%')
    AND error_code IS DISTINCT FROM 'provider_content_rejected'`;

const sentAgain = Prisma.sql`
  SELECT generation_id, number FROM sends WHERE at > now() - interval '1 day'
  GROUP BY generation_id, number HAVING min(epoch) FILTER (WHERE outcome <> 'accepted') < max(epoch)`;

/** A row for each provider, and one for each of its models, that was used. */
export const readProviderStatistics = (database: Database): Promise<ProviderStatistics[]> =>
  database.$queryRaw`
    WITH placed AS (
      SELECT e.*, a.generation_id IS NOT NULL AS again,
        least(row_number() OVER (PARTITION BY e.provider, good ORDER BY ended_at DESC), ${ewmaPlaces + 1}) AS place,
        least(row_number() OVER (PARTITION BY e.provider, e.model, good ORDER BY ended_at DESC), ${ewmaPlaces + 1})
          AS model_place
      FROM (${ended}) e LEFT JOIN (${sentAgain}) a ON a.generation_id = e.generation_id AND a.number = e.number)
    SELECT provider, model, ${percentile(0.5)} AS "p50Ms", ${percentile(0.95)} AS "p95Ms",
      round(CASE WHEN grouping(model) = 1 THEN ${ewma(Prisma.sql`place`)}
        ELSE ${ewma(Prisma.sql`model_place`)} END)::int AS "ewmaMs",
      round(avg(good::int), 4)::float8 AS "successRate",
      round(avg(good::int) FILTER (WHERE again), 4)::float8 AS "retrySuccessRate"
    FROM placed GROUP BY GROUPING SETS ((provider), (provider, model)) ORDER BY provider, model NULLS FIRST`;

export type LastError = { provider: string; model: string; credential: string; code: FailureCode; at: Date };

const isProviders = (column: Prisma.Sql): Prisma.Sql =>
  Prisma.sql`${column} LIKE 'provider_%' AND ${column} <> 'provider_content_rejected'`;

/** The last thing that went wrong in the last day, with each key and model; the latest first. */
export const readLastErrors = (database: Database): Promise<LastError[]> =>
  database.$queryRaw`
    SELECT * FROM (
      SELECT DISTINCT ON (provider, model, credential) * FROM (
        SELECT provider, model, credential, error_code AS code, ended_at AS at FROM attempts
        WHERE status IN ('failed', 'rejected', 'ambiguous') AND started_at > now() - interval '1 day'
          AND credential IS NOT NULL AND ended_at IS NOT NULL AND ${isProviders(Prisma.sql`error_code`)}
        UNION ALL
        SELECT provider, model, credential, outcome, at + make_interval(secs => coalesce(latency_ms, 0) / 1000.0)
        FROM sends WHERE at > now() - interval '1 day' AND ${isProviders(Prisma.sql`outcome`)}
      ) failures ORDER BY provider, model, credential, at DESC
    ) latest ORDER BY at DESC`;

/** What the last quarter of an hour shows of a provider. */
export type RecentTraffic = {
  provider: string;
  /** Sends that were accepted or failed by the provider's fault. */
  answered: number;
  /** Of them, those that failed, at once or after they had been accepted. */
  faults: number;
  /** The last answer that was no fault. */
  goodAt: Date | null;
  lastAt: Date;
};

export const readRecentTraffic = (database: Database): Promise<RecentTraffic[]> =>
  database.$queryRaw`
    SELECT provider, count(*)::int AS answered, count(*) FILTER (WHERE is_fault)::int AS faults,
      max(told_at) FILTER (WHERE NOT is_fault) AS "goodAt", max(told_at) AS "lastAt"
    FROM (
      SELECT provider, is_fault, at + make_interval(secs => coalesce(latency_ms, 0) / 1000.0) AS told_at FROM sends
      WHERE at > statement_timestamp() - interval '1 day' AND (is_fault OR outcome = 'accepted')
    ) told WHERE told_at > statement_timestamp() - interval '15 minutes' GROUP BY provider`;

/** How many requests were sent with a key, in the last minute and in the last day. */
export type KeyUse = { provider: string; alias: string; lastMinute: number; lastDay: number };

export const readKeyUse = (database: Database): Promise<KeyUse[]> =>
  database.$queryRaw`
    SELECT provider, credential AS alias, count(*)::int AS "lastDay",
      count(*) FILTER (WHERE at > statement_timestamp() - interval '1 minute')::int AS "lastMinute"
    FROM sends WHERE at > statement_timestamp() - interval '1 day' GROUP BY provider, credential`;
