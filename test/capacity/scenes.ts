import { setTimeout as pause } from 'node:timers/promises';
import type { Check } from '../crash/checks';
import { createRandom } from '../crash/random';
import * as checks from './checks';
import { lineOf, type Line, type LineName } from './lines';
import { countOvertakings, findStarved, findUnfairness, type Waiter } from './order';
import { countJoined, countUnended, countWaiting, readBooks, readSends, type Books, type SendEntry } from './readings';
import { isGreen, type Scene } from './report';
import { addTenant, onSystem, operate, submitAll, type Order, type System, type SystemOptions } from './system';

export type Log = (line: string) => void;

const aboutOrder = (what: string): Check['offenders'][number] => ({ what, generationId: null });

const sendsOf = (sends: readonly SendEntry[], line: Line): SendEntry[] =>
  sends.filter(({ model }) => model === line.model);

/** Until it is so, or the time is over: then the checks say what is missing. */
const until = async (isSo: () => Promise<boolean>, boundMs: number): Promise<void> => {
  for (const endMs = Date.now() + boundMs; Date.now() < endMs; await pause(250)) if (await isSo()) return;
};

const untilEnded = ({ database }: System, lines: readonly Line[], boundMs: number): Promise<void> =>
  until(async () => {
    for (const line of lines) if ((await countUnended(database, line)) > 0) return false;
    return true;
  }, boundMs);

const play = async (
  { name, what, ...options }: SystemOptions & { name: string; what: string },
  act: (system: System) => Promise<Pick<Scene, 'rows' | 'checks'>>,
): Promise<Scene> => {
  const startedAt = Date.now();
  options.log(`${name}: starting`);
  return onSystem(options, async (system) => {
    const found = await act(system);
    const scene = { name, what, durationSeconds: Math.round((Date.now() - startedAt) / 1000), ...found };
    return { result: scene, isGood: isGreen([scene]) };
  });
};

// ── limits under a backlog

const retryAfterSeconds = 10;

export type Provoked = { refusals: checks.Refusal[]; prompts: string[] };

/** The provider says 429 to one request of the line, which it had no reason for. */
const provoke = async (system: System, line: Line): Promise<Provoked> => {
  const { control } = system;
  const label = `refused-${line.name}`;
  await control.addFault({
    ...{ provider: line.provider, operation: 'submit', kind: 'status', status: 429, retryAfter: retryAfterSeconds },
    match: { prompt: label },
  });
  const [id = ''] = await submitAll(system, { line, count: 1, label, priority: 'high' });
  const find = async () =>
    (await control.requests()).findLast(({ provider, fault }) => provider === line.provider && fault === 'status');
  await until(async () => (await find()) !== undefined, 150_000);
  const seen = await find();
  if (!seen?.credential) return { refusals: [], prompts: [] };
  const refusal = { provider: line.provider, credential: seen.credential, atMs: Date.parse(seen.at) };
  const sends = (await readSends(system.database)).filter(({ generationId }) => generationId === id);
  return {
    refusals: [{ ...refusal, retryAfterMs: retryAfterSeconds * 1000 }],
    prompts: [...new Set(sends.map(({ prompt }) => prompt))],
  };
};

/** Until all that was asked for stands in line. */
const untilInLine = (system: System, line: Line, count: number): Promise<void> =>
  until(async () => (await countWaiting(system.database, line)) >= count, 180_000);

/** Brings groups into line one after the other, while nothing is sent; what then comes is decided by the line alone. */
const lineUp = async (system: System, line: Line, groups: readonly Omit<Order, 'line'>[]): Promise<void> => {
  await operate(system, line, 'pause');
  let count = 0;
  for (const group of groups) {
    await submitAll(system, { ...group, line });
    count += group.count;
    await untilInLine(system, line, count);
  }
  await operate(system, line, 'resume');
};

/** Low ones with a few of high priority before them and many after. */
const crowdOut = (system: System): Promise<void> =>
  lineUp(system, lineOf('priorities'), [
    { count: 3, priority: 'high' },
    { count: 2, priority: 'low' },
    { count: 24, priority: 'high' },
  ]);

const checkPriorities = ({ sends }: Books): Check => {
  const line = lineOf('priorities');
  const waiters = sendsOf(sends, line).map(({ priority, sinceMs, sentMs }): Waiter => ({
    priority: priority === 'low' ? 'low' : 'high',
    sinceMs,
    sentMs,
  }));
  const overtakings = countOvertakings(waiters);
  const starved = findStarved(waiters, line.limits.concurrent ?? 1).map(aboutOrder);
  return {
    promise: 'Low priority is overtaken, and not for ever',
    figure: `${waiters.filter(({ priority }) => priority === 'low').length} low ones, overtaken by ${overtakings} younger`,
    offenders: overtakings === 0 ? [aboutOrder('nobody was overtaken')] : starved,
  };
};

type Counts = Partial<Record<LineName, number>>;

