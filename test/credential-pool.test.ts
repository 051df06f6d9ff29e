import { randomBytes } from 'node:crypto';
import { Writable } from 'node:stream';
import { pino, type Logger } from 'pino';
import { openCredential } from '../src/activities/dependencies';
import { readProcessConfig } from '../src/config';
import { followCredentials, followKeyNames, type CredentialPool } from '../src/credential-pool';
import type { Credential } from '../src/providers/provider';
import { connectDatabase, type Database } from '../src/stores/database';
import { addApiKey, removeApiKey, syncEnvironmentKeys } from '../src/stores/provider-credentials';
import { createVault, type EncryptionKey } from '../src/stores/vault';
import { createWorkerDependencies } from '../src/worker-dependencies';
import { createTestDatabase, type TestDatabase } from './support/database';
import { eventually } from './support/stack';

let testDatabase: TestDatabase;
let database: Database;
let closing: { close(): unknown }[];
let log: string[];
let logger: Logger;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = connectDatabase({ url: testDatabase.url, poolSize: 5 });
});

afterAll(async () => {
  await database.$disconnect();
  await testDatabase.drop();
});

beforeEach(async () => {
  await database.$executeRaw`TRUNCATE provider_credentials, kept_credentials`;
  closing = [];
  log = [];
  logger = pino(new Writable({ write: (chunk: Buffer, _encoding, done) => (log.push(chunk.toString()), done()) }));
});

afterEach(async () => {
  for (const open of closing) await open.close();
});

const sealing: EncryptionKey = { id: 'test', key: randomBytes(32) };

const key = (alias: string, secret = `secret of ${alias}`): Credential => ({ alias, secret, baseUrl: null });

type Start = {
  environment?: Record<string, Credential[]>;
  baseUrl?: string;
  seal?: EncryptionKey;
};

const firstKeys: string[] = [];

/** The pool of one more worker. */
const follow = ({ environment = {}, baseUrl = 'http://here', seal = sealing }: Start = {}): CredentialPool => {
  firstKeys.length = 0;
  const pool = followCredentials({
    ...{ database, logger, environment },
    vault: createVault<Credential>(database, [seal]),
    setups: { fal: { baseUrl, adminKey: 'admin' } },
    onFirstKey: (provider) => void firstKeys.push(provider),
  });
  closing.push(pool);
  return pool;
};

const giveByApi = async (alias: string, secret: string, seal = sealing): Promise<void> => {
  const vault = createVault<Credential>(database, [seal]);
  const print = await vault.keep('fal', { alias, secret, baseUrl: 'http://api' });
  expect(await addApiKey(database, { provider: 'fal', alias, print, priority: 100, weight: 1 })).toBeNull();
};

const seenBy = (pool: CredentialPool): string[] =>
  (pool.credentials()['fal'] ?? []).map(({ alias, secret }) => `${alias}: ${secret}`);

const away = () => database.$executeRaw`ALTER TABLE provider_credentials RENAME TO away`;
const back = () => database.$executeRaw`ALTER TABLE away RENAME TO provider_credentials`;

describe("a worker's keys", () => {
  test('are those of the environment before anything else is known', () => {
    const environment = { fal: [key('main'), key('second')], runway: [] };
    expect(follow({ environment }).credentials()).toEqual(environment);
  });

  test('have those given by API behind them, for the address that this process knows', async () => {
    const pool = follow({ environment: { fal: [key('main')] } });
    await pool.announce();
    await giveByApi('extra', 'given');
    await pool.refresh();
    expect(pool.credentials()['fal']).toEqual([
      key('main'),
      { alias: 'extra', secret: 'given', baseUrl: 'http://here', adminKey: 'admin' },
    ]);
    await removeApiKey(database, 'fal', 'extra');
    await pool.refresh();
    expect(seenBy(pool)).toEqual(['main: secret of main']);
  });

  test('follow the table by themselves', async () => {
    const pool = follow();
    await giveByApi('extra', 'given');
    await eventually(() => Promise.resolve(seenBy(pool).length === 1));
    await removeApiKey(database, 'fal', 'extra');
    await eventually(() => Promise.resolve(seenBy(pool).length === 0));
  });

  test('are as they were written before the look was asked for, also while another look runs', async () => {
    const pool = follow();
    for (const number of [1, 2, 3, 4, 5]) {
      const early = [pool.refresh(), pool.refresh()];
      await giveByApi(`key-${number}`, `given ${number}`);
      await pool.refresh();
      expect(seenBy(pool)).toHaveLength(number);
      await Promise.all(early);
    }
  });

  test('mean the same by a name in every worker, whichever was started before a change of the environment', async () => {
    const old = follow({ environment: { fal: [key('main', 'old'), key('gone')] } });
    await old.announce();
    const young = follow({ environment: { fal: [key('main', 'new'), key('more')] } });
    await young.announce();
    await old.refresh();
    expect(seenBy(old)).toEqual(['main: new', 'more: secret of more']);
    expect(seenBy(young)).toEqual(['main: new', 'more: secret of more']);
    expect(await database.keptCredential.count()).toBe(4);
  });

  test('stay as they were while the database is away, which is told once', async () => {
    const pool = follow({ environment: { fal: [key('main')] } });
    await pool.announce();
    await giveByApi('extra', 'given');
    await pool.refresh();
    log.length = 0;
    await away();
    for (let looks = 0; looks < 3; looks += 1) await pool.refresh();
    expect(seenBy(pool)).toEqual(['main: secret of main', 'extra: given']);
    expect(log.filter((line) => line.includes('cannot be read'))).toHaveLength(1);
    await back();
    await pool.refresh();
    expect(log.filter((line) => line.includes('can be read again'))).toHaveLength(1);
    expect(seenBy(pool)).toHaveLength(2);
  });

  test('lack what nothing opens, which is told once, until it can be opened', async () => {
    const lost: EncryptionKey = { id: 'lost', key: randomBytes(32) };
    await giveByApi('extra', 'given', lost);
    const pool = follow({ environment: { fal: [key('main')] } });
    await pool.announce();
    for (let looks = 0; looks < 2; looks += 1) await pool.refresh();
    expect(seenBy(pool)).toEqual(['main: secret of main']);
    expect(log.filter((line) => line.includes('cannot be opened'))).toHaveLength(1);
    await createVault<Credential>(database, [sealing]).keep('fal', key('extra', 'given'));
    await pool.refresh();
    expect(seenBy(pool)).toEqual(['main: secret of main', 'extra: given']);
    await database.keptCredential.deleteMany();
    await pool.refresh();
    expect(seenBy(pool)).toHaveLength(2);
  });

  test('tell of the first one of a provider', async () => {
    const pool = follow({ environment: { runway: [key('main')] } });
    await pool.announce();
    expect(firstKeys).toEqual([]);
    await giveByApi('extra', 'given');
    await giveByApi('more', 'given too');
    await pool.refresh();
    await pool.refresh();
    expect(firstKeys).toEqual(['fal']);
  });

  test('are never logged', async () => {
    const pool = follow({ environment: { fal: [key('main', 'hush-one')] } });
    await pool.announce();
    await giveByApi('extra', 'hush-two');
    await pool.refresh();
    await away();
    await pool.refresh();
    await back();
    expect(log.join('')).toContain('main');
    expect(log.join('')).not.toContain('hush');
  });
});

