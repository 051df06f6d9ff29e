import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { compareClocks } from '../../src/doctor/clock';
import { judgeMigrations } from '../../src/doctor/database';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { json, startRecordingServer } from '../support/recording-server';
import { call, makeFolder, removeFolder } from './command-line';

type Check = { name: string; status: string; detail: string; fix: string | null };

const folder = makeFolder();
let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});

afterAll(async () => {
  await database.drop();
  removeFolder(folder);
});

const nowhere = 'http://127.0.0.1:1';

const examine = async (environment: Record<string, string>, url = nowhere) => {
  const own = { SURESHOT_HOME: folder, ...environment };
  const { code, out } = await call(['doctor', '--json', '--url', url], own);
  const { ok, checks } = JSON.parse(out) as { ok: boolean; checks: Check[] };
  return { code, ok, checks, out, of: (name: string) => checks.filter((check) => check.name === name) };
};

test('ends with 3 where nothing is configured and no API answers', async () => {
  const { code, ok, of } = await examine({});
  expect({ code, ok }).toEqual({ code: 3, ok: false });
  expect(of('api')).toMatchObject([{ status: 'fail' }]);
});

test('tells in one line each, without --json, what to do about it', async () => {
  const { code, out } = await call(['doctor', '--url', nowhere], { FAL_KEY: 'id:secret', SURESHOT_HOME: folder });
  expect(code).toBe(1);
  expect(out).toMatch(/^ok {4}key fal .*looks like one$/m);
  expect(out).toMatch(/^fail {2}api .* → start it with npm start/m);
});

test('lists every problem of the configuration and of SURESHOT_CONFIG, and still looks at the database', async () => {
  const file = path.join(folder, 'settings.yaml');
  writeFileSync(file, 'polling: { scale: 0 }\nwishes: true\n');
  const { code, of } = await examine({ DATABASE_URL: database.url, PORT: 'x', SURESHOT_CONFIG: file });
  expect(code).toBe(1);
  const problems = of('configuration').map(({ detail }) => detail);
  for (const part of ['PORT', 'TEMPORAL_ADDRESS is not set', 'SURESHOT_SECRET is not set', 'polling.scale', 'wishes'])
    expect(problems).toContainEqual(expect.stringContaining(part));
  expect(of('database')).toMatchObject([{ status: 'ok' }]);
});

test('looks at a database under either of its names: migrations, clock, and storage next to it', async () => {
  const { of, out } = await examine({ POSTGRES_URL: database.url, STORAGE_URL: `file://${folder}/blobs` });
  for (const name of ['database', 'migrations', 'clock', 'storage']) expect(of(name)).toMatchObject([{ status: 'ok' }]);
  const { password } = new URL(database.url);
  if (password !== '') expect(out).not.toContain(password);
});

test('says that a database cannot be reached, without its password', async () => {
  const { code, of, out } = await examine({ DATABASE_URL: 'postgresql://me:hidden@127.0.0.1:1/sureshot' });
  expect(code).toBe(1);
  expect(of('database')).toMatchObject([{ status: 'fail', detail: expect.stringContaining('127.0.0.1:1/sureshot') }]);
  expect(out).not.toContain('hidden');
});

test('says that Temporal cannot be reached', async () => {
  const { of } = await examine({ TEMPORAL_ADDRESS: '127.0.0.1:1' });
  expect(of('temporal')).toMatchObject([{ status: 'fail', detail: expect.stringContaining('127.0.0.1:1') }]);
});

test('says that storage cannot be written', async () => {
  writeFileSync(path.join(folder, 'a-file'), '');
  const { of } = await examine({ STORAGE_URL: `file://${folder}/a-file/blobs` });
  expect(of('storage')).toMatchObject([{ status: 'fail', fix: expect.stringContaining('STORAGE_URL') }]);
});

