import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { StackError } from './stack-error';
import type { ChildSpec } from './child-run';

export type TemporalOptions = { home: string; binary: string; port: number; uiPort: number };

const searchAttributes = ['SureshotTenant', 'SureshotMedium', 'SureshotProvider', 'SureshotStatus'];

/** Measured (docs: temporal.md §1): the dev server has one history shard, whose poll limits make every task wait for 50 ms. */
const dynamicConfig = [
  'history.transferProcessorMaxPollRPS=1000',
  'history.timerProcessorMaxPollRPS=1000',
  'history.visibilityProcessorMaxPollRPS=1000',
  'matching.numTaskqueueReadPartitions=1',
  'matching.numTaskqueueWritePartitions=1',
  'matching.useNewMatcher=true',
  'matching.enableFairness=true',
];

const databaseFile = (home: string): string => path.join(home, 'temporal.db');

const serverArguments = ({ home, port, uiPort }: TemporalOptions): string[] => [
  ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), '--ui-port', String(uiPort)],
  // NORMAL outlives the death of every process, not a power cut.
  ...['--db-filename', databaseFile(home), '--sqlite-pragma', 'journal_mode=WAL', '--sqlite-pragma', 'synchronous=NORMAL'],
  // Its warnings are chatter about its own start and stop.
  ...['--log-level', 'error', '--color', 'never', '--disable-config-env', '--disable-config-file'],
  ...dynamicConfig.flatMap((value) => ['--dynamic-config-value', value]),
  ...searchAttributes.flatMap((name) => ['--search-attribute', `${name}=Keyword`]),
];

const sqliteMagic = 'SQLite format 3\0';

/** The server itself dies of a damaged file with pages of Go stacks. */
const refuseDamagedDatabase = (file: string): void => {
  if (!existsSync(file)) return;
  const header = Buffer.alloc(sqliteMagic.length);
  const descriptor = openSync(file, 'r');
  const readBytes = readSync(descriptor, header);
  closeSync(descriptor);
  if (readBytes === 0 || header.toString('latin1') === sqliteMagic) return;
  throw new StackError(`the home is damaged: ${file} is no SQLite database: restore it, or delete the home to begin anew`);
};

const retryMs = 50;

const isServing = async (uiPort: number, over: AbortSignal): Promise<boolean> => {
  try {
    const signal = AbortSignal.any([over, AbortSignal.timeout(5_000)]);
    const answer = await fetch(`http://127.0.0.1:${uiPort}/api/v1/namespaces/default`, { signal });
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false;
  }
};

/** Through the Web UI's own API, which asks the frontend: one answer proves both, and no gRPC client with proxies is needed. */
const waitUntilServing = async (uiPort: number, over: AbortSignal): Promise<void> => {
  while (!(await isServing(uiPort, over))) await delay(retryMs, undefined, { signal: over });
};

export const prepareTemporal = (options: TemporalOptions): ChildSpec => {
  refuseDamagedDatabase(databaseFile(options.home));
  return {
    name: 'temporal',
    launch: () => spawn(options.binary, serverArguments(options), { cwd: options.home, detached: true, stdio: ['ignore', 'pipe', 'pipe'] }),
    waitUntilReady: (_child, over) => waitUntilServing(options.uiPort, over),
    stopSignals: ['SIGTERM'],
    stopTimeoutMs: 10_000,
    findImportant: () => null,
  };
};
