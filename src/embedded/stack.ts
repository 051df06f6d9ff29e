import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Environment, StackConfig } from '../config';
import { composeChildEnvironment, neutralEnvironment, type Surroundings } from './child-environment';
import type { ChildSpec } from './child-run';
import { compiledEntry } from './entries';
import type { Guard } from './guarded-run';
import { keepPorts, keepSecret, lockHome, prepareHome } from './home';
import { endLeftoverProcesses, recordProcesses } from './leftovers';
import { nodeChild } from './node-child';
import { requirePort } from './ports';
import { preparePostgres } from './postgres';
import { withProgress, type Log } from './progress';
import { startReaper } from './reaper-client';
import { StackError } from './stack-error';
import { createSupervisor, type Supervisor } from './supervisor';
import { prepareTemporal } from './temporal';
import { findTemporalBinary } from './temporal-binary';

export type StackPiece = 'postgres' | 'temporal' | 'emulator' | 'worker' | 'api';

export type StackOptions = {
  config: StackConfig;
  /** Goes on to the children, corrected. */
  environment: Environment;
  log: Log;
  /** All of them by default; what the configuration says is elsewhere is never started. */
  pieces?: readonly StackPiece[];
  /** Taken: another one is chosen, and said. */
  temporalUiPort?: number;
  /** Stops the stack, also in the midst of its start. */
  stopped?: AbortSignal;
  /** Stops waiting for children that take their time to stop. */
  hastened?: AbortSignal;
};

export type Stack = {
  home: string;
  apiUrl: string;
  apiKey: string;
  databaseUrl: string | null;
  temporalAddress: string | null;
  /** Null when the Temporal server is not ours. */
  temporalUiUrl: string | null;
  /** Null when no provider is emulated. */
  emulatorUrl: string | null;
  /** By name, of what runs at the moment. */
  pids: () => Record<string, number>;
  stop: () => Promise<void>;
  /** Settles when everything has stopped: null as asked for, else why it was given up. */
  ended: Promise<StackError | null>;
};

type Building = StackOptions & {
  supervisor: Supervisor;
  guard: Guard;
  pieces: readonly StackPiece[];
  stopped: AbortSignal;
  /** One piece failed: what the others are still doing has become pointless. */
  abandon: (error: unknown) => void;
};

/** In the order of need. */
const everyPiece: readonly StackPiece[] = ['postgres', 'temporal', 'emulator', 'worker', 'api'];

/** A worker may be in a call to a provider, up to ten minutes with a synchronous model: cut off, its fate would be unknown. */
const workerStopTimeoutMs = 660_000;
const stopTimeoutMs = 10_000;

const describeUrl = (host: string, port: number): string => {
  const reachable = { '0.0.0.0': '127.0.0.1', '::': '[::1]' }[host] ?? (host.includes(':') ? `[${host}]` : host);
  return `http://${reachable}:${port}`;
};

const startPostgres = async (building: Building, port: number): Promise<string | null> => {
  const { config, pieces, supervisor, log } = building;
  if (config.databaseUrl !== null || !pieces.includes('postgres')) return config.databaseUrl;
  const password = keepSecret(config.home, 'postgres-password');
  const { spec, databaseUrl } = await withProgress(
    log,
    'preparing PostgreSQL',
    preparePostgres({ home: config.home, port, password }),
  );
  await withProgress(log, 'starting PostgreSQL', supervisor.start(spec));
  return databaseUrl;
};

/** Null when none of ours is wanted. May take minutes, so it comes before ports are chosen: they would be taken by then. */
const obtainTemporal = async (building: Building): Promise<string | null> =>
  building.config.temporalAddress === null && building.pieces.includes('temporal')
    ? findTemporalBinary(building)
    : null;

type TemporalPlace = { binary: string | null; port: number; uiPort: number };

type TemporalFound = { address: string | null; uiUrl: string | null };

const startTemporal = async ({ config, supervisor, log }: Building, place: TemporalPlace): Promise<TemporalFound> => {
  const { binary, port, uiPort } = place;
  if (binary === null) return { address: config.temporalAddress, uiUrl: null };
  const prepared = prepareTemporal({ home: config.home, binary, port, uiPort, log });
  await withProgress(log, 'starting Temporal', supervisor.start(prepared.spec));
  return { address: `127.0.0.1:${port}`, uiUrl: `http://127.0.0.1:${prepared.uiPort()}` };
};

const startEmulator = async (building: Building, port: number): Promise<string | null> => {
  const { config, pieces, supervisor, log } = building;
  if (config.emulated.length === 0 || !pieces.includes('emulator')) return null;
  const own = { EMULATOR_PORT: String(port), EMULATOR_STATE: path.join(config.home, 'emulator.jsonl') };
  const environment = { ...neutralEnvironment(building.environment), ...own };
  const spec = nodeChild({ name: 'emulator', entry: 'emulator/main.js', environment, stopTimeoutMs });
  await withProgress(log, 'starting the emulator', supervisor.start(spec));
  return `http://127.0.0.1:${port}`;
};

