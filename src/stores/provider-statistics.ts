import type { FailureCode } from '../domain/failure';
import type { Database } from './database';

/** What the attempts of the last day show of a provider. */
export type ProviderStatistics = {
  provider: string;
  /** From the send to the end, in ms. */
  p50Ms: number | null;
  p95Ms: number | null;
  /** Of what ended by the provider's doing, 0 to 1; what callers got wrong does not count. */
  successRate: number | null;
};

export const readProviderStatistics = (database: Database): Promise<ProviderStatistics[]> =>
  database.$queryRaw`
    SELECT provider,
      round(percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - sent_at) * 1000)
        FILTER (WHERE status = 'succeeded'))::int AS "p50Ms",
      round(percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - sent_at) * 1000)
        FILTER (WHERE status = 'succeeded'))::int AS "p95Ms",
      round(avg((status = 'succeeded')::int), 4)::float AS "successRate"
    FROM attempts
    WHERE status IN ('succeeded', 'failed', 'rejected', 'ambiguous') AND started_at > now() - interval '1 day'
      AND sent_at IS NOT NULL AND (error_code IS NULL OR error_code LIKE 'provider_%')
      AND error_code IS DISTINCT FROM 'provider_content_rejected'
    GROUP BY provider`;

export type LastError = { provider: string; credential: string; code: FailureCode; at: Date };

/** The last thing that went wrong with each key in the last day. */
export const readLastErrors = (database: Database): Promise<LastError[]> =>
  database.$queryRaw`
    SELECT DISTINCT ON (provider, credential) provider, credential, error_code AS code, ended_at AS at
    FROM attempts
    WHERE status IN ('failed', 'rejected', 'ambiguous') AND started_at > now() - interval '1 day'
      AND credential IS NOT NULL AND ended_at IS NOT NULL
      AND error_code LIKE 'provider_%' AND error_code <> 'provider_content_rejected'
    ORDER BY provider, credential, ended_at DESC`;