const linesOf = (counts: Counts, more: readonly LineName[] = []): Line[] =>
  [...(Object.keys(counts) as LineName[]), ...more].map(lineOf);

const submitBacklog = async (system: System, counts: Counts): Promise<void> => {
  await Promise.all(
    Object.entries(counts).map(([name, count]) => submitAll(system, { line: lineOf(name as LineName), count })),
  );
};

/** Whose use can be told: their backlog lasts, and their work longer than what comes between two pieces of it. */
const lastingLines: readonly LineName[] = ['slots', 'model', 'rate', 'both', 'queue'];

/** Without a word from anybody the queues are looked at this often. */
const mostIdleMs = 7_000;

export type LoadOptions = {
  workers: number;
  counts: Counts;
  settleMs: number;
  checksUse: boolean;
  /** Once everything is accepted; over before the provider refuses: that answer must arrive. */
  disturb?: () => Promise<void>;
  log: Log;
};

const load = async (system: System, options: LoadOptions): Promise<Pick<Scene, 'rows' | 'checks'>> => {
  const { counts, settleMs, checksUse, disturb } = options;
  const all = linesOf(counts, ['priorities']);
  const ending = all.filter(({ limits }) => limits.requestsPerDay === undefined);
  const backlog = submitBacklog(system, counts);
  const crowd = crowdOut(system);
  await Promise.all([backlog, crowd]);
  const steadyMs = Date.now();
  system.log('everything is accepted');
  await disturb?.();
  const provoked = await provoke(system, lineOf('paused'));
  await untilEnded(system, ending, settleMs);
  const books = await readBooks(system.database, system.control);
  const rows = all.flatMap((line) => checks.measureLine(books, line, steadyMs));
  const lasting = rows.filter(({ line }) => lastingLines.some((name) => name === line));
  return {
    rows,
    checks: [
      checks.checkLimits(rows),
      checks.checkRefusals(rows),
      ...(checksUse ? [checks.checkUtilisation(lasting), checks.checkIdle(lasting, mostIdleMs)] : []),
      checks.checkPauses(books, books.pauses, provoked.refusals),
      checks.checkFailover(books.sends, provoked.prompts),
      checkPriorities(books),
      ...all
        .filter(({ limits }) => limits.requestsPerDay !== undefined)
        .map((line) => checks.checkWaiting(books, line)),
      checks.checkEnds(books, ending),
    ],
  };
};

/** Backlogs over every kind of limit, for some minutes, with nothing in the way. */
export const playLoad = (options: LoadOptions): Promise<Scene> =>
  play(
    {
      name: `${options.workers} ${options.workers === 1 ? 'worker' : 'workers'}`,
      what: 'Backlogs over limits of every kind; clocks of the workers up to two minutes apart.',
      workers: options.workers,
      lines: linesOf(options.counts, ['priorities']),
      latencyScale: 0.5,
      log: options.log,
    },
    (system) => load(system, options),
  );

// ── processes that die

export type DeathOptions = {
  workers: number;
  counts: Counts;
  kills: number;
  settleMs: number;
  seed: number;
  log: Log;
};

const killAtRandom = async (system: System, { kills, seed }: DeathOptions): Promise<number> => {
  const random = createRandom(seed, 'capacity');
  const targets = [...system.workers, ...system.workers, 'postgres', 'temporal', 'api-1'];
  let killed = 0;
  while (killed < kills) {
    await pause(random.between(2_000, 5_000));
    if (system.tree.kill(random.pick(targets))) killed += 1;
  }
  return killed;
};

const die = async (system: System, options: DeathOptions): Promise<Pick<Scene, 'rows' | 'checks'>> => {
  const { tree, workers, services, log } = system;
  const lines = linesOf(options.counts);
  await submitBacklog(system, options.counts);
  await pause(3_000);
  log('every worker is killed, and stays away for longer than the work in flight takes');
  await tree.halt(workers);
  await pause(24_000);
  await tree.start(workers);
  log('everything is killed in the midst of a window');
  await tree.halt([...services, 'postgres', 'temporal']);
  await pause(3_000);
  await tree.start(['postgres', 'temporal', ...services]);
  log('back; one after the other is killed');
  const killed = await killAtRandom(system, options);
  log(`${killed} killed; waiting for the last turn`);
  await untilEnded(system, lines, options.settleMs);
  const books = await readBooks(system.database, system.control);
  const rows = lines.flatMap((line) => checks.measureLine(books, line));
  const ended = tree.deaths
    .filter(({ how, wasReady }) => how !== 'SIGKILL' && wasReady)
    .map(({ name, how }) => aboutOrder(`${name} ended by itself (${how})`));
  return {
    rows,
    checks: [
      checks.checkLimits(rows),
      checks.checkRefusals(rows),
      checks.checkEnds(books, lines),
      { promise: 'No process dies but by our hand', figure: `${tree.deaths.length} killed`, offenders: ended },
    ],
  };
};

