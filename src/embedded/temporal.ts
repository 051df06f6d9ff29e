import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { withDeadline } from './deadline';
import { choosePort } from './ports';
import type { Log } from './progress';
import { StackError } from './stack-error';
import type { ChildSpec } from './child-run';

export type TemporalOptions = { home: string; binary: string; port: number; uiPort: number; log: Log };

const searchAttributes = ['SureshotTenant', 'SureshotMedium', 'SureshotProvider', 'SureshotStatus'];

/** Measured: the dev server has one history shard, whose poll limits make every task wait for 50 ms. */
const dynamicConfig = [
  'history.transferProcessorMaxPollRPS=1000',
  'history.timerProcessorMaxPollRPS=1000',
  'history.visibilityProcessorMaxPollRPS=1000',
  // by default short timers (delays between looks and tries) fire up to a second late
  'history.timerProcessorMaxTimeShift="10ms"',
  'matching.numTaskqueueReadPartitions=1',
  'matching.numTaskqueueWritePartitions=1',
  'matching.useNewMatcher=true',
  'matching.enableFairness=true',
];

const databaseFile = (home: string): string => path.join(home, 'temporal.db');

const serverArguments = ({ home, port, uiPort }: TemporalOptions): string[] => [
  ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), '--ui-port', String(uiPort)],
  // NORMAL outlives the death of every process, not a power cut.
  ...[
    '--db-filename',
    databaseFile(home),
    '--sqlite-pragma',
    'journal_mode=WAL',
    '--sqlite-pragma',
    'synchronous=NORMAL',
  ],
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
  throw new StackError(
    `the home is damaged: ${file} is no SQLite database: restore it, or delete the home to begin anew`,
  );
};

const retryMs = 50;

const isListening = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });

/** Of a question that needs its database; `null`: none in time. */
const askNamespace = async (uiPort: number, over?: AbortSignal): Promise<'well' | 'error' | null> => {
  try {
    return await withDeadline({ afterMs: 5_000, ...(over && { over }) }, async (signal) => {
      const answer = await fetch(`http://127.0.0.1:${uiPort}/api/v1/namespaces/default`, { signal });
      await answer.arrayBuffer();
      return answer.ok ? 'well' : 'error';
    });
  } catch {
    return null;
  }
};

/**
 * The Web UI's own API asks the frontend: one answer proves both, and no gRPC client with proxies is needed. The frontend's
 * port, which is nobody else's, comes first: on the usual Web UI port another stack's server may be the one that answers.
 */
const waitUntilServing = async ({ port, uiPort }: TemporalOptions, over: AbortSignal): Promise<void> => {
  while (!(await isListening(port)) || (await askNamespace(uiPort, over)) !== 'well')
    await delay(retryMs, undefined, { signal: over });
};

export type PreparedTemporal = { spec: ChildSpec; uiPort: () => number };

export const prepareTemporal = (options: TemporalOptions): PreparedTemporal => {
  refuseDamagedDatabase(databaseFile(options.home));
  let place = options;
  /** Two stacks may choose the usual port at the same moment; the one that loses must not try it for ever. */
  const prepare = async (): Promise<void> => {
    const uiPort = await choosePort(place.uiPort, new Set([place.port]));
    if (uiPort !== place.uiPort) options.log(`port ${place.uiPort} is taken: Temporal's Web UI goes to ${uiPort}`);
    place = { ...place, uiPort };
  };
  const spec: ChildSpec = {
    name: 'temporal',
    prepare,
    launch: () =>
      spawn(options.binary, serverArguments(place), {
        cwd: options.home,
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    waitUntilReady: (_child, over) => waitUntilServing(place, over),
    // Seen under load: its SQLite connection answers "interrupted" from one moment on. One that is only slow stays.
    brokenness: { everyMs: 5_000, isBroken: async () => (await askNamespace(place.uiPort)) === 'error' },
    stopSignals: ['SIGTERM'],
    stopTimeoutMs: 10_000,
    findImportant: () => null,
  };
  return { spec, uiPort: () => place.uiPort };
};