const startServices = async (building: Building, surroundings: Surroundings): Promise<void> => {
  const environment = composeChildEnvironment(building.environment, building.config, surroundings);
  const specs: ChildSpec[] = [
    nodeChild({ name: 'worker', entry: 'worker.js', environment, stopTimeoutMs: workerStopTimeoutMs }),
    nodeChild({ name: 'api', entry: 'server.js', environment, stopTimeoutMs }),
  ];
  const wanted = specs.filter(({ name }) => building.pieces.includes(name as StackPiece));
  await withProgress(building.log, 'starting API and worker', Promise.all(wanted.map(building.supervisor.start)));
};

const portNames = ['postgres', 'temporal', 'temporalUi', 'emulator', 'api'];

type Port = (name: string) => number;

const startServers = async (building: Building, port: Port, binary: string | null) => {
  const works = [
    startPostgres(building, port('postgres')),
    startTemporal(building, { binary, port: port('temporal'), uiPort: building.temporalUiPort ?? port('temporalUi') }),
    startEmulator(building, port('emulator')),
  ] as const;
  try {
    return await Promise.all(works);
  } catch (error) {
    building.abandon(error);
    // None of them may still touch the home once it is given back.
    await Promise.allSettled(works);
    throw error;
  }
};

/** In the order of need; what does not need each other, at once. */
const startPieces = async (building: Building): Promise<Surroundings> => {
  const { config } = building;
  const binary = await obtainTemporal(building);
  const ports = await keepPorts(config.home, portNames);
  const port: Port = (name) => ports[name] ?? 0;
  const [databaseUrl, temporal, emulatorUrl] = await startServers(building, port, binary);
  const surroundings: Surroundings = {
    apiKey: config.apiKey ?? keepSecret(config.home, 'api-key', 'sk_dev_'),
    secret: config.secret ?? keepSecret(config.home, 'secret'),
    port: config.port === 0 ? port('api') : config.port,
    databaseUrl,
    temporalAddress: temporal.address,
    temporalUiUrl: temporal.uiUrl,
    emulatorUrl,
  };
  await startServices(building, {
    ...surroundings,
    databaseUrl: config.databaseUrl === null ? databaseUrl : null,
    temporalAddress: binary === null ? null : temporal.address,
  });
  return surroundings;
};

/** Before anything is started: each of these is the user's to put right. */
const claimHome = async ({ config, log, pieces = everyPiece }: StackOptions): Promise<() => void> => {
  if (!existsSync(compiledEntry('embedded/reaper.js')))
    throw new StackError('the project is not built: run npm run build');
  prepareHome(config.home);
  const release = lockHome(config.home);
  try {
    await endLeftoverProcesses(config.home, log);
    if (pieces.includes('api') && config.port !== 0) await requirePort(config.port, config.host);
    return release;
  } catch (error) {
    release();
    throw error;
  }
};

type Deferred<Value> = { promise: Promise<Value>; resolve: (value: Value) => void };

const defer = <Value>(): Deferred<Value> => {
  let resolve: (value: Value) => void = () => undefined;
  const promise = new Promise<Value>((settle) => (resolve = settle));
  return { promise, resolve };
};

/** Starts what is wanted, keeps it running, and stops all of it when one piece cannot be kept, or when asked. */
export const startStack = async (options: StackOptions): Promise<Stack> => {
  const { config, log } = options;
  const release = await claimHome(options);
  const ended = defer<StackError | null>();
  const stopping = new AbortController();
  let starting: Promise<unknown> = Promise.resolve();
  let stopped: Promise<void> | null = null;
  const reaper = startReaper((watched) => recordProcesses(config.home, watched));
  const logFolder = path.join(config.home, 'logs');
  const supervisor = createSupervisor({
    logFolder,
    log,
    reaper,
    order: everyPiece,
    onGiveUp: (error) => void stop(error),
  });
  const stopAll = async (reason: StackError | null): Promise<void> => {
    stopping.abort();
    await withProgress(log, 'waiting for what is still at work (Ctrl-C again ends it at once)', supervisor.stop());
    await starting.catch(() => undefined);
    reaper.dismiss();
    recordProcesses(config.home, []);
    release();
    ended.resolve(reason);
  };
  const stop = (reason: StackError | null = null): Promise<void> => (stopped ??= stopAll(reason));
  const abandon = (error: unknown): void => void stop(error instanceof StackError ? error : null);
  options.stopped?.addEventListener('abort', () => void stop());
  options.hastened?.addEventListener('abort', supervisor.hasten);
  if (options.stopped?.aborted === true) void stop();
  const guard: Guard = {
    begin: (identity, name) => reaper.add({ ...identity, name, stopSignals: ['SIGTERM'] }),
    end: reaper.remove,
  };
  const pieces = options.pieces ?? everyPiece;
  const building: Building = { ...options, supervisor, guard, pieces, stopped: stopping.signal, abandon };
  try {
    const work = startPieces(building);
    starting = work;
    const { apiKey, port, databaseUrl, temporalAddress, temporalUiUrl, emulatorUrl } = await work;
    const urls = { apiUrl: describeUrl(config.host, port), databaseUrl, temporalAddress, temporalUiUrl, emulatorUrl };
    return { home: config.home, apiKey, ...urls, pids: supervisor.pids, stop: () => stop(), ended: ended.promise };
  } catch (error) {
    abandon(error);
    throw (await ended.promise) ?? error;
  }
};
