import type { Database, Statements } from './database';
import { Prisma } from './generated/client';

export type ProviderEventType =
  | 'key.paused'
  | 'key.disabled'
  | 'key.enabled'
  | 'breaker.opened'
  | 'breaker.half_open'
  | 'breaker.closed'
  | 'provider.paused'
  | 'provider.resumed'
  | 'limit.changed';

export type NewProviderEvent = {
  provider: string;
  /** By its alias. `null`: it is not about one key. */
  credential?: string | null;
  model?: string | null;
  type: ProviderEventType;
  data: Record<string, unknown>;
};

export type ProviderEvent = {
  /** A cursor: the larger, the later. */
  id: string;
  at: Date;
  provider: string;
  credential: string | null;
  model: string | null;
  type: ProviderEventType;
  data: Record<string, unknown>;
};

export const appendProviderEvent = async (
  database: Statements,
  { provider, credential = null, model = null, type, data }: NewProviderEvent,
): Promise<void> => {
  // the number before the time: `listProviderEvents` goes by that
  await database.$executeRaw`
    INSERT INTO provider_events (id, at, provider, credential, model, type, data)
    VALUES (nextval('provider_events_id_seq'), clock_timestamp(), ${provider}, ${credential}, ${model}, ${type},
      ${JSON.stringify(data)}::jsonb)`;
};

/**
 * Events are numbered when they are written and seen when they are committed. Before this instant nothing can turn up any
 * more: what is still being written began later. A millisecond for the rounding of times.
 */
const readHorizon = async (database: Database): Promise<Date> => {
  const rows = await database.$queryRaw<{ horizon: Date }[]>`
    SELECT coalesce(min(xact_start), clock_timestamp()) - interval '1 millisecond' AS horizon FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend'`;
  return (rows[0] as { horizon: Date }).horizon;
};

/** The latest ones, in order; with `after` the next ones after it, none of which is ever left out. */
export const listProviderEvents = async (
  database: Database,
  { provider = null, after = null, limit }: { provider?: string | null; after?: string | null; limit: number },
): Promise<ProviderEvent[]> => {
  const horizon = await readHorizon(database);
  const order = after === null ? Prisma.sql`DESC` : Prisma.sql`ASC`;
  const rows = await database.$queryRaw<ProviderEvent[]>`
    SELECT id::text, at, provider, credential, model, type, data FROM provider_events
    WHERE at < ${horizon} AND id > ${after ?? '0'}::bigint AND (${provider}::text IS NULL OR provider = ${provider}::text)
    ORDER BY provider_events.id ${order} LIMIT ${limit}`;
  return after === null ? rows.reverse() : rows;
};