describe("the API's names", () => {
  test("are the environment's at once, whether or not a worker knows them, and those given by API", async () => {
    const names = followKeyNames({
      database,
      logger,
      environment: { fal: [key('main')], groq: [], runway: [key('r')] },
    });
    closing.push(names);
    expect([...names.configured()]).toEqual(['fal', 'runway']);
    await giveByApi('extra', 'given');
    await syncEnvironmentKeys(database, [{ provider: 'groq', alias: 'late', print: 'print' }]);
    await names.refresh();
    expect(Object.fromEntries(names.aliases())).toEqual({ fal: ['main', 'extra'], groq: ['late'], runway: ['r'] });
    expect([...names.configured()].sort()).toEqual(['fal', 'groq', 'runway']);
    await away();
    await names.refresh();
    expect(names.aliases().get('fal')).toEqual(['main', 'extra']);
    await back();
  });
});

describe('a key that has left', () => {
  const startWorker = (environment: Record<string, string>) => {
    const created = createWorkerDependencies(
      readProcessConfig({
        DATABASE_URL: testDatabase.url,
        TEMPORAL_ADDRESS: 'nowhere.invalid:7233',
        SURESHOT_SECRET: 'sixteen characters or more',
        LOG_LEVEL: 'silent',
        ...environment,
      }),
    );
    closing.push(created);
    return created;
  };

  const sentWith = (credential: string, credentialPrint: string | null) => ({
    ...{ provider: 'fal', credential, credentialPrint },
  });

  test('opens the work it was sent with, in a worker that never had it', async () => {
    const before = startWorker({ FAL_API_KEYS: 'main=first,second=other', FAL_BASE_URL: 'http://127.0.0.1:1' });
    await before.pool.announce();
    const { vault, credentials } = before.dependencies;
    const [main, second] = credentials['fal'] as [Credential, Credential];
    const after = startWorker({ FAL_API_KEYS: 'main=changed' });
    await after.pool.announce();
    const { dependencies } = after;
    expect(dependencies.credentials['fal']?.map(({ alias, secret }) => [alias, secret])).toEqual([['main', 'changed']]);
    const open = (credential: Credential) =>
      openCredential(dependencies, sentWith(credential.alias, vault.printOf(credential)));
    expect(await open(second)).toMatchObject({ secret: 'other', baseUrl: 'http://127.0.0.1:1' });
    expect(await open(main)).toMatchObject({ secret: 'first' });
  });

  test('opens it also where it was given by API and taken away', async () => {
    const { dependencies, pool } = startWorker({ SURESHOT_ENCRYPTION_KEYS: `a=${sealing.key.toString('base64')}` });
    await pool.announce();
    await giveByApi('extra', 'given', { ...sealing, id: 'a' });
    await pool.refresh();
    const [extra] = dependencies.credentials['fal'] as [Credential];
    await removeApiKey(database, 'fal', 'extra');
    await pool.refresh();
    expect(dependencies.credentials['fal']).toEqual([]);
    const print = dependencies.vault.printOf(extra);
    expect(await openCredential(dependencies, sentWith('extra', print))).toMatchObject({ secret: 'given' });
    expect(await openCredential(dependencies, sentWith('extra', null))).toBeNull();
  });
});
