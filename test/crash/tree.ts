import { fork, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { readStackConfig, type Environment, type StackConfig } from '../../src/config';
import { composeChildEnvironment, neutralEnvironment } from '../../src/embedded/child-environment';
import { openChildLog } from '../../src/embedded/child-log';
import { endChild, runChild, type Child, type ChildSpec } from '../../src/embedded/child-run';
import { keepPorts, keepSecret, prepareHome } from '../../src/embedded/home';
import { nodeChild } from '../../src/embedded/node-child';
import { preparePostgres } from '../../src/embedded/postgres';
import { startReaper, type Reaper } from '../../src/embedded/reaper-client';
import { prepareTemporal } from '../../src/embedded/temporal';
import { findTemporalBinary } from '../../src/embedded/temporal-binary';
import { eventually } from '../support/stack';
import { compileEntries, entryEnvironment } from './entries';
import { ordersVariable, prepareOrders } from './orders';

/** `how`: the signal, or how it ended by itself. */
export type Death = { name: string; pid: number; atMs: number; how: string; wasReady: boolean };

/** Every process of the system, each started again at once when it dies. */
export type Tree = {
  home: string;
  orders: string;
  databaseUrl: string;
  temporalAddress: string;
  emulatorUrl: string;
  apiUrls: readonly string[];
  apiKey: string;
  /** Whether all of these are at work. */
  areReady(names: readonly string[]): boolean;
  /** SIGKILL; `false` when it does not run just now. */
  kill(name: string): boolean;
  /** SIGKILL to each of them; nobody is started again before `start`. */
  halt(names: readonly string[]): Promise<void>;
  /** Resolves when all are ready, over restarts. */
  start(names: readonly string[]): Promise<void>;
  /** In order, for good. */
  stop(): Promise<void>;
  deaths: readonly Death[];
  readiness: readonly { name: string; atMs: number }[];
};

export const processNames = ['postgres', 'temporal', 'emulator', 'worker-1', 'worker-2', 'api-1', 'api-2'] as const;

/** Without the number. */
export const kindOf = (name: string): string => name.replace(/-\d+$/, '');

const serverPorts = ['postgres', 'temporal', 'temporalUi', 'emulator'];
const stopTimeoutMs = 10_000;

/** Of one that cannot start yet, because what it needs has been killed too. */
const restartPauseMs = 250;

type Keeper = {
  home: string;
  reaper: Reaper;
  deaths: Death[];
  readiness: { name: string; atMs: number }[];
};

type Member = {
  name: string;
  child: Child;
  pid: number;
  ready: boolean;
  halted: AbortController;
  finished: Promise<void>;
};

const ignore = (): void => undefined;

const createMember = ({ home, readiness }: Keeper, spec: ChildSpec): Member => {
  const launch = (): ChildProcess => {
    const started = spec.launch();
    member.pid = started.pid ?? 0;
    return started;
  };
  const onReady = (): void => {
    member.ready = true;
    readiness.push({ name: spec.name, atMs: Date.now() });
  };
  const output = openChildLog(path.join(home, 'logs', `${spec.name}.log`));
  const member: Member = {
    name: spec.name,
    child: { spec: { ...spec, launch }, output, running: null, onReady },
    pid: 0,
    ready: false,
    halted: new AbortController(),
    finished: Promise.resolve(),
  };
  return member;
};

const keepRunning = async ({ reaper, deaths }: Keeper, member: Member): Promise<void> => {
  const { child, halted, name } = member;
  while (!halted.signal.aborted) {
    const surroundings = { log: ignore, reaper, stopping: halted.signal };
    const how = await runChild(child, surroundings).catch((error: Error) => error.message);
    deaths.push({ name, pid: member.pid, atMs: Date.now(), how, wasReady: member.ready });
    member.ready = false;
    if (how !== 'SIGKILL') await pause(restartPauseMs);
  }
};

const begin = async (keeper: Keeper, member: Member): Promise<void> => {
  member.halted = new AbortController();
  member.finished = keepRunning(keeper, member);
  await eventually(() => Promise.resolve(member.ready));
};

const kill = ({ child }: Member): boolean => {
  if (!child.running) return false;
  process.kill(child.running.pid, 'SIGKILL');
  return true;
};

const halt = async (member: Member): Promise<void> => {
  member.halted.abort();
  kill(member);
  await member.finished;
};

/** The suite's own entry in the place of the production one. */
const suiteChild = (name: string, entry: string, environment: Environment): ChildSpec => ({
  ...nodeChild({ name, entry, environment, stopTimeoutMs }),
  launch: () =>
    fork(entry, {
      env: { ...environment },
      execArgv: [],
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    }),
});

type Place = {
  config: StackConfig;
  environment: Record<string, string>;
  ports: Record<string, number>;
  apiKey: string;
  hearsProviders: boolean;
  services: readonly Service[];
};

type Servers = { databaseUrl: string; specs: ChildSpec[] };

const prepareServers = async ({ reaper }: Keeper, { config, environment, ports }: Place): Promise<Servers> => {
  const port = (name: string): number => ports[name] ?? 0;
  const { home } = config;
  const guard = {
    begin: (identity: { pid: number; startedAt: string }, name: string) =>
      reaper.add({ ...identity, name, stopSignals: ['SIGTERM' as const] }),
    end: reaper.remove,
  };
  const stopped = new AbortController().signal;
  const binary = await findTemporalBinary({ environment, log: ignore, stopped, guard });
  const password = keepSecret(home, 'postgres-password');
  const { spec, databaseUrl } = await preparePostgres({ home, port: port('postgres'), password });
  const temporal = prepareTemporal({ home, binary, port: port('temporal'), uiPort: port('temporalUi'), log: ignore });
  const own = { EMULATOR_PORT: String(port('emulator')), EMULATOR_STATE: path.join(home, 'emulator.jsonl') };
  const scale = { EMULATOR_LATENCY_SCALE: environment['EMULATOR_LATENCY_SCALE'] ?? '0.1' };
  const emulator = nodeChild({
    name: 'emulator',
    entry: 'emulator/main.js',
    environment: { ...neutralEnvironment(environment), ...own, ...scale },
    stopTimeoutMs,
  });
  return { databaseUrl, specs: [spec, temporal.spec, emulator] };
};

const prepareServices = (place: Place, databaseUrl: string): ChildSpec[] => {
  const { config, environment, ports, apiKey, services } = place;
  const surroundings = {
    apiKey,
    secret: keepSecret(config.home, 'secret'),
    port: 0,
    databaseUrl,
    temporalAddress: `127.0.0.1:${ports['temporal']}`,
    temporalUiUrl: null,
    emulatorUrl: `http://127.0.0.1:${ports['emulator']}`,
  };
  const shared = {
    ...composeChildEnvironment(environment, config, surroundings),
    // while this one is dead nobody hears what providers announce
    ...(place.hearsProviders && { PUBLIC_URL: `http://127.0.0.1:${ports['api-1']}` }),
    [ordersVariable]: path.join(config.home, 'orders'),
    ...entryEnvironment,
  };
  const entries = compileEntries(config.home);
  return services.map(({ name, environment: own = {} }) => {
    const port = kindOf(name) === 'api' ? { PORT: String(ports[name]) } : {};
    return suiteChild(name, path.join(entries, `${kindOf(name)}.js`), { ...shared, ...port, ...own });
  });
};

const startMembers = async (keeper: Keeper, members: readonly Member[]): Promise<void> => {
  await Promise.all(members.map((member) => begin(keeper, member)));
};

const stopMember = async (member: Member): Promise<void> => {
  member.halted.abort();
  await endChild(member.child);
  await member.finished;
};

/** An API or a worker, by its name. */
export type Service = { name: string; environment?: Record<string, string> };

const usualServices: readonly Service[] = processNames
  .filter((name) => ['worker', 'api'].includes(kindOf(name)))
  .map((name) => ({ name }));

export type TreeOptions = {
  settingsFile: string;
  latencyScale: number;
  /** Providers are told where they may announce the end of work; else they are only looked at. */
  hearsProviders: boolean;
  /** Two of each where nothing is said. */
  services?: readonly Service[];
};

export const startTree = async (home: string, options: TreeOptions): Promise<Tree> => {
  const { settingsFile, latencyScale, hearsProviders, services = usualServices } = options;
  const apiNames = services.map(({ name }) => name).filter((name) => kindOf(name) === 'api');
  prepareHome(home);
  const orders = path.join(home, 'orders');
  prepareOrders(orders);
  const environment = {
    ...neutralEnvironment(process.env),
    SURESHOT_HOME: home,
    SURESHOT_CONFIG: settingsFile,
    SURESHOT_ENCRYPTION_KEYS: `crash=${randomBytes(32).toString('base64')}`,
    EMULATOR_LATENCY_SCALE: String(latencyScale),
  };
  const ports = await keepPorts(home, [...serverPorts, ...apiNames]);
  const place: Place = {
    config: readStackConfig(environment),
    environment,
    ports,
    apiKey: keepSecret(home, 'api-key'),
    hearsProviders,
    services,
  };
  const keeper: Keeper = { home, reaper: startReaper(ignore), deaths: [], readiness: [] };
  const { databaseUrl, specs } = await prepareServers(keeper, place);
  const members = [...specs, ...prepareServices(place, databaseUrl)].map((spec) => createMember(keeper, spec));
  const find = (names: readonly string[]): Member[] => members.filter(({ name }) => names.includes(name));
  const { deaths, readiness } = keeper;
  return {
    home,
    orders,
    databaseUrl,
    temporalAddress: `127.0.0.1:${ports['temporal']}`,
    emulatorUrl: `http://127.0.0.1:${ports['emulator']}`,
    apiUrls: apiNames.map((name) => `http://127.0.0.1:${ports[name]}`),
    apiKey: place.apiKey,
    areReady: (names) => find(names).every(({ ready }) => ready),
    kill: (name) => find([name]).some(kill),
    halt: async (names) => void (await Promise.all(find(names).map(halt))),
    start: (names) => startMembers(keeper, find(names)),
    stop: async () => {
      for (const member of members.toReversed()) await stopMember(member);
      keeper.reaper.dismiss();
    },
    deaths,
    readiness,
  };
};
