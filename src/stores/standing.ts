import type { LimitOverride, Rule } from '../domain/limits';
import type { Gauge, Waiting } from '../domain/turns';
import { gatesOf } from './breakers';
import type { Statements } from './database';
import { gaugesOf } from './gauges';
import { Prisma } from './generated/client';
import { overridesOf, toOverride, type OverrideRow } from './limit-overrides';
import { headsOf, type Heads, type Pace } from './turns';

export type KeyState = {
  alias: string;
  priority: number;
  weight: number;
  isDisabled: boolean;
  pausedUntil: Date | null;
  lastUsedAt: Date | null;
};

/** How a provider's keys, and those that wait for them, stand at `now` of the database's clock. */
export type Standing = {
  now: Date;
  /** In order; empty where nobody asked for them. */
  waiting: Waiting[];
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

export type Queue = {
  virtualTimes: number[];
  given: number;
  pausedAt: Date | null;
  paces: Record<string, Pace>;
  /** A round has read the line since this one was asked for: there is nothing left to do. */
  isServed: boolean;
  /** Limits set at run time, from before the lock: one that is lowered while this waits for it holds from the next round on. */
  overrides: LimitOverride[];
};

/**
 * Locks the provider's queue: turns are given by one at a time. Its commit does not wait for the disk, so that the next one need
 * not either: whoever uses a turn commits after it and waits for both, and a round that a crash of the server takes back was
 * never used.
 */
export const lockQueue = async (transaction: Statements, provider: string): Promise<Queue> => {
  const select = Prisma.sql`
    SELECT set_config('synchronous_commit', 'off', true), virtual_times AS "virtualTimes", given::float8 AS given,
      paused_at AS "pausedAt", paces, coalesce(looked_at > statement_timestamp(), false) AS "isServed",
      ${listed(overridesOf(provider))} AS overrides
    FROM queues WHERE provider = ${provider} FOR UPDATE`;
  const lock = async (): Promise<Queue | null> => {
    const [row] = await transaction.$queryRaw<(Queue & { overrides: Told<OverrideRow>[] })[]>(select);
    return row ? { ...row, overrides: row.overrides.map(toOverride) } : null;
  };
  const known = await lock();
  if (known) return known;
  await transaction.$executeRaw`
    INSERT INTO queues (provider, virtual_times) VALUES (${provider}, '{0,0,0}') ON CONFLICT (provider) DO NOTHING`;
  return (await lock()) as Queue;
};

/** What is asked for: the limits whose use counts, and who is next. */
export type StandingRequest = { provider: string; rules: readonly Rule[]; heads?: Heads };

/**
 * All that is asked of a provider before turns are given, in one statement: what turns from one thing into another while
 * it is read is counted once, and whoever holds the queue's lock holds it for one answer. `workSecondsOf`: how long work of
 * this model (`null`: of any) may take at most.
 */
export const readStanding = async (
  database: Statements,
  { provider, rules, heads }: StandingRequest,
  workSecondsOf: (model: string | null) => number,
): Promise<Standing> => {
  const rows = await database.$queryRaw<
    {
      now: Date;
      keys: Told<KeyState>[];
      gauges: Told<Standing['gauges'][number]>[];
      gates: Told<Standing['gates'][number]>[];
      waiting: Told<Waiting>[];
    }[]
  >`
    SELECT clock_timestamp() AS now, ${listed(statesOf(provider))} AS keys,
      ${listed(gaugesOf({ provider, rules }, workSecondsOf))} AS gauges, ${listed(gatesOf(provider))} AS gates,
      ${heads ? listed(headsOf(provider, heads)) : Prisma.sql`'[]'::json`} AS waiting`;
  const [{ now, keys, gauges, gates, waiting }] = rows as [(typeof rows)[number]];
  return {
    now,
    waiting: waiting.map(({ since, ...turn }) => ({ ...turn, since: new Date(since) })),
    keys: keys.map(({ pausedUntil, lastUsedAt, ...key }) => ({
      ...{ ...key, pausedUntil: toDate(pausedUntil), lastUsedAt: toDate(lastUsedAt) },
    })),
    gauges: gauges.map(({ freesAt, ...gauge }) => ({ ...gauge, freesAt: toDate(freesAt) })),
    gates: gates.map(({ until, ...gate }) => ({ ...gate, until: new Date(until) })),
  };
};
