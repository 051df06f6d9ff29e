import * as fs from 'node:fs';
import path from 'node:path';
import * as projects from './project';

let folder: string;
let project: string;
let home: string;

beforeAll(() => {
  folder = projects.makeFolder();
  project = projects.makeProject(path.join(folder, 'project'));
  home = path.join(project, 'home');
});

afterAll(() => projects.endEverything(folder));

test('leaves no process when it is killed', async () => {
  const run = projects.runMain(project, 'main');
  await projects.waitUntilUp(run);
  expect(Object.keys(projects.readPids(home)).toSorted()).toEqual([
    'api',
    'emulator',
    'postgres',
    'reaper',
    'temporal',
    'worker',
  ]);
  run.process.kill('SIGKILL');
  await run.ended;
  await projects.waitUntilNothingRuns(project);
});

test('leaves no process when its reaper was killed before it', async () => {
  const run = projects.runMain(project, 'main');
  await projects.waitUntilUp(run);
  const { reaper = 0 } = projects.readPids(home);
  process.kill(reaper, 'SIGKILL');
  await projects.waitFor('another reaper', () => (projects.readPids(home)['reaper'] ?? reaper) !== reaper);
  run.process.kill('SIGKILL');
  await run.ended;
  await projects.waitUntilNothingRuns(project);
});

test('ends at the next start what outlived both itself and its reaper', async () => {
  const killed = projects.runMain(project, 'main');
  await projects.waitUntilUp(killed);
  const { reaper = 0, postgres = 0, temporal = 0 } = projects.readPids(home);
  // Stopped first, so that none of the two sees the other's death.
  for (const pid of [killed.process.pid ?? 0, reaper]) process.kill(pid, 'SIGSTOP');
  for (const pid of [reaper, killed.process.pid ?? 0]) process.kill(pid, 'SIGKILL');
  await killed.ended;
  expect(projects.listProcessesOf(project).map((line) => Number(line.split(' ')[0]))).toEqual(
    expect.arrayContaining([postgres, temporal]),
  );

  const next = projects.runMain(project, 'main');
  await projects.waitUntilUp(next);
  expect(next.output()).toContain('ending what a killed stack left behind: ');
  const pids = projects.readPids(home);
  expect([pids['postgres'], pids['temporal']]).not.toEqual(expect.arrayContaining([postgres]));
  next.process.kill('SIGTERM');
  expect(await next.ended).toBe(0);
  expect(projects.listProcessesOf(project)).toEqual([]);
});

test('never ends a process that only has the pid of a former child', async () => {
  const records = [{ name: 'temporal', pid: process.pid, startedAt: 'another boot/1', stopSignals: ['SIGTERM'] }];
  fs.writeFileSync(path.join(home, 'processes.json'), JSON.stringify(records));
  fs.writeFileSync(path.join(home, 'lock'), JSON.stringify({ pid: process.pid, startedAt: 'another boot/1' }));
  fs.writeFileSync(path.join(home, 'postgres/data/postmaster.pid'), `${process.pid}\n${home}/postgres/data\n`);
  const run = projects.runMain(project, 'main');
  await projects.waitUntilUp(run);
  run.process.kill('SIGINT');
  expect(await run.ended).toBe(0);
});

test('gives up at the fifth crash within a minute, naming child and reason, and leaves nothing', async () => {
  const run = projects.runMain(project, 'main', { environment: { STAND_IN_CRASHES: 'yes' } });
  expect(await run.ended).toBe(1);
  const output = run.output();
  for (const pause of [1, 2, 4])
    expect(output).toContain(`worker ended (exit code 3); it is started again in ${pause} s`);
  expect(output).toMatch(
    /sureshot: worker ended 5 times within a minute \(exit code 3\); the end of .*worker\.log:\n(.*\n)*? {2}the stand-in has had enough/,
  );
  expect(projects.listProcessesOf(project)).toEqual([]);
});
