import type { Rule } from '../domain/limits';
import type { Gauge } from '../domain/turns';
import type { Statements } from './database';
import { Prisma } from './generated/client';

/**
 * One second longer than the provider's own: two requests may travel at different speed, and it counts them as they
 * arrive.
 */
const windows = { minute: Prisma.sql`interval '61 seconds'`, day: Prisma.sql`interval '24 hours 1 second'` };

const fits = (table: string): Prisma.Sql => {
  const column = (name: string): Prisma.Sql => Prisma.raw(`${table}.${name}`);
  return Prisma.sql`${column('credential')} = r.credential AND (r.model = '' OR ${column('model')} = r.model)`;
};

/** Given and not used: a turn is counted like what it will become. */
const givenTurns = Prisma.sql`turns t JOIN attempts a ON a.generation_id = t.generation_id AND a.number = t.number
  WHERE t.provider = r.provider AND ${fits('t')} AND t.lease_until > clock_timestamp()`;

const countGiven = Prisma.sql`(SELECT count(*) FROM ${givenTurns})`;

/** What was accepted and has not ended; a lost answer may be running work for as long as such work takes. */
const inFlight = Prisma.sql`SELECT count(*)::float8 + ${countGiven} AS used, NULL::timestamptz AS "freesAt"
  FROM attempts a WHERE a.provider = r.provider AND ${fits('a')} AND (a.status IN ('submitting', 'submitted')
    OR (a.status = 'ambiguous' AND a.sent_at > clock_timestamp() - make_interval(secs => r.work_seconds)))`;

const requestsOf = (length: Prisma.Sql, more: Prisma.Sql): Prisma.Sql => Prisma.sql`
  SELECT count(*) AS count, min(s.at) AS oldest
  FROM sends s WHERE s.provider = r.provider AND s.credential = r.credential AND s.at > clock_timestamp() - ${length} ${more}`;

/** Of the whole key from the index alone: a busy one has sent many thousands in a minute. */
const requestsIn = (length: Prisma.Sql): Prisma.Sql => Prisma.sql`
  SELECT s.count::float8 + ${countGiven} AS used, s.oldest + ${length} AS "freesAt" FROM (
    SELECT * FROM (${requestsOf(length, Prisma.empty)}) AS every WHERE r.model = ''
    UNION ALL SELECT * FROM (${requestsOf(length, Prisma.sql`AND s.model = r.model`)}) AS one WHERE r.model <> '') s`;

const tokens = Prisma.sql`
  SELECT coalesce(sum(s.tokens), 0)::float8 + (SELECT coalesce(sum(t.tokens), 0) FROM ${givenTurns}) AS used,
    min(s.at) + ${windows.minute} AS "freesAt"
  FROM sends s WHERE s.provider = r.provider AND ${fits('s')} AND s.at > clock_timestamp() - ${windows.minute}`;

/** What it cost, or may have cost, since the month began; UTC, for the providers' own months are nowhere written. */
const month = Prisma.sql`date_trunc('month', clock_timestamp(), 'UTC')`;

const spend = Prisma.sql`
  SELECT coalesce(sum(coalesce(a.cost_usd, a.possible_cost_usd, a.estimated_usd)), 0)::float8
      + (SELECT coalesce(sum(a.estimated_usd), 0) FROM ${givenTurns})::float8 AS used,
    ${month} + interval '1 month' AS "freesAt"
  FROM attempts a
  WHERE a.provider = r.provider AND ${fits('a')} AND a.sent_at >= ${month} AND a.status <> 'superseded'`;

/** How far each of these limits is used, as a query: `credential`, and the members of a gauge. */
export const gaugesOf = (
  { provider, rules }: { provider: string; rules: readonly Rule[] },
  workSecondsOf: (model: string | null) => number,
): Prisma.Sql => Prisma.sql`
  SELECT r.credential, nullif(r.model, '') AS model, r.kind, r.most, u.used, u."freesAt"
  FROM unnest(${rules.map(({ credential }) => credential)}::text[], ${rules.map(({ model }) => model ?? '')}::text[],
    ${rules.map(({ kind }) => kind)}::text[], ${rules.map(({ most }) => most)}::float8[],
    ${rules.map(({ model }) => workSecondsOf(model))}::float8[], ${rules.map(() => provider)}::text[])
    AS r(credential, model, kind, most, work_seconds, provider)
  CROSS JOIN LATERAL (
    SELECT * FROM (${inFlight}) AS f WHERE r.kind = 'jobs_in_flight'
    UNION ALL SELECT * FROM (${requestsIn(windows.minute)}) AS m WHERE r.kind = 'requests_per_minute'
    UNION ALL SELECT * FROM (${requestsIn(windows.day)}) AS d WHERE r.kind = 'requests_per_day'
    UNION ALL SELECT * FROM (${tokens}) AS k WHERE r.kind = 'tokens_per_minute'
    UNION ALL SELECT * FROM (${spend}) AS s WHERE r.kind = 'spend_per_month'
  ) u`;

/** How far each of these limits is used. */
export const readGauges = (
  database: Statements,
  ...asked: Parameters<typeof gaugesOf>
): Promise<(Gauge & { credential: string })[]> => database.$queryRaw(gaugesOf(...asked));
