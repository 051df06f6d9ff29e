import { PrismaPg } from '@prisma/adapter-pg';
import { Pool } from 'pg';
import { type Prisma, PrismaClient } from './generated/client';

export type Database = PrismaClient;
export type Transaction = Prisma.TransactionClient;

/**
 * A connection that dies between two listeners of the libraries would end the process: each has one from the start. Its
 * query or transaction learns of it by itself.
 */
const createPool = ({ url, poolSize }: { url: string; poolSize: number }): Pool => {
  // Prisma reads the times of its raw queries as UTC, whatever zone the database is set to
  const options = '-c TimeZone=UTC';
  const pool = new Pool({ connectionString: url, max: poolSize, connectionTimeoutMillis: 5_000, options });
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
};

/** `poolSize` × processes must stay below the server's `max_connections`. */
export const connectDatabase = (settings: { url: string; poolSize: number }): Database =>
  new PrismaClient({
    adapter: new PrismaPg(createPool(settings), { disposeExternalPool: true }),
    // a transaction waits for a connection as long as a connection may take, and is short: it talks to nobody else
    transactionOptions: { maxWait: 5_000, timeout: 10_000 },
  });

/** Retried by nobody: what must outlive an outage of PostgreSQL runs in an activity whose retry policy does. */
export const inTransaction = <Result>(
  database: Database,
  work: (transaction: Transaction) => Promise<Result>,
): Promise<Result> => database.$transaction(work);
