import {
  afterNews,
  memorySeconds,
  silentCodes,
  startProbe,
  type Breaker,
  type BreakerPolicy,
  type News,
  type Tally,
} from '../domain/breaker';
import { inTransaction, type Database, type Statements, type Transaction } from './database';
import { Prisma } from './generated/client';
import { appendProviderEvent } from './provider-events';

/** What a breaker is of. */
export type BreakerPlace = { provider: string; model: string; credential: string };

/** After the sender's own deadline its answer may still be on its way to us, in ms: as in `attempt-take.ts`. */
const settlingMs = 5_000;

/** Until when the probe has its turn, or may still be answered. */
const probeEnds = Prisma.sql`
  SELECT t.lease_until FROM turns t
    WHERE t.generation_id = split_part(b.probe, '/', 1) AND t.generation_id || '/' || t.number = b.probe
      AND t.credential = b.credential
  UNION ALL
  SELECT a.sent_at + make_interval(secs => (a.send_timeout_ms + ${settlingMs}) / 1000.0) FROM attempts a
    WHERE a.generation_id = split_part(b.probe, '/', 1) AND a.generation_id || '/' || a.number = b.probe
      AND a.status = 'submitting' AND a.credential = b.credential`;

/** Breakers of a provider that are not closed. `until`: nobody may try before; past it, one may. */
export const gatesOf = (provider: string): Prisma.Sql => Prisma.sql`
  SELECT b.credential, b.model,
    CASE b.state WHEN 'open' THEN b.open_until
      ELSE greatest(b.probe_until, (SELECT max(e) FROM (${probeEnds}) AS ends(e))) END AS until
  FROM breakers b WHERE b.provider = ${provider} AND b.state <> 'closed'`;

type Row = {
  state: Breaker['state'];
  openings: number;
  openUntil: Date | null;
  probe: string | null;
  probeUntil: Date | null;
  changedAt: Date;
  now: Date;
};

const columns = Prisma.sql`coalesce(b.state, 'closed') AS state, coalesce(b.openings, 0) AS openings, b.open_until AS "openUntil",
  b.probe, b.probe_until AS "probeUntil", coalesce(b.changed_at, to_timestamp(0)) AS "changedAt", clock_timestamp() AS now`;

/** As a row that was only made to be locked: it has never opened. */
const never = new Date(0);

const toBreaker = ({ state, openings, openUntil, probe, probeUntil }: Row): Breaker => {
  if (state === 'open') return { state, openings, until: openUntil ?? never };
  if (state === 'half_open') return { state, openings, probe: probe ?? '', until: probeUntil ?? never };
  return { state };
};

const placeIs = ({ provider, model, credential }: BreakerPlace): Prisma.Sql =>
  Prisma.sql`b.provider = ${provider} AND b.model = ${model} AND b.credential = ${credential}`;

const readRow = async (database: Database | Transaction, place: BreakerPlace): Promise<Row> => {
  const rows = await database.$queryRaw<Row[]>`
    SELECT ${columns} FROM (SELECT) AS one LEFT JOIN breakers b ON ${placeIs(place)}`;
  return rows[0] as Row;
};

/** The clock is read when the lock is held: times of one breaker never go back. */
const lockRow = async (transaction: Statements, { provider, model, credential }: BreakerPlace): Promise<Row> => {
  const rows = await transaction.$queryRaw<Row[]>`
    INSERT INTO breakers AS b (provider, model, credential, state, changed_at)
    VALUES (${provider}, ${model}, ${credential}, 'closed', to_timestamp(0))
    ON CONFLICT (provider, model, credential) DO UPDATE SET state = b.state
    RETURNING ${columns}`;
  return rows[0] as Row;
};

const writeRow = async (transaction: Statements, place: BreakerPlace, breaker: Breaker): Promise<void> => {
  const openings = breaker.state === 'closed' ? 0 : breaker.openings;
  const openUntil = breaker.state === 'open' ? breaker.until : null;
  const probe = breaker.state === 'half_open' ? breaker.probe : null;
  const probeUntil = breaker.state === 'half_open' ? breaker.until : null;
  await transaction.$executeRaw`
    UPDATE breakers b SET state = ${breaker.state}, openings = ${openings}, open_until = ${openUntil}, probe = ${probe},
      probe_until = ${probeUntil}, changed_at = clock_timestamp()
    WHERE ${placeIs(place)}`;
};

const eventTypes = { closed: 'breaker.closed', open: 'breaker.opened', half_open: 'breaker.half_open' } as const;

const describe = (breaker: Breaker): Record<string, unknown> =>
  breaker.state === 'closed' ? {} : { until: breaker.until.toISOString(), openings: breaker.openings };

const change = async (
  transaction: Statements,
  place: BreakerPlace,
  { breaker, data }: { breaker: Breaker; data: Record<string, unknown> | null },
): Promise<void> => {
  await writeRow(transaction, place, breaker);
  if (data === null) return;
  const type = eventTypes[breaker.state];
  await appendProviderEvent(transaction, { ...place, type, data: { ...describe(breaker), ...data } });
};

/**
 * This attempt tries for all the others. `false`: nobody may try now, or nobody needs to, which the round that gave the turn
 * has not seen yet.
 */
export const beginProbe = async (
  transaction: Statements,
  { probe, ...place }: BreakerPlace & { probe: string },
): Promise<boolean> => {
  const row = await lockRow(transaction, place);
  const before = toBreaker(row);
  const breaker = startProbe(before, { probe, now: row.now });
  if (breaker === before) return false;
  await change(transaction, place, { breaker, data: { probe } });
  return true;
};

