import type { LimitKind, Rule } from '../domain/limits';
import type { Gauge } from '../domain/turns';
import type { Statements } from './database';
import { Prisma } from './generated/client';

/**
 * One second longer than the provider's own: two requests may travel at different speed, and it counts them as they
 * arrive.
 */
const windows = { minute: Prisma.sql`interval '61 seconds'`, day: Prisma.sql`interval '24 hours 1 second'` };

/** Of the key, or of one model with that key. */
const fits = (table: string, isOfModel: boolean): Prisma.Sql => {
  const column = (name: string): Prisma.Sql => Prisma.raw(`${table}.${name}`);
  const ofKey = Prisma.sql`${column('provider')} = r.provider AND ${column('credential')} = r.credential`;
  return isOfModel ? Prisma.sql`${ofKey} AND ${column('model')} = r.model` : ofKey;
};

/** Given and not used: a turn is counted like what it will become. */
const isGiven = (isOfModel: boolean): Prisma.Sql =>
  Prisma.sql`${fits('t', isOfModel)} AND t.lease_until > statement_timestamp()`;

const countGiven = (isOfModel: boolean): Prisma.Sql =>
  Prisma.sql`(SELECT count(*) FROM turns t WHERE ${isGiven(isOfModel)})`;

/** What was accepted and has not ended; a lost answer may be running work for as long as such work takes. */
const inFlight = (isOfModel: boolean): Prisma.Sql => Prisma.sql`
  SELECT count(*)::float8 + ${countGiven(isOfModel)} AS used, NULL::timestamptz AS "freesAt"
  FROM attempts a WHERE ${fits('a', isOfModel)} AND (a.status IN ('submitting', 'submitted')
    OR (a.status = 'ambiguous' AND a.sent_at > statement_timestamp() - make_interval(secs => r.work_seconds)))`;

/** The oldest is looked up by itself: a busy key has sent many thousands, and counting alone needs no row of them. */
const requestsIn =
  (length: Prisma.Sql) =>
  (isOfModel: boolean): Prisma.Sql => {
    const sent = Prisma.sql`sends s WHERE ${fits('s', isOfModel)} AND s.at > statement_timestamp() - ${length}`;
    return Prisma.sql`
      SELECT (SELECT count(*) FROM ${sent})::float8 + ${countGiven(isOfModel)} AS used,
        (SELECT s.at FROM ${sent} ORDER BY s.at LIMIT 1) + ${length} AS "freesAt"`;
  };

const tokens = (isOfModel: boolean): Prisma.Sql => Prisma.sql`
  SELECT coalesce(sum(s.tokens), 0)::float8
      + (SELECT coalesce(sum(t.tokens), 0) FROM turns t WHERE ${isGiven(isOfModel)}) AS used,
    min(s.at) + ${windows.minute} AS "freesAt"
  FROM sends s WHERE ${fits('s', isOfModel)} AND s.at > statement_timestamp() - ${windows.minute}`;

/** What it cost, or may have cost, since the month began; UTC, for the providers' own months are nowhere written. */
const month = Prisma.sql`date_trunc('month', statement_timestamp(), 'UTC')`;

const spend = (isOfModel: boolean): Prisma.Sql => Prisma.sql`
  SELECT coalesce(sum(coalesce(a.cost_usd, a.possible_cost_usd, a.estimated_usd)), 0)::float8
      + (SELECT coalesce(sum(e.estimated_usd), 0) FROM turns t
        JOIN attempts e ON e.generation_id = t.generation_id AND e.number = t.number
        WHERE ${isGiven(isOfModel)})::float8 AS used,
    ${month} + interval '1 month' AS "freesAt"
  FROM attempts a WHERE ${fits('a', isOfModel)} AND a.sent_at >= ${month} AND a.status <> 'superseded'`;

const used: Record<LimitKind, (isOfModel: boolean) => Prisma.Sql> = {
  jobs_in_flight: inFlight,
  requests_per_minute: requestsIn(windows.minute),
  requests_per_day: requestsIn(windows.day),
  tokens_per_minute: tokens,
  spend_per_month: spend,
};

/** Only what is asked for: to plan a query for every kind of limit takes longer than to run it. */
const branchesOf = (rules: readonly Rule[]): Prisma.Sql[] =>
  [true, false].flatMap((isOfModel) => {
    const kinds = new Set(rules.filter(({ model }) => (model !== null) === isOfModel).map(({ kind }) => kind));
    return [...kinds].map(
      (kind) =>
        Prisma.sql`SELECT * FROM (${used[kind](isOfModel)}) AS u WHERE r.kind = ${kind} AND (r.model <> '') = ${isOfModel}`,
    );
  });

const nothing = Prisma.sql`SELECT NULL::text AS credential WHERE false`;

/** How far each of these limits is used, as a query: `credential`, and the members of a gauge. */
export const gaugesOf = (
  { provider, rules }: { provider: string; rules: readonly Rule[] },
  workSecondsOf: (model: string | null) => number,
): Prisma.Sql =>
  rules.length === 0
    ? nothing
    : Prisma.sql`
  SELECT r.credential, nullif(r.model, '') AS model, r.kind, r.most, u.used, u."freesAt"
  FROM unnest(${rules.map(({ credential }) => credential)}::text[], ${rules.map(({ model }) => model ?? '')}::text[],
    ${rules.map(({ kind }) => kind)}::text[], ${rules.map(({ most }) => most)}::float8[],
    ${rules.map(({ model }) => workSecondsOf(model))}::float8[], ${rules.map(() => provider)}::text[])
    AS r(credential, model, kind, most, work_seconds, provider)
  CROSS JOIN LATERAL (${Prisma.join(branchesOf(rules), ' UNION ALL ')}) u`;

/** How far each of these limits is used. */
export const readGauges = (
  database: Statements,
  ...asked: Parameters<typeof gaugesOf>
): Promise<(Gauge & { credential: string })[]> => database.$queryRaw(gaugesOf(...asked));
