import type { FailureCode } from '../domain/failure';
import type { Database } from './database';

/** The last call that was made only to see whether a provider answers. */
export type HealthCheck = {
  provider: string;
  /** The key it was made with. */
  credential: string;
  /** The provider's model it asked about, where it asked about one. */
  model: string | null;
  /** `null`: it went well. */
  code: FailureCode | null;
  latencyMs: number;
  /** How many have failed in a row. */
  failures: number;
  at: Date;
};

export const recordHealthCheck = async (
  database: Database,
  { provider, credential, model, code, latencyMs }: Omit<HealthCheck, 'failures' | 'at'>,
): Promise<void> => {
  await database.$executeRaw`
    INSERT INTO health_checks AS h (provider, credential, model, code, latency_ms, failures)
    VALUES (${provider}, ${credential}, ${model}, ${code}, ${latencyMs}, (${code}::text IS NOT NULL)::int)
    ON CONFLICT (provider) DO UPDATE SET credential = excluded.credential, model = excluded.model, code = excluded.code,
      latency_ms = excluded.latency_ms, at = clock_timestamp(),
      failures = CASE WHEN excluded.code IS NULL THEN 0 ELSE h.failures + 1 END`;
};

export const listHealthChecks = (database: Database): Promise<HealthCheck[]> =>
  database.$queryRaw`
    SELECT provider, credential, model, code, latency_ms AS "latencyMs", failures, at FROM health_checks`;

/** Who has accepted paid work within the last `seconds`: nobody need ask them how they are. */
export const listAccepting = async (database: Database, seconds: number): Promise<Set<string>> => {
  const rows = await database.$queryRaw<{ provider: string }[]>`
    SELECT DISTINCT provider FROM sends
    WHERE outcome = 'accepted' AND at > statement_timestamp() - make_interval(secs => ${seconds}::float8)`;
  return new Set(rows.map(({ provider }) => provider));
};
