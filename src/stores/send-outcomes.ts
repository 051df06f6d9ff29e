import type { FailureCode } from '../domain/failure';
import type { Database } from './database';

/** One send of an attempt. */
export type SendKey = { generationId: string; number: number; epoch: number };

export type SendEnding = {
  outcome: 'accepted' | FailureCode;
  isFault: boolean;
  /** Until the answer. */
  latencyMs: number;
  /** What it really used; `null`: nobody told, the estimate stands. */
  tokens: number | null;
  /** Of the key it was sent with. */
  print: string | null;
};

export type SettledSend = {
  sentAt: Date;
  /** That its key has had in a row; 0 where the key has gone. */
  keyFailures: number;
  /** Its breaker is open or half open. */
  isGated: boolean;
};

/**
 * Notes how a send ended, once. `null`: it was noted before. The way of every success: one statement, and it writes no row
 * that others write too.
 */
export const settleSend = async (
  database: Database,
  { generationId, number, epoch }: SendKey,
  { outcome, isFault, latencyMs, tokens, print }: SendEnding,
): Promise<SettledSend | null> => {
  const rows = await database.$queryRaw<SettledSend[]>`
    WITH settled AS (
      UPDATE sends SET outcome = ${outcome}, is_fault = ${isFault}, latency_ms = ${Math.round(latencyMs)},
        tokens = coalesce(${tokens}::int, tokens)
      WHERE generation_id = ${generationId} AND number = ${number} AND epoch = ${epoch} AND outcome IS NULL
      RETURNING provider, model, credential, at)
    SELECT s.at AS "sentAt", coalesce(k.failures, 0) AS "keyFailures", b.state IS NOT NULL AS "isGated"
    FROM settled s
    LEFT JOIN provider_credentials k ON k.provider = s.provider AND k.alias = s.credential AND k.print = ${print}
    LEFT JOIN breakers b
      ON b.provider = s.provider AND b.model = s.model AND b.credential = s.credential AND b.state <> 'closed'`;
  return rows[0] ?? null;
};

/** So many looks in a row must fail before they say something about the provider: single ones fail every day. */
const failedLooks = 3;

/**
 * The work of an accepted send fails by the provider's fault: it ended so, or looks at it keep failing. Its `latency_ms` is
 * from now on how long that took to show. `false`: known already, or too early to say.
 */
export const markFaulty = async (database: Database, { generationId, number, epoch }: SendKey): Promise<boolean> => {
  const marked = await database.$executeRaw`
    UPDATE sends s SET is_fault = true,
      latency_ms = least(2147483647, extract(epoch FROM clock_timestamp() - s.at) * 1000)::int
    FROM attempts a
    WHERE s.generation_id = ${generationId} AND s.number = ${number} AND s.epoch = ${epoch} AND s.outcome = 'accepted'
      AND NOT s.is_fault AND a.generation_id = s.generation_id AND a.number = s.number AND a.epoch = s.epoch
      AND (a.status = 'failed' OR (a.status = 'submitted' AND a.poll_errors >= ${failedLooks}))`;
  return marked === 1;
};

/** Looks at its work succeed again. When its answer came is not known any more. */
export const unmarkFaulty = async (database: Database, { generationId, number, epoch }: SendKey): Promise<void> => {
  await database.$executeRaw`
    UPDATE sends SET is_fault = false, latency_ms = NULL
    WHERE generation_id = ${generationId} AND number = ${number} AND epoch = ${epoch} AND outcome = 'accepted' AND is_fault`;
};
