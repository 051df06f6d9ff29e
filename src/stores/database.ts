import { PrismaPg } from '@prisma/adapter-pg';
import { Pool, type PoolClient, type QueryConfig, type QueryResult } from 'pg';
import { Prisma, PrismaClient } from './generated/client';

/** What runs raw SQL: a database, or a transaction of either kind. */
export type Statements = Pick<Prisma.TransactionClient, '$queryRaw' | '$executeRaw'>;

export type Transaction = Prisma.TransactionClient;

/**
 * Raw SQL straight to the driver, for what others wait behind: it takes a third of the time that it takes by way of Prisma, in
 * a transaction a quarter.
 */
type Direct = Statements & {
  $transaction: <Result>(work: (statements: Statements) => Promise<Result>) => Promise<Result>;
};

export type Database = PrismaClient & { readonly direct: Direct };

/**
 * A connection that dies between two listeners of the libraries would end the process: each has one from the start. Its
 * query or transaction learns of it by itself.
 */
const createPool = ({ url, poolSize }: { url: string; poolSize: number }): Pool => {
  // Prisma reads the times of its raw queries as UTC, whatever zone the database is set to; a process that is frozen in the
  // middle of a transaction must not hold its locks for ever
  const options = '-c TimeZone=UTC -c idle_in_transaction_session_timeout=30s';
  const pool = new Pool({ connectionString: url, max: poolSize, connectionTimeoutMillis: 5_000, options });
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
};

const transactionMs = 10_000;

type Template = TemplateStringsArray | Prisma.Sql;

const compose = (query: Template, values: unknown[]): Prisma.Sql =>
  'text' in query ? query : Prisma.sql(query, ...values);

/** By the text of the statement. There are a few dozen: lists are one parameter each. */
const preparedNames = new Map<string, string>();

/** Statements are prepared: what each connection runs many times a second takes longer to plan than to run. */
const prepare = (text: string): string => {
  const name = preparedNames.get(text) ?? `sureshot_${preparedNames.size}`;
  preparedNames.set(text, name);
  return name;
};

/** A server that does not answer any more must not keep us waiting for ever. */
const ask = (
  client: Pool | PoolClient,
  { text, values }: Pick<Prisma.Sql, 'text' | 'values'>,
): Promise<QueryResult> => {
  const query: QueryConfig & { query_timeout: number } = {
    ...{ name: prepare(text), text, values, query_timeout: transactionMs },
  };
  return client.query(query);
};

const statementsOf = (client: Pool | PoolClient): Statements => {
  const run = (query: Template, values: unknown[]) => ask(client, compose(query, values));
  const $queryRaw = async (query: Template, ...values: unknown[]): Promise<unknown[]> =>
    (await run(query, values)).rows as unknown[];
  const $executeRaw = async (query: Template, ...values: unknown[]): Promise<number> =>
    (await run(query, values)).rowCount ?? 0;
  return { $queryRaw, $executeRaw } as unknown as Statements;
};

const inDirectTransaction = async <Result>(
  pool: Pool,
  work: (statements: Statements) => Promise<Result>,
): Promise<Result> => {
  const client = await pool.connect();
  try {
    await ask(client, Prisma.sql`BEGIN`);
    const result = await work(statementsOf(client));
    await ask(client, Prisma.sql`COMMIT`);
    client.release();
    return result;
  } catch (error) {
    // whatever state it is in: without a connection there is no transaction
    client.release(true);
    throw error;
  }
};

/** `poolSize` × processes must stay below the server's `max_connections`. */
export const connectDatabase = (settings: { url: string; poolSize: number }): Database => {
  const pool = createPool(settings);
  const client = new PrismaClient({
    adapter: new PrismaPg(pool, { disposeExternalPool: true }),
    // a transaction waits for a connection as long as a connection may take, and is short: it talks to nobody else
    transactionOptions: { maxWait: 5_000, timeout: transactionMs },
  });
  const $transaction: Direct['$transaction'] = (work) => inDirectTransaction(pool, work);
  return Object.assign(client, { direct: { ...statementsOf(pool), $transaction } });
};

/** Retried by nobody: what must outlive an outage of PostgreSQL runs in an activity whose retry policy does. */
export const inTransaction = <Result>(
  database: Database,
  work: (transaction: Transaction) => Promise<Result>,
): Promise<Result> => database.$transaction(work);