/** What is counted: how sends were answered, or how work went that was accepted. */
export type TallyOf = 'sends' | 'work';

/** Enough for every policy: an hour of a busy key is not read for one fault. */
const mostRead = 5_000;

/** Sent since the breaker closed last, and not too long ago: what left before that says nothing about now. */
const recent = (place: BreakerPlace, since: Date): Prisma.Sql => Prisma.sql`
  b.provider = ${place.provider} AND b.credential = ${place.credential} AND b.model = ${place.model}
  AND b.at > greatest(${since}::timestamptz, statement_timestamp() - make_interval(secs => ${memorySeconds}))`;

const answerAt = Prisma.sql`b.at + make_interval(secs => b.latency_ms / 1000.0)`;

/** Work that fails is told apart from the sends: a provider that accepts all and does nothing has answered well. */
const answered = (place: BreakerPlace, since: Date): Prisma.Sql => Prisma.sql`
  SELECT b.is_fault, ${answerAt} AS told_at FROM sends b
  WHERE ${recent(place, since)} AND b.latency_ms IS NOT NULL AND b.outcome <> ALL(${[...silentCodes]})
    AND NOT (b.outcome = 'accepted' AND b.is_fault)
  ORDER BY b.at DESC LIMIT ${mostRead}`;

const worked = (place: BreakerPlace, since: Date): Prisma.Sql => Prisma.sql`
  SELECT a.status <> 'succeeded' AND b.is_fault AS is_fault,
    CASE WHEN a.status <> 'succeeded' AND b.is_fault THEN ${answerAt} ELSE a.ended_at END AS told_at
  FROM sends b JOIN attempts a ON a.generation_id = b.generation_id AND a.number = b.number AND a.epoch = b.epoch
  WHERE ${recent(place, since)} AND b.outcome = 'accepted'
    AND (a.status IN ('succeeded', 'failed') OR (a.status = 'submitted' AND b.is_fault))
  ORDER BY b.at DESC LIMIT ${mostRead}`;

const tellers = { sends: answered, work: worked };

export const readTally = async (
  database: Database | Transaction,
  place: BreakerPlace,
  { of, since, windowSeconds }: { of: TallyOf; since: Date; windowSeconds: number },
): Promise<Tally> => {
  const rows = await database.$queryRaw<Tally[]>`
    WITH told AS (${tellers[of](place, since)}),
      last AS (SELECT coalesce(max(told_at), '-infinity') AS good_at FROM told WHERE NOT is_fault),
      rolling AS (SELECT statement_timestamp() - make_interval(secs => ${windowSeconds}::float8) AS begins_at)
    SELECT count(*) FILTER (WHERE told_at > begins_at)::int AS count,
      count(*) FILTER (WHERE is_fault AND told_at > begins_at)::int AS faults,
      count(*) FILTER (WHERE is_fault AND told_at > good_at)::int AS "inARow"
    FROM told CROSS JOIN last CROSS JOIN rolling`;
  return rows[0] as Tally;
};

export type BreakerNews = Omit<News, 'now'> & { of: TallyOf };

const noTally: Tally = { count: 0, faults: 0, inARow: 0 };

/** What follows from the news, as the database shows it now. */
const decide = async (
  database: Database | Transaction,
  place: BreakerPlace,
  { row, news, policy }: { row: Row; news: BreakerNews; policy: BreakerPolicy },
): Promise<{ before: Breaker; after: Breaker; tally: Tally }> => {
  const before = toBreaker(row);
  const { windowSeconds } = policy;
  const isCounted = before.state === 'closed' && news.verdict === 'fault';
  const tally = isCounted
    ? await readTally(database, place, { of: news.of, since: row.changedAt, windowSeconds })
    : noTally;
  return { before, after: afterNews(before, { ...news, now: row.now }, { tally, policy }), tally };
};

/** What stands behind the change; `null`: a probe is left to the next, which is no news for anybody. */
const whyOf = (before: Breaker, after: Breaker, tally: Tally): Record<string, unknown> | null => {
  if (before.state === after.state) return null;
  return before.state === 'closed' ? tally : {};
};

/**
 * Moves the breaker by what was told, which must be committed: of those that come together, the last one sees all. Looks first
 * and locks only where something changes, so that rare faults leave no row. Returns what it changed to.
 */
export const recordNews = async (
  database: Database,
  place: BreakerPlace,
  { news, policy }: { news: BreakerNews; policy: BreakerPolicy },
): Promise<Breaker | null> => {
  const glance = await decide(database, place, { row: await readRow(database, place), news, policy });
  if (glance.after === glance.before) return null;
  return inTransaction(database, async (transaction) => {
    const row = await lockRow(transaction, place);
    const { before, after, tally } = await decide(transaction, place, { row, news, policy });
    if (after === before) return null;
    await change(transaction, place, { breaker: after, data: whyOf(before, after, tally) });
    return after;
  });
};

export type BreakerState = BreakerPlace & {
  state: Breaker['state'];
  openUntil: Date | null;
  openings: number;
  changedAt: Date;
};

/** Every breaker that has ever opened. */
export const listBreakers = (database: Database): Promise<BreakerState[]> =>
  database.$queryRaw`
    SELECT provider, model, credential, state, open_until AS "openUntil", openings, changed_at AS "changedAt"
    FROM breakers WHERE changed_at > to_timestamp(0) ORDER BY provider, model, credential`;