test.each([
  ['blanks at its ends', { FAL_KEY: ' id:secret ' }, 'fal', 'fail'],
  ['quotes', { GROQ_API_KEY: '"gsk_1234"' }, 'groq', 'fail'],
  ['blanks alone', { OPENAI_API_KEY: '  ' }, 'openai', 'fail'],
  ['a placeholder', { ANTHROPIC_API_KEY: 'your-api-key-here' }, 'anthropic', 'fail'],
  ['the key of an administrator', { ANTHROPIC_API_KEYS: 'main=sk-ant-admin01-1234' }, 'anthropic', 'fail'],
  ['a global key', { CLOUDFLARE_API_TOKEN: 'cfk_1234', CLOUDFLARE_ACCOUNT_ID: 'a' }, 'cloudflare', 'fail'],
  ['another beginning', { OPENAI_API_KEY: 'gsk_1234567' }, 'openai', 'warn'],
  ['what it looks like', { GEMINI_API_KEY: 'AQ.1234567' }, 'google', 'ok'],
  ['an address of its own', { OPENAI_API_KEY: 'anything', OPENAI_BASE_URL: 'http://127.0.0.1:1/v1' }, 'openai', 'ok'],
])('judges a key that has %s by its shape, and shows its alias only', async (_what, environment, provider, status) => {
  const { of, out } = await examine(environment);
  expect(of(`key ${provider}`)).toMatchObject([{ status, detail: expect.stringMatching(/^(key-1|main) /) }]);
  for (const part of ['secret', 'gsk_1', 'admin01', 'cfk_', '1234567']) expect(out).not.toContain(part);
});

describe('an API', () => {
  test('that is ready, has keys and knows ours is fine', async () => {
    const server = await startRecordingServer((response, request) => {
      const answers: Record<string, unknown> = {
        '/readyz': { status: 'ok', database: 'up', temporal: 'up' },
        '/v1/providers': { data: [{ id: 'fal', configured: true }] },
        '/v1/generations?limit=1': { data: [] },
      };
      json(answers[request.path])(response, request);
    });
    const { code, checks, of } = await examine({ SURESHOT_API_KEY: 'sk_test_of_the_doctor' }, server.url);
    await server.close();
    expect(checks.filter(({ status }) => status !== 'ok')).toEqual([]);
    expect(code).toBe(0);
    expect(of('api providers')).toMatchObject([{ detail: 'keys for fal' }]);
  });

  test('that lost its database, or is something else, is not', async () => {
    const server = await startRecordingServer(json({ status: 'unavailable', database: 'down', temporal: 'up' }, 503));
    expect((await examine({}, server.url)).of('api')).toMatchObject([{ status: 'fail' }]);
    server.answer(json({ hello: 'world' }));
    const { code, of } = await examine({}, server.url);
    await server.close();
    expect(code).toBe(1);
    expect(of('api')).toMatchObject([{ status: 'fail', fix: 'correct --url' }]);
  });

  test('whose clock is far away is not fine, though a second of rounding is', async () => {
    const late = new Date(Date.now() - 60_000).toUTCString();
    const server = await startRecordingServer(
      json({ status: 'ok', database: 'up', temporal: 'up' }, 200, { date: late }),
    );
    const { of } = await examine({}, server.url);
    await server.close();
    expect(of('clock api')).toMatchObject([{ status: 'fail', detail: expect.stringContaining('behind this machine') }]);
  });
});

test.each([
  [0, 'ok'],
  [1_500, 'warn'],
  [-1_500, 'warn'],
  [6_000, 'fail'],
])('clocks that are %d ms apart are judged %s', (apartMs, status) => {
  const reading = { name: 'clock', of: 'it', sentMs: 1_000_000, receivedMs: 1_000_000, coarsenessMs: 1 };
  expect(compareClocks({ ...reading, theirs: new Date(1_000_000 + apartMs) }).status).toBe(status);
});

test.each([
  ['all applied', [{ name: 'one', checksum: 'a', finished: true }], 'ok'],
  ['one missing', [], 'warn'],
  ['one edited', [{ name: 'one', checksum: 'b', finished: true }], 'fail'],
  ['one half done', [{ name: 'one', checksum: 'a', finished: false }], 'fail'],
  [
    'one of a newer release',
    [
      { name: 'one', checksum: 'a', finished: true },
      { name: 'two', checksum: 'c', finished: true },
    ],
    'warn',
  ],
])('migrations with %s are judged', (_what, applied, status) => {
  expect(judgeMigrations(new Map([['one', 'a']]), applied).status).toBe(status);
});
