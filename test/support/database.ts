import { createHash, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Client } from 'pg';
import { applyMigrations } from '../../src/stores/migrations';

export type TestDatabase = { url: string; drop(): Promise<void> };

const serverUrl = process.env['TEST_DATABASE_URL'] ?? 'postgresql://sureshot@127.0.0.1:54329/postgres';

const urlOf = (name: string): string => {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
};

const asServer = async <Result>(work: (client: Client) => Promise<Result>): Promise<Result> => {
  const client = new Client({ connectionString: serverUrl });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
};

/** Other migrations, other template: a server kept between runs never serves an old schema. */
const templateName = (): string => {
  const folder = path.join(__dirname, '..', '..', 'prisma', 'migrations');
  const hash = createHash('sha256');
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) hash.update(readFileSync(path.join(folder, entry.name, 'migration.sql')));
  }
  return `sureshot_template_${hash.digest('hex').slice(0, 16)}`;
};

/** Built under another name and renamed when complete, by whichever worker comes first. */
const ensureTemplate = (template: string): Promise<void> =>
  asServer(async (client) => {
    await client.query(`SELECT pg_advisory_lock(hashtext('sureshot test template'))`);
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [template]);
    if (rowCount) return;
    const draft = `${template}_draft`;
    await client.query(`DROP DATABASE IF EXISTS ${draft} WITH (FORCE)`);
    await client.query(`CREATE DATABASE ${draft}`);
    await applyMigrations(urlOf(draft));
    await client.query(`ALTER DATABASE ${draft} RENAME TO ${template}`);
  });

/** A fresh database with the current schema, cloned in some 50 ms. */
export const createTestDatabase = async (): Promise<TestDatabase> => {
  const template = templateName();
  await ensureTemplate(template);
  const name = `sureshot_test_${randomUUID().replaceAll('-', '')}`;
  await asServer((client) => client.query(`CREATE DATABASE ${name} TEMPLATE ${template}`));
  return {
    url: urlOf(name),
    drop: () => asServer(async (client) => void (await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`))),
  };
};
