import type { Given } from '../domain/turns';
import type { Database, Statements } from './database';
import { Prisma } from './generated/client';

type AttemptKey = { generationId: string; number: number };

/** How long a turn that nobody has used stays given, in seconds. */
const leaseSeconds = 60;

/** A turn with less left than this is not used any more: its commit must come before somebody counts it out. */
const marginSeconds = 10;

export type TurnRequest = AttemptKey & {
  provider: string;
  model: string;
  tenantId: string;
  /** Index into `priorities`. */
  priority: number;
  /** The most it may use. */
  tokens: number;
  /** It had a turn, and what it sent then was not accepted: the first of its priority. */
  returns: boolean;
};

/** `credential` null: it waits. */
export type TurnState = { credential: string | null };

const keyIs = ({ generationId, number }: AttemptKey): Prisma.Sql =>
  Prisma.sql`generation_id = ${generationId} AND number = ${number}`;

const isUsable = (turn: Prisma.Sql): Prisma.Sql =>
  Prisma.sql`${turn}.lease_until > clock_timestamp() + make_interval(secs => ${marginSeconds})`;

const leaseEnd = Prisma.sql`clock_timestamp() + make_interval(secs => ${leaseSeconds})`;

/** Of a newcomer, until the next round gives it its place: the last one. */
const unplaced = Prisma.sql`'Infinity'::float8`;

/** Of whoever was served before: in front of all who were not. */
const foremost = Prisma.sql`0::float8`;

/**
 * Gets in line, or says where the attempt stands; whoever asks stands waiting for the answer, and need not be told, until it goes
 * (`waitInLine`). A turn that has come is kept for whoever asks, one that is as good as over is given back: the place in
 * line stays.
 */
export const joinLine = async (database: Database, request: TurnRequest): Promise<TurnState> => {
  const { generationId, number, provider, model, tenantId, priority, tokens, returns } = request;
  const rows = await database.direct.$queryRaw<TurnState[]>`
    INSERT INTO turns (generation_id, number, provider, model, tenant_id, priority, tokens, since, asked_at, tag)
    VALUES (${generationId}, ${number}, ${provider}, ${model}, ${tenantId}, ${priority}, ${tokens}, clock_timestamp(),
      clock_timestamp(),
      ${returns ? foremost : unplaced})
    ON CONFLICT (generation_id, number) DO UPDATE SET told_at = NULL, asked_at = clock_timestamp(),
      lease_until = CASE WHEN ${isUsable(Prisma.sql`turns`)} THEN ${leaseEnd} END
    RETURNING CASE WHEN lease_until > clock_timestamp() THEN credential END AS credential`;
  return rows[0] as TurnState;
};

/** When a round began to read, and the models it read of. */
export type Beginning = { at: Date; models: string[] };

/**
 * Begins a round: names the models that somebody waits for, and gives newcomers their places among the other tenants: each a share after the last of its own that waits, or after whoever was
 * served last, so that nobody saves up turns. Under the queue's lock, in one statement for all: those of one tenant that
 * come at once would otherwise get one place.
 */
export const beginRound = async (
  transaction: Statements,
  { provider, virtualTimes }: { provider: string; virtualTimes: readonly number[] },
): Promise<Beginning> => {
  const rows = await transaction.$queryRaw<Beginning[]>`
    WITH RECURSIVE ${namedModels(provider)}, models AS (SELECT array_agg(model) AS names FROM named WHERE model IS NOT NULL),
    fresh AS (
      SELECT t.generation_id, t.number, t.tenant_id, t.priority,
        row_number() OVER (PARTITION BY t.tenant_id, t.priority ORDER BY t.since, t.generation_id, t.number) AS nth
      FROM turns t
      WHERE t.provider = ${provider} AND t.model = ANY((SELECT names FROM models)::text[]) AND t.priority IN (0, 1, 2)
        AND t.tag = ${unplaced}),
    line AS (
      SELECT n.tenant_id, n.priority, max(t.tag) AS tag
      FROM (SELECT DISTINCT tenant_id, priority FROM fresh) n JOIN turns t
        ON t.provider = ${provider} AND t.priority = n.priority AND t.tenant_id = n.tenant_id AND t.tag < ${unplaced}
      GROUP BY n.tenant_id, n.priority),
    placed AS (
    UPDATE turns t SET tag = greatest((${virtualTimes}::float8[])[f.priority + 1], l.tag, 0) + f.nth / w.weight::float8
    FROM fresh f JOIN tenants w ON w.id = f.tenant_id
      LEFT JOIN line l ON l.tenant_id = f.tenant_id AND l.priority = f.priority
    WHERE t.generation_id = f.generation_id AND t.number = f.number)
    SELECT statement_timestamp() AS at, coalesce(names, '{}') AS models FROM models`;
  return rows[0] as Beginning;
};

