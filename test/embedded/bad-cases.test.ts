import * as fs from 'node:fs';
import path from 'node:path';
import { isSupportedNode, supportedNodeVersions } from '../../src/embedded/node-version';
import * as projects from './project';

let folder: string;
let project: string;

beforeAll(() => {
  folder = projects.makeFolder();
  project = projects.makeProject(path.join(folder, 'project'));
});

afterAll(() => projects.endEverything(folder));

/** The whole of what is printed must be one message, without a stack. */
const fail = async (environment: Record<string, string>, options: projects.RunOptions = {}): Promise<string> => {
  const run = projects.runMain(project, 'main', { ...options, environment });
  expect(await run.ended).not.toBe(0);
  expect(run.output()).not.toMatch(/^\s+at /m);
  expect(projects.listProcessesOf(project)).toEqual([]);
  return run.output();
};

const makeHome = (name: string, files: Record<string, string>): string => {
  const home = path.join(project, name);
  for (const [file, content] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(home, file)), { recursive: true });
    fs.writeFileSync(path.join(home, file), content);
  }
  return home;
};

test.each([
  [
    'a data folder without PG_VERSION',
    { 'postgres/data/base/1': '' },
    'is no PostgreSQL data folder (PG_VERSION: ENOENT)',
  ],
  ['data of another PostgreSQL', { 'postgres/data/PG_VERSION': '14\n' }, 'was made by PostgreSQL 14, this is 18'],
  ['data that lost its control file', { 'postgres/data/PG_VERSION': '18\n' }, 'lacks global/pg_control'],
  ['a Temporal database that is none', { 'temporal.db': 'something else altogether' }, 'is no SQLite database'],
  ['an empty secret', { 'api-key': '\n' }, 'api-key holds no secret'],
])('refuses %s', async (_case, files, line) => {
  const home = makeHome(`damaged ${Object.keys(files).join().replaceAll('/', ' ')}`, files);
  const output = await fail({ SURESHOT_HOME: home });
  expect(output).toMatch(/^sureshot: the home is damaged: /m);
  expect(output).toContain(line);
});

test('refuses a home that is a file', async () => {
  makeHome('.', { 'a-file': '' });
  expect(await fail({ SURESHOT_HOME: path.join(project, 'a-file') })).toMatch(
    /^sureshot: the home folder .*a-file cannot be written \(E\w+\)/,
  );
});

test('refuses a home that cannot be written', async () => {
  fs.mkdirSync(path.join(project, 'closed'), { mode: 0o555 });
  // Root may write anywhere, so it tries as somebody else.
  const options = process.getuid?.() === 0 ? { user: { uid: 65_534, gid: 65_534 } } : {};
  const output = await fail({ SURESHOT_HOME: path.join(project, 'closed/home') }, options);
  expect(output).toMatch(
    /^sureshot: the home folder .*home cannot be written \(EACCES\): set SURESHOT_HOME to a folder of your own/,
  );
});

test('lists every problem of the configuration', async () => {
  const output = await fail({ PORT: 'many', FAL_BASE_URL: 'nowhere', SURESHOT_API_KEY: 'short' });
  for (const name of ['PORT', 'FAL_BASE_URL', 'SURESHOT_API_KEY']) expect(output).toContain(`  - ${name} `);
});

test('names the four ways to a Temporal server when there is none', async () => {
  const unreachable = {
    XDG_CACHE_HOME: path.join(project, 'cache'),
    HTTPS_PROXY: 'http://127.0.0.1:1',
    GOPROXY: 'off',
    GOMODCACHE: path.join(project, 'modules'),
    PATH: '/usr/bin:/bin',
  };
  const output = await fail(unreachable);
  expect(output).toContain('sureshot: there is no Temporal server: ');
  for (const way of ['"temporal" is on PATH', 'temporal.download', 'install Go', 'TEMPORAL_ADDRESS'])
    expect(output).toContain(way);
});

test('refuses an old Node before anything else', async () => {
  const pretend = path.join(project, 'pretend.cjs');
  fs.writeFileSync(pretend, "Object.defineProperty(process.versions, 'node', { value: '18.20.4' });");
  const output = await fail({ NODE_OPTIONS: `--require "${pretend}"` });
  expect(output).toBe(
    `sureshot: Node 18.20.4 is not supported, it needs ${supportedNodeVersions}: install one from https://nodejs.org\n`,
  );
});

test('knows the Node versions that package.json asks for', () => {
  const manifest = JSON.parse(fs.readFileSync(path.resolve(__dirname, '../../package.json'), 'utf8')) as {
    engines: { node: string };
  };
  expect(manifest.engines.node).toBe(supportedNodeVersions);
  expect(['20.19.0', '22.12.1', '24.0.0', '26.1.0'].map(isSupportedNode)).toEqual([true, true, true, true]);
  expect(['18.20.4', '20.18.9', '21.7.0', '22.11.0', '23.1.0'].map(isSupportedNode)).toEqual([
    false,
    false,
    false,
    false,
    false,
  ]);
});
