import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { transformFileSync } from '@swc/core';

const repository = path.resolve(__dirname, '../..');

/** Compiled one by one: the stack under test is always that of the present sources, whatever `dist` holds. */
const compile = (source: string, target: string): void => {
  const { code } = transformFileSync(source, {
    jsc: { parser: { syntax: 'typescript' }, target: 'es2023' },
    module: { type: 'commonjs', ignoreDynamic: true },
    swcrc: false,
  });
  fs.mkdirSync(path.dirname(target), { recursive: true });
  fs.writeFileSync(target, code);
};

const compileFolder = (folder: string, target: string): void => {
  for (const name of fs.readdirSync(folder).filter((file) => file.endsWith('.ts'))) {
    compile(path.join(folder, name), path.join(target, name.replace(/\.ts$/, '.js')));
  }
};

/** In place of emulator, worker and API: says that it is ready, tells its environment, dies when told to. */
const standIn = `
const { createServer } = require('node:http');
const { writeFileSync } = require('node:fs');
const name = process.argv[1].includes('emulator') ? 'emulator' : process.argv[1].includes('worker') ? 'worker' : 'api';
process.on('disconnect', () => process.exit(0));
process.on('SIGTERM', () => name === 'worker' && process.env.STAND_IN_IS_STUBBORN ? undefined : process.exit(0));
if (process.env.SURESHOT_HOME) writeFileSync(process.env.SURESHOT_HOME + '/environment-' + name + '.json', JSON.stringify(process.env));
if (name === 'worker' && process.env.STAND_IN_CRASHES) {
  console.error('the stand-in has had enough');
  process.exit(3);
}
const port = name === 'api' ? Number(process.env.PORT) : name === 'emulator' ? Number(process.env.EMULATOR_PORT) : 0;
const generation = (id, status) => ({
  id, status, phase: status === 'running' ? 'polling' : null, progress: null, attempts: [{ provider: 'runway' }, { provider: 'fal' }],
  artifacts: [{ index: 0, contentType: 'image/png', bytes: 9, url: '/v1/generations/' + id + '/artifacts/0' }], cost: { actualUsd: '0.05' },
  createdAt: '2026-11-21T00:00:00Z', completedAt: '2026-11-21T00:00:01Z',
  error: status === 'failed' ? { code: 'provider_failed', message: 'it broke' } : null,
});
const answer = (method, url, body) => {
  if (method === 'POST') return generation(body.includes('broken') ? 'gen_broken' : 'gen_' + JSON.parse(body).medium, 'running');
  if (url.endsWith('/artifacts/0')) return 'the bytes';
  if (url.startsWith('/v1/generations/')) return generation(url.slice(16), url.endsWith('broken') ? 'failed' : 'succeeded');
  return process.pid;
};
const server = createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  const found = answer(request.method, request.url, body);
  response.end(typeof found === 'string' ? found : JSON.stringify(found));
});
server.listen(port, '127.0.0.1', () => process.send({ type: 'ready', port: server.address().port }));
`;

/** The providers' plain data, which the configuration is checked against. */
const listRows = (): string[] =>
  fs
    .readdirSync(path.join(repository, 'src/providers'), { recursive: true, encoding: 'utf8' })
    .filter((file) => /models\.ts$/.test(file))
    .map((file) => `providers/${file.replace(/\.ts$/, '')}`);

/** A project of its own: the real stack and mains, stand-ins for what the stack only keeps running. */
export const makeProject = (folder: string): string => {
  const dist = path.join(folder, 'dist');
  for (const room of ['', 'embedded', 'domain'])
    compileFolder(path.join(repository, 'src', room), path.join(dist, room));
  for (const name of ['providers/catalogue', ...listRows()])
    compile(path.join(repository, `src/${name}.ts`), path.join(dist, `${name}.js`));
  fs.mkdirSync(path.join(dist, 'emulator'));
  for (const name of ['server.js', 'worker.js', 'emulator/main.js']) fs.writeFileSync(path.join(dist, name), standIn);
  fs.symlinkSync(path.join(repository, 'node_modules'), path.join(folder, 'node_modules'));
  return folder;
};

/** With a blank in its name, as home directories have. Everybody may enter it. */
export const makeFolder = (): string => {
  const folder = fs.mkdtempSync(path.join(tmpdir(), 'sure shot '));
  fs.chmodSync(folder, 0o755);
  return folder;
};

export const waitFor = async <Value>(
  what: string,
  look: () => Value | null | undefined | false,
  timeoutMs = 20_000,
): Promise<Value> => {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = look();
    if (value !== null && value !== undefined && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await delay(20);
  }
};

export type Run = {
  process: ChildProcess;
  output: () => string;
  /** The exit code, or the signal's name. */
  ended: Promise<number | string>;
};

export type RunOptions = {
  environment?: Record<string, string>;
  user?: { uid: number; gid: number };
  words?: string[];
};

const baseEnvironment = {
  PATH: process.env['PATH'] ?? '',
  HOME: process.env['HOME'] ?? '',
  XDG_CACHE_HOME: process.env['XDG_CACHE_HOME'] ?? '',
};

/** Runs a main as a terminal would. */
export const runMain = (project: string, main: string, options: RunOptions = {}): Run => {
  const started = spawn(process.execPath, [path.join(project, 'dist', `${main}.js`), ...(options.words ?? [])], {
    cwd: project,
    env: { ...baseEnvironment, SURESHOT_HOME: path.join(project, 'home'), PORT: '0', ...options.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options.user,
  });
  let output = '';
  for (const stream of [started.stdout, started.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
  const ended = new Promise<number | string>((resolve) =>
    started.once('close', (code, signal) => resolve(code ?? signal ?? '')),
  );
  return { process: started, output: () => output, ended };
};

type Recorded = { name: string; pid: number };

/** What the home says is running, the reaper included. */
export const readPids = (home: string): Record<string, number> => {
  try {
    const records = JSON.parse(fs.readFileSync(path.join(home, 'processes.json'), 'utf8')) as Recorded[];
    return Object.fromEntries(records.map(({ name, pid }) => [name, pid]));
  } catch {
    return {};
  }
};

export const waitUntilUp = async (run: Run): Promise<void> => {
  await waitFor(`the banner; so far: ${run.output()}`, () => {
    if (run.process.exitCode !== null) throw new Error(`ended with ${run.process.exitCode}: ${run.output()}`);
    return run.output().includes('Ctrl-C stops everything');
  });
};

/** Every process that has to do with this folder, by its command line, its working folder or a file it has open. */
export const listProcessesOf = (folder: string): string[] => {
  const pids = fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  return pids.flatMap((pid) => {
    try {
      const command = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      const place = fs.readlinkSync(`/proc/${pid}/cwd`);
      return command.includes(folder) || place.startsWith(folder) ? [`${pid} ${command}`] : [];
    } catch {
      return [];
    }
  });
};

export const waitUntilNothingRuns = (folder: string): Promise<true> =>
  waitFor(`the end of ${listProcessesOf(folder).join(', ')}`, () => listProcessesOf(folder).length === 0);

/** Ends whatever a failed test left, so that it cannot disturb the next. */
export const endEverything = async (folder: string): Promise<void> => {
  for (const line of listProcessesOf(folder)) spawnSync('kill', ['-9', line.split(' ')[0] ?? '']);
  await waitUntilNothingRuns(folder);
  fs.rmSync(folder, { recursive: true, force: true });
};
