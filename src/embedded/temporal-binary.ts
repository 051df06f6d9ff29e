import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Environment } from '../config';
import { withDeadline } from './deadline';
import { compiledEntry } from './entries';
import { runGuarded, type Guard } from './guarded-run';
import { acquireLock } from './lock';
import { cacheFolder } from './places';
import { withProgress, type Log } from './progress';
import { StackError } from './stack-error';

/** The newest command line tool that `go install` accepts; its server (1.29.1) knows priority and fairness. */
export const temporalVersion = '1.5.1';
const oldestServer = [1, 29] as const;

export type TemporalSearch = { environment: Environment; log: Log; stopped: AbortSignal; guard: Guard };

const run = promisify(execFile);

const isExecutable = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

const findOnPath = (name: string, environment: Environment): string | null => {
  const folders = (environment['PATH'] ?? '').split(path.delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => path.join(folder, name)).find(isExecutable) ?? null;
};

/** Prints for instance `temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)`; built by Go it calls itself 0.0.0-DEV. */
const isRecentEnough = async (binary: string): Promise<boolean> => {
  const { stdout } = await run(binary, ['--version'], { timeout: 10_000 }).catch(() => ({ stdout: '' }));
  const [, major = 0, minor = 0] = (/Server (\d+)\.(\d+)/.exec(stdout) ?? []).map(Number);
  return major > oldestServer[0] || (major === oldestServer[0] && minor >= oldestServer[1]);
};

/** One way to get the binary to `target`; its rejection is the reason why not. */
type Way = { what: string; obtain: (search: TemporalSearch, folder: string) => Promise<string> };

const downloadTimeoutMs = 300_000;

/** The SDK starts the server it downloaded and hides its process, so it serves to fetch the file only, in a process of its own. */
const download: Way = {
  what: 'downloading the Temporal server (the SDK, from temporal.download)',
  obtain: async ({ environment, stopped, guard }, folder) => {
    const command = [process.execPath, compiledEntry('embedded/temporal-download.js'), folder];
    await withDeadline({ afterMs: downloadTimeoutMs, over: stopped }, (over) =>
      runGuarded(command, { environment, folder, over, guard }),
    );
    const [name] = readdirSync(folder).filter((file) => !file.endsWith('.downloading'));
    if (name === undefined) throw new Error('the SDK downloaded nothing');
    return path.join(folder, name);
  },
};

const build: Way = {
  what: 'building the Temporal server (go install, some minutes)',
  obtain: async ({ environment, stopped, guard }, folder) => {
    const go = findOnPath('go', environment) ?? ['/usr/local/go/bin/go'].find(isExecutable);
    if (go === undefined) throw new Error('Go is not installed');
    // GOOS or GOARCH of another machine would make `go install` refuse GOBIN.
    const goEnvironment = { ...environment, GOBIN: folder, GOOS: '', GOARCH: '', GOFLAGS: '' };
    const command = [go, 'install', `github.com/temporalio/cli/cmd/temporal@v${temporalVersion}`];
    await runGuarded(command, { environment: goEnvironment, folder, over: stopped, guard });
    return path.join(folder, 'temporal');
  },
};

const fourWays = `install the Temporal CLI so that "temporal" is on PATH (https://docs.temporal.io/cli), or let the SDK download it (a network that reaches temporal.download), or install Go (https://go.dev) so that it can be built, or set TEMPORAL_ADDRESS to a server that runs already`;

const obtain = async (search: TemporalSearch, target: string): Promise<string> => {
  const reasons: string[] = [];
  for (const way of [download, build]) {
    const folder = mkdtempSync(path.join(path.dirname(target), 'obtaining-'));
    try {
      const file = await withProgress(search.log, way.what, way.obtain(search, folder));
      renameSync(file, target);
      return target;
    } catch (error) {
      if (search.stopped.aborted) throw new StackError('stopped while the Temporal server was being obtained');
      reasons.push(`${way.what}: ${(error as Error).message}`);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  throw new StackError(`there is no Temporal server: ${fourWays}. Tried: ${reasons.join('; ')}`);
};

const lockPollMs = 200;

/** Null as long as another start is at it. */
const tryToObtain = async (search: TemporalSearch, target: string): Promise<string | null> => {
  const lock = acquireLock(`${target}.lock`);
  if ('heldBy' in lock) return null;
  try {
    return existsSync(target) ? target : await obtain(search, target);
  } finally {
    lock.release();
  }
};

const waitForOther = async (search: TemporalSearch, target: string): Promise<string> => {
  for (;;) {
    await delay(lockPollMs, undefined, { signal: search.stopped });
    const obtained = await tryToObtain(search, target);
    if (obtained !== null) return obtained;
  }
};

/** Two starts at once obtain it once: the second waits for the first. */
const obtainOnce = async (search: TemporalSearch, target: string): Promise<string> => {
  mkdirSync(path.dirname(target), { recursive: true });
  const obtained = await tryToObtain(search, target);
  return (
    obtained ?? withProgress(search.log, 'another start obtains the Temporal server', waitForOther(search, target))
  );
};

/** On PATH, in our cache, by the SDK's download, by Go: the first that works. */
export const findTemporalBinary = async (search: TemporalSearch): Promise<string> => {
  const onPath = findOnPath('temporal', search.environment);
  if (onPath !== null) {
    if (await isRecentEnough(onPath)) return onPath;
    search.log(`${onPath} is older than server ${oldestServer.join('.')} and is not used`);
  }
  const target = path.join(
    cacheFolder(search.environment['XDG_CACHE_HOME']),
    `temporal-${temporalVersion}`,
    'temporal',
  );
  if (isExecutable(target)) return target;
  try {
    return await obtainOnce(search, target);
  } catch (error) {
    if (error instanceof StackError) throw error;
    throw new StackError(
      `there is no Temporal server, and none can be kept in ${path.dirname(target)} (${(error as Error).message}): ${fourWays}`,
    );
  }
};
