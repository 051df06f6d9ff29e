import * as fs from 'node:fs';
import { createServer, type Server } from 'node:net';
import path from 'node:path';
import { Client } from 'pg';
import * as projects from './project';

let folder: string;
let project: string;
let home: string;

beforeAll(() => {
  folder = projects.makeFolder();
  project = projects.makeProject(path.join(folder, 'project'.concat(' one')));
  home = path.join(project, 'home');
});

afterAll(() => projects.endEverything(folder));

const readEnvironment = (name: string): Record<string, string> =>
  JSON.parse(fs.readFileSync(path.join(home, `environment-${name}.json`), 'utf8')) as Record<string, string>;

const query = async (text: string): Promise<unknown[]> => {
  const client = new Client({ connectionString: readEnvironment('api')['DATABASE_URL'] });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
};

const stop = async (run: projects.Run): Promise<number | string> => {
  run.process.kill('SIGINT');
  return run.ended;
};

test('starts on a fresh home, is found by its children, and goes on with the same data and ports at the second start', async () => {
  const first = projects.runMain(project, 'main', {
    environment: { FAL_KEY: '', PGSSLMODE: 'require', TEMPORAL_NAMESPACE: 'elsewhere' },
  });
  await projects.waitUntilUp(first);
  await query('CREATE TABLE kept AS SELECT 7 AS number');
  const before = readEnvironment('worker');
  expect(before).toMatchObject({
    TEMPORAL_ADDRESS: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    FAL_API_KEY: 'emulator',
    OPENAI_BASE_URL: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/openai\/v1$/),
    CLOUDFLARE_BASE_URL: expect.stringMatching(/\/cloudflare\/client\/v4$/),
    STORAGE_URL: expect.stringContaining('/home/blobs'),
  });
  expect(before).not.toHaveProperty('PGSSLMODE');
  expect(before).not.toHaveProperty('TEMPORAL_NAMESPACE');
  expect(fs.readFileSync(before['SURESHOT_CONFIG'] ?? '', 'utf8')).toContain('scale: 0.1');
  for (const secret of ['api-key', 'secret', 'postgres-password'])
    expect(fs.statSync(path.join(home, secret)).mode & 0o777).toBe(0o600);
  expect(await stop(first)).toBe(0);
  expect(first.output()).toContain('stopped');
  expect(projects.listProcessesOf(project)).toEqual([]);

  const second = projects.runMain(project, 'main');
  await projects.waitUntilUp(second);
  expect(await query('SELECT number FROM kept')).toEqual([{ number: 7 }]);
  const { SURESHOT_API_KEY, TEMPORAL_ADDRESS, DATABASE_URL, FAL_BASE_URL } = before;
  expect(readEnvironment('worker')).toMatchObject({ SURESHOT_API_KEY, TEMPORAL_ADDRESS, DATABASE_URL, FAL_BASE_URL });

  const third = projects.runMain(project, 'main');
  expect(await third.ended).toBe(1);
  expect(third.output()).toContain(`another stack (pid ${second.process.pid}) runs on the home ${home}`);

  expect(await stop(second)).toBe(0);
});

test('starts again what dies, each on its old port', async () => {
  const run = projects.runMain(project, 'main');
  await projects.waitUntilUp(run);
  // A backend that computes does not notice the death of its server, and holds the shared memory.
  const computing = query('SELECT count(*) FROM generate_series(1, 100000000000)').catch((error: Error) => error);
  await projects.waitFor('the computing backend', () =>
    projects.listProcessesOf(project).some((line) => line.includes(' SELECT')),
  );
  const before = projects.readPids(home);
  const killed = ['postgres', 'temporal', 'api', 'worker', 'emulator'];
  for (const name of killed) process.kill(before[name] ?? 0, 'SIGKILL');
  await projects.waitFor('all of them', () => killed.every((name) => run.output().includes(`${name} is back`)));
  const after = projects.readPids(home);
  for (const name of killed) expect(after[name]).not.toBe(before[name]);
  expect(await computing).toBeInstanceOf(Error);
  expect(await query('SELECT number FROM kept')).toEqual([{ number: 7 }]);
  expect(await stop(run)).toBe(0);
  expect(projects.listProcessesOf(project)).toEqual([]);
});

test('ends at once at the second Ctrl-C', async () => {
  const run = projects.runMain(project, 'main', { environment: { STAND_IN_IS_STUBBORN: 'yes' } });
  await projects.waitUntilUp(run);
  const { api = 0 } = projects.readPids(home);
  run.process.kill('SIGINT');
  await projects.waitFor('the end of the API', () => !fs.existsSync(`/proc/${api}`));
  expect(run.process.exitCode).toBe(null);
  run.process.kill('SIGINT');
  expect(await run.ended).toBe(0);
  await projects.waitUntilNothingRuns(project);
});

const listen = async (): Promise<{ server: Server; port: number }> => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, port: (server.address() as { port: number }).port };
};

test('refuses a taken PORT before anything is started', async () => {
  const { server, port } = await listen();
  const run = projects.runMain(project, 'main', { environment: { PORT: String(port) } });
  expect(await run.ended).toBe(1);
  expect(run.output()).toBe(
    `sureshot: port ${port} on 127.0.0.1 is taken: stop what uses it, or set PORT (and HOST) to another one\n`,
  );
  server.close();
});

test('goes to other internal ports when the kept ones are taken', async () => {
  const ports = JSON.parse(fs.readFileSync(path.join(home, 'ports.json'), 'utf8')) as Record<string, number>;
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(ports['postgres'], '127.0.0.1', resolve));
  const run = projects.runMain(project, 'main');
  await projects.waitUntilUp(run);
  expect(await query('SELECT number FROM kept')).toEqual([{ number: 7 }]);
  expect(await stop(run)).toBe(0);
  taken.close();
});

test('stops in the midst of its start without leaving anything', async () => {
  const run = projects.runMain(project, 'main', { environment: { SURESHOT_HOME: path.join(project, 'interrupted') } });
  await projects.waitFor('the first process', () => projects.readPids(path.join(project, 'interrupted'))['reaper']);
  run.process.kill('SIGTERM');
  expect(await run.ended).toBe(130);
  await projects.waitUntilNothingRuns(project);
});
