import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { Client } from 'pg';
import type { Check } from '../cli/commands/doctor';
import { compareClocks } from './clock';

/** Same depth below the project from src/ and dist/. */
const migrationFolder = path.join(__dirname, '..', '..', 'prisma', 'migrations');

const connectTimeoutMs = 5_000;

const readOurs = async (): Promise<Map<string, string>> => {
  const entries = await readdir(migrationFolder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const read = async (name: string): Promise<[string, string]> => {
    const sql = await readFile(path.join(migrationFolder, name, 'migration.sql'));
    return [name, createHash('sha256').update(sql).digest('hex')];
  };
  return new Map(await Promise.all(names.sort().map(read)));
};

type Applied = { name: string; checksum: string; finished: boolean };

const undefinedTable = '42P01';

const readApplied = async (client: Client): Promise<Applied[]> => {
  const sql = `SELECT migration_name AS name, checksum, finished_at IS NOT NULL AS finished
    FROM _prisma_migrations WHERE rolled_back_at IS NULL`;
  try {
    return (await client.query<Applied>(sql)).rows;
  } catch (error) {
    if ((error as { code?: string }).code === undefinedTable) return [];
    throw error;
  }
};

const listed = (names: readonly string[]): string => names.join(', ');

/** `ours` and `applied` by name. */
export const judgeMigrations = (ours: ReadonlyMap<string, string>, applied: readonly Applied[]): Check => {
  const name = 'migrations';
  const known = new Map(applied.map((row) => [row.name, row.checksum]));
  const half = applied.filter(({ finished }) => !finished);
  if (half.length > 0)
    return {
      name,
      status: 'fail',
      detail: `begun and not finished: ${listed(half.map((row) => row.name))}`,
      fix: 'finish or roll back what the other tool began: prisma migrate resolve',
    };
  const edited = [...ours].filter(([row, checksum]) => known.has(row) && known.get(row) !== checksum);
  if (edited.length > 0)
    return {
      name,
      status: 'fail',
      detail: `edited after they were applied: ${listed(edited.map(([row]) => row))}`,
      fix: 'put the files back as they were; no process starts until then',
    };
  const missing = [...ours.keys()].filter((row) => !known.has(row));
  if (missing.length > 0)
    return {
      name,
      status: 'warn',
      detail: `not applied yet: ${listed(missing)}`,
      fix: 'start the API or a worker of this release: it applies them',
    };
  const newer = applied.filter((row) => !ours.has(row.name));
  if (newer.length > 0)
    return {
      name,
      status: 'warn',
      detail: `of a newer release than this one: ${listed(newer.map((row) => row.name))}`,
      fix: 'run the doctor of the release that runs',
    };
  return { name, status: 'ok', detail: `all ${ours.size} applied`, fix: null };
};

const checkClock = async (client: Client): Promise<Check> => {
  const sentMs = Date.now();
  const { rows } = await client.query<{ now: Date }>('SELECT clock_timestamp() AS now');
  const receivedMs = Date.now();
  const theirs = rows[0]?.now ?? new Date();
  return compareClocks({ name: 'clock', of: 'the database', theirs, sentMs, receivedMs, coarsenessMs: 1 });
};

/** An address is shown without its password. */
const placeOf = (databaseUrl: string): string => {
  const { hostname, port, pathname } = new URL(databaseUrl);
  return `${hostname}${port === '' ? '' : `:${port}`}${pathname}`;
};

const inspect = async (client: Client, databaseUrl: string): Promise<Check[]> => {
  const { rows } = await client.query<{ server_version: string }>('SHOW server_version');
  const detail = `PostgreSQL ${rows[0]?.server_version ?? ''} at ${placeOf(databaseUrl)}`;
  return [
    { name: 'database', status: 'ok', detail, fix: null },
    judgeMigrations(await readOurs(), await readApplied(client)),
    await checkClock(client),
  ];
};

/** Reads only. */
export const checkDatabase = async (databaseUrl: string): Promise<Check[]> => {
  const client = new Client({
    connectionString: databaseUrl,
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: connectTimeoutMs,
  });
  // a connection that ends by itself would be nobody's error
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await inspect(client, databaseUrl);
  } catch (error) {
    const detail = `${placeOf(databaseUrl)}: ${(error as Error).message || 'no answer'}`;
    const fix = 'start PostgreSQL, or correct DATABASE_URL';
    return [{ name: 'database', status: 'fail', detail, fix }];
  } finally {
    await client.end().catch(() => undefined);
  }
};