/** Whoever asked goes away to be told, unless its turn has come meanwhile. `null`: it is not in line. */
export const waitInLine = async (database: Database, key: AttemptKey): Promise<TurnState | null> => {
  for (;;) {
    const [row] = await database.direct.$queryRaw<(TurnState & { goes: boolean })[]>`
      WITH gone AS (UPDATE turns SET asked_at = NULL WHERE ${keyIs(key)} AND ${waitsAs(Prisma.sql`turns`)} RETURNING 1)
      SELECT CASE WHEN lease_until > clock_timestamp() THEN credential END AS credential, EXISTS (SELECT FROM gone) AS goes
      FROM turns WHERE ${keyIs(key)}`;
    if (!row) return null;
    const { credential, goes } = row;
    // given after this began to read: nobody tells whoever is still there
    if (goes || credential !== null) return { credential };
  }
};

/** What comes before the send takes its time: the turn is kept. */
export const keepTurn = async (database: Database, key: AttemptKey): Promise<void> => {
  await database.$executeRaw`
    UPDATE turns SET lease_until = ${leaseEnd}, told_at = NULL
    WHERE ${keyIs(key)} AND ${isUsable(Prisma.sql`turns`)}`;
};

/** It is used now, with this key. `false`: it was not given, or too long ago, or the key has to rest since. */
export const useTurn = async (transaction: Statements, key: AttemptKey, credential: string): Promise<boolean> => {
  const used = await transaction.$executeRaw`
    DELETE FROM turns WHERE ${keyIs(key)} AND credential = ${credential} AND ${isUsable(Prisma.sql`turns`)}`;
  return used === 1;
};

/** It cannot be used any more, or not with this key: it waits on where it was. */
export const returnTurn = async (database: Database, key: AttemptKey): Promise<void> => {
  await database.$executeRaw`UPDATE turns SET credential = NULL, lease_until = NULL, told_at = NULL WHERE ${keyIs(key)}`;
};

/** It will not be sent: out of the line. */
export const leaveLine = async (transaction: Statements, key: AttemptKey): Promise<void> => {
  await transaction.$executeRaw`DELETE FROM turns WHERE ${keyIs(key)}`;
};

const waitsAs = (turn: Prisma.Sql): Prisma.Sql =>
  Prisma.sql`(${turn}.lease_until IS NULL OR ${turn}.lease_until <= clock_timestamp())`;

const waits = waitsAs(Prisma.sql`t`);

const heads = (provider: string, order: Prisma.Sql, limit: number): Prisma.Sql => Prisma.sql`
  (SELECT t.* FROM turns t WHERE t.provider = ${provider} AND t.model = m.model AND t.tag < ${unplaced} AND ${waits}
   ORDER BY ${order} LIMIT ${limit})`;

export type Heads = { models: readonly string[]; most: number };

/**
 * Of each of these models those that are next, and those that wait longest, as a query for members of `Waiting`. Who came
 * after the places were given is not there.
 */
export const headsOf = (provider: string, { models, most }: Heads): Prisma.Sql => Prisma.sql`
  SELECT w.generation_id AS "generationId", w.number, w.model, w.priority, w.tag, w.since, w.tokens,
    a.estimated_usd::float8 AS "costUsd", a.credential AS avoid
  FROM unnest(${models}::text[]) AS m(model) CROSS JOIN LATERAL (
    ${heads(provider, Prisma.sql`t.priority, t.tag, t.since`, most)} UNION
    ${heads(provider, Prisma.sql`t.since`, Math.ceil(most / 10))}) w
  JOIN attempts a ON a.generation_id = w.generation_id AND a.number = w.number
  ORDER BY w.priority, w.tag, w.since`;

/** One step of the index for each model, however many wait. */
const namedModels = (provider: string): Prisma.Sql => Prisma.sql`named AS (
  (SELECT model FROM turns WHERE provider = ${provider} ORDER BY model LIMIT 1)
  UNION ALL
  SELECT (SELECT t.model FROM turns t WHERE t.provider = ${provider} AND t.model > n.model ORDER BY t.model LIMIT 1)
  FROM named n WHERE n.model IS NOT NULL)`;

/** Models of this provider that somebody waits for. */
export const listWaitingModels = async (transaction: Statements, provider: string): Promise<string[]> => {
  const rows = await transaction.$queryRaw<{ model: string }[]>`
    WITH RECURSIVE ${namedModels(provider)}
    SELECT model FROM named WHERE model IS NOT NULL`;
  return rows.map(({ model }) => model);
};

