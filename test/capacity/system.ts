import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { setPriority, tmpdir } from 'node:os';
import path from 'node:path';
import { openDatabase, type Database } from '../crash/books';
import { createClients, type Clients } from '../crash/clients';
import { controlEmulator, type EmulatorControl } from '../crash/emulator';
import { compileModule } from '../crash/entries';
import { createRandom } from '../crash/random';
import { startTree, type Service, type Tree } from '../crash/tree';
import { composeEmulatorLimits, composeKeys, composeSettings, type Line } from './lines';

export type System = {
  tree: Tree;
  database: Database;
  control: EmulatorControl;
  /** Of the operator's own tenant. */
  clients: Clients;
  services: readonly string[];
  workers: readonly string[];
  lines: readonly Line[];
  log: (line: string) => void;
};

export type SystemOptions = {
  workers: number;
  lines: readonly Line[];
  latencyScale: number;
  log: (line: string) => void;
};

/** Of the workers in turn: one is right, one is a minute ahead, one is a minute behind. */
const shiftsMs = [0, 60_000, -60_000];

const servers = ['postgres', 'temporal', 'emulator'];

const withShiftedClock = (shiftMs: number, preload: string): Record<string, string> =>
  shiftMs === 0
    ? {}
    : {
        CAPACITY_CLOCK_SHIFT_MS: String(shiftMs),
        NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} --require ${preload}`.trim(),
      };

const planServices = (home: string, { workers, lines }: SystemOptions): Service[] => {
  const preload = compileModule(path.join(__dirname, 'shifted-clock.ts'), path.join(home, 'preload'));
  const keys = composeKeys(lines);
  const workerServices = Array.from({ length: workers }, (_, index): Service => ({
    name: `worker-${index + 1}`,
    environment: { ...keys, ...withShiftedClock(shiftsMs[index % shiftsMs.length] ?? 0, preload) },
  }));
  return [...workerServices, { name: 'api-1', environment: keys }];
};

const ahead = -10;

/** A provider does not slow down with our machine. Only an administrator's process may go before others. */
const preferProvider = async (control: EmulatorControl): Promise<void> => {
  const pid = await control.pid();
  try {
    setPriority(pid, ahead);
  } catch {
    // then it shares the machine like everybody
  }
};

const startOn = async (home: string, options: SystemOptions): Promise<System> => {
  const { lines, latencyScale, log } = options;
  const settingsFile = path.join(home, 'settings.yaml');
  await writeFile(settingsFile, composeSettings(lines));
  const services = planServices(home, options);
  const names = services.map(({ name }) => name);
  const tree = await startTree(home, { settingsFile, latencyScale, hearsProviders: false, services });
  await tree.start([...servers, ...names]);
  const control = controlEmulator(tree.emulatorUrl);
  await control.setLimits(composeEmulatorLimits(lines));
  await preferProvider(control);
  const clients = createClients(tree, createRandom(1, 'clients'));
  const workers = names.filter((name) => name.startsWith('worker-'));
  return { tree, database: openDatabase(tree.databaseUrl), control, clients, services: names, workers, lines, log };
};

/** A system of its own for `play`; its home stays when `play` fails or says so. */
export const onSystem = async <Result>(
  options: SystemOptions,
  play: (system: System) => Promise<{ result: Result; isGood: boolean }>,
): Promise<Result> => {
  const home = await mkdtemp(path.join(tmpdir(), 'sureshot-capacity-'));
  let isGood = false;
  let system: System | null = null;
  try {
    system = await startOn(home, options);
    const played = await play(system);
    isGood = played.isGood;
    return played.result;
  } finally {
    await system?.database.close();
    await system?.tree.stop();
    if (isGood) await rm(home, { recursive: true, force: true });
    else options.log(`what it left is in ${home}`);
  }
};

type Granted = { id: string };

const create = async ({ clients }: System, target: string, body: unknown): Promise<Record<string, string>> => {
  const response = await clients.ask(target, { method: 'POST', body });
  if (!response.ok) throw new Error(`${target}: ${response.status} ${await response.text()}`);
  return (await response.json()) as Record<string, string>;
};

/** Stops sending of this line's provider, or goes on with it: what waits waits. */
export const operate = async ({ clients }: System, { provider }: Line, what: 'pause' | 'resume'): Promise<void> => {
  const body = what === 'pause' ? { waiting: 'wait' } : undefined;
  const response = await clients.ask(`/v1/providers/${provider}/${what}`, { method: 'POST', body });
  if (!response.ok) throw new Error(`${what}: ${response.status} ${await response.text()}`);
};

export type Tenant = { id: string; name: string; weight: number; clients: Clients };

/** With a key of its own. */
export const addTenant = async (system: System, name: string, weight: number): Promise<Tenant> => {
  const { id } = (await create(system, '/v1/tenants', { name, weight })) as Granted;
  const key = await create(system, '/v1/api-keys', { name, tenant: id, scopes: ['submit', 'read'] });
  const access = { apiUrls: system.tree.apiUrls, apiKey: key['key'] ?? '' };
  return { id, name, weight, clients: createClients(access, createRandom(1, `clients/${name}`)) };
};

export type Order = {
  line: Line;
  count: number;
  priority?: 'high' | 'medium' | 'low';
  clients?: Clients;
  label?: string;
};

let orders = 0;

const bodyOf = ({ line, priority = 'medium' }: Order, prompt: string) => ({
  medium: line.medium,
  model: line.model,
  input: { prompt, ...line.input },
  priority,
  onAmbiguous: 'resubmit',
  deadlineSeconds: 86_000,
});

/** Whoever wants to send a request waits for its place: more at once would only make every one slower. */
const places = { free: 8, waiting: [] as (() => void)[] };

const inPlace = async <Result>(work: () => Promise<Result>): Promise<Result> => {
  if (places.free > 0) places.free -= 1;
  else await new Promise<void>((resolve) => places.waiting.push(resolve));
  try {
    return await work();
  } finally {
    const next = places.waiting.shift();
    if (next) next();
    else places.free += 1;
  }
};

/** Asks for so much work of a line; resolves when all of it is accepted. */
export const submitAll = async (system: System, order: Order): Promise<string[]> => {
  const { clients = system.clients, count, line, label = line.name } = order;
  orders += 1;
  const batch = orders;
  return Promise.all(
    Array.from({ length: count }, (_, index) => {
      const key = `${label}-${batch}-${index + 1}`;
      const prompt = `A lantern at dawn, seen from ${key}.`;
      const wish = { key, prompt, body: bodyOf(order, prompt), atMs: 0, isSentTwice: false, cancelAfterMs: null };
      return inPlace(() => clients.submit(wish));
    }),
  );
};
