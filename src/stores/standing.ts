import type { Rule } from '../domain/limits';
import type { Gauge } from '../domain/turns';
import { gatesOf } from './breakers';
import type { Statements } from './database';
import { gaugesOf } from './gauges';
import { Prisma } from './generated/client';

export type KeyState = {
  alias: string;
  priority: number;
  weight: number;
  isDisabled: boolean;
  pausedUntil: Date | null;
  lastUsedAt: Date | null;
};

/** How a provider's keys stand, at `now` of the database's clock. */
export type Standing = {
  now: Date;
  keys: KeyState[];
  gauges: (Gauge & { credential: string })[];
  /** Breakers that are not closed. `until`: nobody may try before; past it, one may. */
  gates: { credential: string; model: string; until: Date }[];
};

const statesOf = (provider: string): Prisma.Sql => Prisma.sql`
  SELECT alias, priority, weight, disabled_by IS NOT NULL AS "isDisabled", paused_until AS "pausedUntil",
    last_used_at AS "lastUsedAt"
  FROM provider_credentials WHERE provider = ${provider}`;

const listed = (rows: Prisma.Sql): Prisma.Sql => Prisma.sql`(SELECT coalesce(json_agg(r), '[]') FROM (${rows}) r)`;

/** As JSON tells them: times are texts. */
type Told<Row> = { [Name in keyof Row]: Date extends Row[Name] ? string | Exclude<Row[Name], Date> : Row[Name] };

const toDate = (text: string | null): Date | null => (text === null ? null : new Date(text));

/**
 * All that is asked of a provider's keys before a turn is given, in one statement: what turns from one thing into another while
 * it is read is counted once, and whoever holds the queue's lock holds it for one answer. `rules`: the limits whose use is
 * asked for; `workSecondsOf`: how long work of this model (`null`: of any) may take at most.
 */
export const readStanding = async (
  database: Statements,
  { provider, rules }: { provider: string; rules: readonly Rule[] },
  workSecondsOf: (model: string | null) => number,
): Promise<Standing> => {
  const rows = await database.$queryRaw<
    {
      now: Date;
      keys: Told<KeyState>[];
      gauges: Told<Standing['gauges'][number]>[];
      gates: Told<Standing['gates'][number]>[];
    }[]
  >`
    SELECT clock_timestamp() AS now, ${listed(statesOf(provider))} AS keys,
      ${listed(gaugesOf({ provider, rules }, workSecondsOf))} AS gauges, ${listed(gatesOf(provider))} AS gates`;
  const [{ now, keys, gauges, gates }] = rows as [(typeof rows)[number]];
  return {
    now,
    keys: keys.map(({ pausedUntil, lastUsedAt, ...key }) => ({
      ...{ ...key, pausedUntil: toDate(pausedUntil), lastUsedAt: toDate(lastUsedAt) },
    })),
    gauges: gauges.map(({ freesAt, ...gauge }) => ({ ...gauge, freesAt: toDate(freesAt) })),
    gates: gates.map(({ until, ...gate }) => ({ ...gate, until: new Date(until) })),
  };
};