/**
 * When those of a model get on: the next one at `readyAt`, each one after it `perTurnMs` later. `isResting`: not before a pause or a
 * breaker's time is over, and that is longer than work waits where another candidate has room.
 */
export type Pace = { readyAt: string; perTurnMs: number; isResting: boolean };

export type Progress = {
  given: readonly Given[];
  /** When it began to read the line. */
  at: Date;
  virtualTimes: readonly number[];
  nextAt: Date | null;
  paces: Readonly<Record<string, Pace>>;
};

export const nameOf = ({ generationId, number }: AttemptKey): string => `${generationId}/${number}`;

/** Who asked longer ago than this does not stand there any more, in seconds. */
const presentSeconds = 30;

const isPresent = Prisma.sql`coalesce(t.asked_at > clock_timestamp() - make_interval(secs => ${presentSeconds}), false)`;

/**
 * Writes a round down. The turns count from this statement on. Returns those that are to be told: nobody stands waiting for
 * their answer.
 */
export const recordRound = (transaction: Statements, provider: string, progress: Progress): Promise<AttemptKey[]> => {
  const { given, at, virtualTimes, nextAt, paces } = progress;
  return transaction.$queryRaw`
    WITH turned AS (
      UPDATE turns t SET credential = g.alias, lease_until = ${leaseEnd},
        told_at = CASE WHEN ${isPresent} THEN NULL ELSE clock_timestamp() END
      FROM unnest(${given.map(({ turn }) => turn.generationId)}::text[], ${given.map(({ turn }) => turn.number)}::int[],
        ${given.map(({ alias }) => alias)}::text[]) AS g(generation_id, number, alias)
      WHERE t.generation_id = g.generation_id AND t.number = g.number
      RETURNING t.generation_id, t.number, t.told_at),
    queue AS (
      UPDATE queues SET virtual_times = ${virtualTimes}, given = given + ${given.length}, next_at = ${nextAt},
        looked_at = ${at}, paces = ${JSON.stringify(paces)}::jsonb
      WHERE provider = ${provider})
    SELECT generation_id AS "generationId", number FROM turned WHERE told_at IS NOT NULL`;
};

/** Which of the kept keys has this name; `null`: none is in use. */
export const readPrint = async (
  database: Database,
  { provider, alias }: { provider: string; alias: string },
): Promise<string | null> => {
  const rows = await database.$queryRaw<{ print: string }[]>`
    SELECT print FROM provider_credentials WHERE provider = ${provider} AND alias = ${alias}`;
  return rows[0]?.print ?? null;
};

/** Where a waiting attempt stands, from 1, and when its model's turns go on; `null`: it does not wait. */
export const readPlace = async (
  database: Database,
  key: AttemptKey,
): Promise<{ place: number; pace: Pace | null; pausedWork: 'wait' | 'reroute' | null; now: Date } | null> => {
  const rows = await database.$queryRaw<
    { place: number; pace: Pace | null; pausedWork: 'wait' | 'reroute' | null; now: Date }[]
  >`
    SELECT ${placeOf(Prisma.sql`o`)} AS place, q.paces -> o.model AS pace, q.paused_work AS "pausedWork",
      clock_timestamp() AS now
    FROM turns o JOIN queues q ON q.provider = o.provider
    WHERE o.generation_id = ${key.generationId} AND o.number = ${key.number} AND ${waitsAs(Prisma.sql`o`)}`;
  return rows[0] ?? null;
};

/** How many turns of its model, itself among them, come up to the one in `own`. */
const placeOf = (own: Prisma.Sql): Prisma.Sql => Prisma.sql`(
  SELECT count(*)::int FROM turns t WHERE t.provider = ${own}.provider AND t.model = ${own}.model AND ${waits}
    AND (t.priority, t.tag, t.since, t.generation_id) <= (${own}.priority, ${own}.tag, ${own}.since, ${own}.generation_id))`;

/** Of a generation `g` that waits: its place, and in about how many seconds its turn comes, if anybody can tell. */
export const queueOfGeneration = Prisma.sql`(
  SELECT json_build_object('position', w.place, 'expectedSeconds',
    ceil(greatest(extract(epoch FROM (w.pace ->> 'readyAt')::timestamptz - clock_timestamp()), 0)
      + (w.place - 1) * (w.pace ->> 'perTurnMs')::float8 / 1000)::int)
  FROM (SELECT ${placeOf(Prisma.sql`o`)} AS place, q.paces -> o.model AS pace
    FROM turns o JOIN queues q ON q.provider = o.provider
    WHERE o.generation_id = g.id AND g.phase = 'waiting_for_capacity' AND ${waitsAs(Prisma.sql`o`)}
    ORDER BY o.number DESC LIMIT 1) w)`;