/** Slots and windows are kept through every death, and everybody gets a turn in the end. */
export const playDeaths = (options: DeathOptions): Promise<Scene> =>
  play(
    {
      name: `${options.workers} workers that die`,
      what: `All workers away while work is out, everything killed in the midst of a window, ${options.kills} kills at random.`,
      workers: options.workers,
      lines: linesOf(options.counts),
      latencyScale: 0.5,
      log: options.log,
    },
    (system) => die(system, options),
  );

// ── tenants

export type FairnessOptions = { workers: number; queued: number; arriving: number; weight: number; log: Log };

/** Who came late, what it weighs, and since when all it wants stands in line. */
export type Late = { name: string; weight: number; fromMs: number };

/** Against the default tenant with all it has queued. */
const checkFairness = (sends: readonly SendEntry[], tenant: Late): Check => {
  const line = lineOf('tenants');
  const own = sendsOf(sends, line);
  const before = own.filter(({ sentMs }) => sentMs <= tenant.fromMs).length;
  const order = own.slice(before).map((send) => send.tenant);
  const contested = order.slice(0, order.lastIndexOf(tenant.name) + 1);
  const late = contested.filter((name) => name === tenant.name).length;
  const share = tenant.weight / (tenant.weight + 1);
  const atOnce = line.limits.concurrent ?? 1;
  const offenders = findUnfairness(order, { tenant: tenant.name, share, atOnce }).slice(0, 5).map(aboutOrder);
  return {
    promise: `A tenant that arrives late has its share by weight, 1 to ${tenant.weight}`,
    figure: `after ${before} turns ${late} of ${contested.length}: ${((100 * late) / contested.length).toFixed(0)} %`,
    offenders: contested.length === 0 ? [aboutOrder('it was never served')] : offenders,
  };
};

const share = async (system: System, options: FairnessOptions): Promise<Pick<Scene, 'rows' | 'checks'>> => {
  const { database, log } = system;
  const { queued, arriving, weight } = options;
  const line = lineOf('tenants');
  const late = await addTenant(system, `late-${weight}`, weight);
  await submitAll(system, { line, count: queued });
  await until(async () => (await countWaiting(database, line)) > 0, 60_000);
  log(`${queued} are queued, ${await countWaiting(database, line)} wait; another tenant arrives with ${arriving}`);
  const ids = await submitAll(system, { line, count: arriving, clients: late.clients });
  await until(async () => (await countJoined(database, late.id)) >= arriving, 600_000);
  const fromMs = Date.now();
  const own = new Set(ids);
  const isServed = async (): Promise<boolean> =>
    (await readSends(database)).filter(({ generationId }) => own.has(generationId)).length >= arriving;
  await until(isServed, 600_000);
  const books = await readBooks(database, system.control);
  const rows = checks.measureLine(books, line);
  return {
    rows,
    checks: [checkFairness(books.sends, { ...late, fromMs }), checks.checkLimits(rows), checks.checkRefusals(rows)],
  };
};

export const playFairness = (options: FairnessOptions): Promise<Scene> =>
  play(
    {
      name: `Two tenants, 1 to ${options.weight}`,
      what: `One has ${options.queued} queued when the other arrives with ${options.arriving}.`,
      workers: options.workers,
      lines: [lineOf('tenants')],
      latencyScale: 0.1,
      log: options.log,
    },
    (system) => share(system, options),
  );

/** All of it in one system, with as little work as shows it. */
export const playShort = (log: Log): Promise<Scene> => {
  const counts: Counts = { slots: 8, model: 7, rate: 20, both: 6, day: 7, tokens: 4, paused: 5 };
  const lines = linesOf(counts, ['tenants', 'priorities']);
  const options = { workers: 3, lines, latencyScale: 0.25, log };
  return play({ name: 'Short form', what: 'Three workers.', ...options }, async (system) => {
    const tenants = shareQuickly(system);
    const disturb = async (): Promise<void> => {
      // whose turn is with a dead worker is sent later, and a lost answer holds its slot: orders and single slots are told before
      await tenants;
      await untilEnded(system, [lineOf('priorities'), lineOf('paused')], 100_000);
      await killOneByOne(system);
    };
    const found = await load(system, { workers: 3, counts, settleMs: 200_000, checksUse: false, disturb, log });
    const late = await tenants;
    const { sends } = await readBooks(system.database, system.control);
    return { ...found, checks: [...found.checks, checkFairness(sends, late)] };
  });
};

const shareQuickly = async (system: System): Promise<Late> => {
  const line = lineOf('tenants');
  const late = await addTenant(system, 'late', 3);
  await lineUp(system, line, [{ count: 16 }, { count: 15, clients: late.clients }]);
  await untilEnded(system, [line], 200_000);
  return { ...late, fromMs: 0 };
};

/** One worker is left at any time. */
const killOneByOne = async ({ tree, workers }: System): Promise<void> => {
  for (const name of workers.slice(1)) {
    tree.kill(name);
    await pause(10_000);
  }
};
