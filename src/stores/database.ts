import { PrismaPg } from '@prisma/adapter-pg';
import { type Prisma, PrismaClient } from './generated/client';

export type Database = PrismaClient;
export type Transaction = Prisma.TransactionClient;

/** `poolSize` × processes must stay below the server's `max_connections`. */
export const connectDatabase = ({ url, poolSize }: { url: string; poolSize: number }): Database =>
  new PrismaClient({
    adapter: new PrismaPg({ connectionString: url, max: poolSize, connectionTimeoutMillis: 5_000 }),
    // a transaction waits for a connection as long as a connection may take, and is short: it talks to nobody else
    transactionOptions: { maxWait: 5_000, timeout: 10_000 },
  });

/** Retried by nobody: what must outlive an outage of PostgreSQL runs in an activity whose retry policy does. */
export const inTransaction = <Result>(
  database: Database,
  work: (transaction: Transaction) => Promise<Result>,
): Promise<Result> => database.$transaction(work);