/** Remembers which keys were used last: each a grain of the clock after the one before, so that no two are the same. */
export const recordUse = async (transaction: Statements, provider: string, given: readonly Given[]): Promise<void> => {
  const latestFirst = [...new Set(given.map(({ alias }) => alias).reverse())];
  if (latestFirst.length === 0) return;
  await transaction.$executeRaw`
    UPDATE provider_credentials c SET last_used_at = l.at + make_interval(secs => u.place / 1000.0)
    FROM unnest(${latestFirst.reverse()}::text[]) WITH ORDINALITY AS u(alias, place), (
      SELECT greatest(statement_timestamp(), max(last_used_at)) AS at FROM provider_credentials
      WHERE provider = ${provider}) l
    WHERE c.provider = ${provider} AND c.alias = u.alias`;
};

/** Something may be possible now that was not: the next look at the queue does not wait. */
export const wakeQueue = async (database: Statements, provider: string): Promise<void> => {
  await database.$executeRaw`
    UPDATE queues SET next_at = clock_timestamp() WHERE provider = ${provider} AND next_at > clock_timestamp()`;
};

/** Providers somebody waits for; `due`: those that are to be looked at now. */
export const listQueues = async (database: Database, { due }: { due: boolean }): Promise<string[]> => {
  const rows = await database.$queryRaw<{ provider: string }[]>`
    SELECT provider FROM queues WHERE next_at IS NOT NULL AND (NOT ${due} OR next_at <= clock_timestamp())`;
  return rows.map(({ provider }) => provider);
};

/** How many are told again at once. */
const toldAtOnce = 100;

/**
 * Whose workflow was told two seconds ago and has not come: of its turn, or that it may go elsewhere. To be told again.
 */
export const takeUntold = (database: Database): Promise<AttemptKey[]> =>
  database.$queryRaw`
    UPDATE turns SET told_at = clock_timestamp() FROM (
      SELECT generation_id, number FROM turns
      WHERE told_at < clock_timestamp() - interval '2 seconds'
        AND (lease_until IS NULL OR lease_until > clock_timestamp())
      ORDER BY told_at LIMIT ${toldAtOnce} FOR UPDATE SKIP LOCKED) AS late
    WHERE turns.generation_id = late.generation_id AND turns.number = late.number
    RETURNING turns.generation_id AS "generationId", turns.number`;

/** Those that wait for these models are to look again, for another candidate or whether they are to wait at all. */
export const stirWaiting = async (database: Statements, provider: string, models: readonly string[]): Promise<void> => {
  await database.$executeRaw`
    UPDATE turns SET told_at = to_timestamp(0), credential = NULL, lease_until = NULL
    WHERE provider = ${provider} AND model = ANY(${models}) AND (told_at IS NULL OR lease_until IS NOT NULL)
      AND ${waitsAs(Prisma.sql`turns`)}`;
};

/** A person stopped sending: what becomes of those that wait is their choice. Those that may go elsewhere are to look. */
export const pauseQueue = async (database: Statements, provider: string, work: 'wait' | 'reroute'): Promise<void> => {
  await database.$executeRaw`
    INSERT INTO queues (provider, virtual_times, paused_at, paused_work)
    VALUES (${provider}, '{0,0,0}', clock_timestamp(), ${work})
    ON CONFLICT (provider) DO UPDATE
      SET paused_at = coalesce(queues.paused_at, excluded.paused_at), paused_work = excluded.paused_work`;
  if (work === 'reroute') await stirWaiting(database, provider, await listWaitingModels(database, provider));
};

export const resumeQueue = async (database: Statements, provider: string): Promise<void> => {
  await database.$executeRaw`
    UPDATE queues SET paused_at = NULL, paused_work = NULL,
      next_at = CASE WHEN next_at IS NULL THEN NULL ELSE clock_timestamp() END
    WHERE provider = ${provider}`;
};

export type QueueState = {
  provider: string;
  pausedAt: Date | null;
  pausedWork: 'wait' | 'reroute' | null;
  paces: Record<string, Pace>;
  waiting: { model: string; priority: number; count: number }[];
};

/** Every provider's queue, with how many wait in it. */
export const readQueues = (database: Database): Promise<QueueState[]> =>
  database.$queryRaw`
    SELECT q.provider, q.paused_at AS "pausedAt", q.paused_work AS "pausedWork", q.paces,
      (SELECT coalesce(json_agg(w), '[]') FROM (
        SELECT t.model, t.priority, count(*)::int AS count FROM turns t WHERE t.provider = q.provider AND ${waits}
        GROUP BY t.model, t.priority ORDER BY t.model, t.priority) w) AS waiting
    FROM queues q ORDER BY q.provider`;
