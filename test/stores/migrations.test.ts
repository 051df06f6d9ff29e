import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { applyMigrations } from '../../src/stores/migrations';
import { createTestDatabase } from '../support/database';

const project = path.join(__dirname, '..', '..');
const folder = path.join(project, 'prisma', 'migrations');
const names = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name)
  .sort();

let serverUrl: string;
let dropFirst: () => Promise<void>;
const created: string[] = [];

const ask = async <Row extends object>(url: string, sql: string): Promise<Row[]> => {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const result = await client.query<Row>(sql);
    return result.rows;
  } finally {
    await client.end();
  }
};

beforeAll(async () => {
  const database = await createTestDatabase();
  serverUrl = database.url;
  dropFirst = () => database.drop();
});

afterAll(async () => {
  for (const name of created) await ask(serverUrl, `DROP DATABASE ${name} WITH (FORCE)`);
  await dropFirst();
});

const createEmpty = async (): Promise<string> => {
  const name = `sureshot_empty_${randomUUID().replaceAll('-', '')}`;
  await ask(serverUrl, `CREATE DATABASE ${name} TEMPLATE template0`);
  created.push(name);
  return Object.assign(new URL(serverUrl), { pathname: `/${name}` }).href;
};

/** Everything of a schema that matters, as lines that can be compared. */
const catalogueOf = async (url: string): Promise<string[]> => {
  const queries = [
    `SELECT format('table %s', table_name) AS line FROM information_schema.tables
     WHERE table_schema = 'public' AND table_name <> '_prisma_migrations'`,
    `SELECT format('column %s.%s %s null=%s default=%s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
       NOT a.attnotnull, coalesce(pg_get_expr(d.adbin, d.adrelid), 'none')) AS line
     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'
       AND c.relnamespace = 'public'::regnamespace AND c.relname <> '_prisma_migrations'
     LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum WHERE a.attnum > 0 AND NOT a.attisdropped`,
    `SELECT format('index %s', indexdef) AS line FROM pg_indexes
     WHERE schemaname = 'public' AND tablename <> '_prisma_migrations'`,
    `SELECT format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) AS line
     FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> '_prisma_migrations'`,
  ];
  const answers = await Promise.all(queries.map((query) => ask<{ line: string }>(url, query)));
  return answers
    .flat()
    .map(({ line }) => line)
    .sort();
};

const schemaSql = async (): Promise<string> => {
  const environment = { ...process.env, DATABASE_URL: serverUrl };
  const script = path.join(project, 'prisma', 'schema-sql.mjs');
  const { stdout } = await promisify(execFile)(process.execPath, [script], { env: environment });
  return stdout;
};

test('the migrations make the schema that schema.prisma describes', async () => {
  const [migrated, described] = [await createEmpty(), await createEmpty()];
  await applyMigrations(migrated);
  await ask(described, await schemaSql());
  const catalogue = await catalogueOf(described);
  expect(catalogue.filter((line) => line.startsWith('table ')).length).toBeGreaterThanOrEqual(6);
  expect(await catalogueOf(migrated)).toEqual(catalogue);
});

test.each([
  ['a default', `ALTER TABLE tenants ALTER COLUMN weight SET DEFAULT 2`],
  ['a nullable column', `ALTER TABLE attempts ALTER COLUMN price_version DROP NOT NULL`],
  ['a type', `ALTER TABLE attempts ALTER COLUMN cost_usd TYPE numeric(20, 7)`],
  ['a column', `ALTER TABLE events ADD COLUMN extra text`],
  ['a missing index', `DROP INDEX generations_tenant_id_id_idx`],
  ['a constraint', `ALTER TABLE artifacts DROP CONSTRAINT artifacts_generation_id_fkey`],
])('the comparison sees %s that differs', async (_what, change) => {
  const database = await createTestDatabase();
  const before = await catalogueOf(database.url);
  await ask(database.url, change);
  expect(await catalogueOf(database.url)).not.toEqual(before);
  await database.drop();
});

test('applies every migration in order, and nothing the second time', async () => {
  const url = await createEmpty();
  expect(await applyMigrations(url)).toEqual(names);
  const before = await ask(url, 'SELECT * FROM _prisma_migrations');
  expect(await applyMigrations(url)).toEqual([]);
  expect(await ask(url, 'SELECT * FROM _prisma_migrations')).toEqual(before);
});

test('five replicas that start at once apply each migration once', async () => {
  const url = await createEmpty();
  const applied = await Promise.all(Array.from({ length: 5 }, () => applyMigrations(url)));
  expect(applied.flat()).toEqual(names);
  const rows = await ask(url, 'SELECT FROM _prisma_migrations');
  expect(rows).toHaveLength(names.length);
});

test('leaves the rows that prisma migrate deploy would have left', async () => {
  const url = await createEmpty();
  await applyMigrations(url);
  const rows = await ask<Record<string, unknown>>(url, 'SELECT * FROM _prisma_migrations ORDER BY migration_name');
  expect(rows).toEqual(
    names.map((name) => ({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      migration_name: name,
      checksum: createHash('sha256')
        .update(readFileSync(path.join(folder, name, 'migration.sql')))
        .digest('hex'),
      started_at: expect.any(Date),
      finished_at: expect.any(Date),
      rolled_back_at: null,
      logs: null,
      applied_steps_count: 1,
    })),
  );
});

test('refuses a migration that was edited after it had been applied, and names it', async () => {
  const database = await createTestDatabase();
  await ask(database.url, `UPDATE _prisma_migrations SET checksum = repeat('0', 64)`);
  await expect(applyMigrations(database.url)).rejects.toThrow(`migration ${names[0]} was edited`);
  await database.drop();
});

test('a migration that fails leaves nothing behind, and goes through once its cause is gone', async () => {
  const url = await createEmpty();
  await ask(url, 'CREATE TABLE events (mine text)');
  await expect(applyMigrations(url)).rejects.toThrow(/^migration \S+ failed: .*"events" already exists/);
  expect(await ask(url, 'SELECT FROM _prisma_migrations')).toEqual([]);
  expect((await catalogueOf(url)).filter((line) => line.startsWith('table '))).toEqual(['table events']);
  await ask(url, 'DROP TABLE events');
  expect(await applyMigrations(url)).toEqual(names);
});

test('does not take a migration that another tool left half done for an applied one', async () => {
  const database = await createTestDatabase();
  await ask(database.url, `UPDATE _prisma_migrations SET finished_at = NULL`);
  await expect(applyMigrations(database.url)).rejects.toThrow(names[0] ?? '');
  await database.drop();
});
