import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { openDatabase, readBooks, readUnfinished, type ArtifactEntry, type Books, type Database } from './books';
import * as chaos from './chaos';
import * as checks from './checks';
import { createClients, sendLoad, type Clients } from './clients';
import { controlEmulator, disturb, type EmulatorControl } from './emulator';
import { openHistories, type Histories } from './histories';
import { planBait, planLasting, planLoad } from './load';
import { operate, type Deeds } from './operator';
import { everyBoundary, listTakenOrders, withdrawOrders, type AnyBoundary } from './orders';
import { createRandom } from './random';
import { countBy, isGreen, measureRecovery, type Report } from './report';
import { kindOf, processNames, startTree, type Death, type Tree } from './tree';
import { composeRoomySettings } from '../support/roomy-settings';

export type SuiteOptions = {
  seed: number;
  generations: number;
  kills: chaos.KillPlan;
  boundaries: readonly AnyBoundary[];
  boundaryEveryMs: number;
  faultEveryMs: number;
  /** How much of the work is out while everything is stopped. */
  lasting: number;
  stopMs: number;
  /** A lost answer may then be announced yet, so that its fate is settled minutes later. */
  hearsProviders: boolean;
  /** Bound of the wait for the last generation. */
  settleMs: number;
  /** How many histories are replayed; every one is searched. */
  replays: number;
  log: (line: string) => void;
};

/**
 * Delays between looks are a twentieth. A submit's answer is waited for as long as these providers need at the emulator's
 * pace, so that the fate of a lost one is settled in seconds.
 */
const settings = `
polling: { scale: 0.05 }
submit: { timeoutMs: 4000 }
retry: { initialSeconds: 0.1, maximumSeconds: 2 }
reconcile: { everySeconds: 2, silentSeconds: 10 }
providers:
${['openai', 'anthropic', 'groq', 'google', 'cloudflare', 'elevenlabs'].map((provider) => `  ${provider}: { timeoutMs: 6000 }`).join('\n')}
`;

const usualLatency = 0.03;
/** Work of half a minute's usual time then takes as long as the stop. */
const slowLatency = 0.15;

type System = {
  options: SuiteOptions;
  tree: Tree;
  database: Database;
  clients: Clients;
  control: EmulatorControl;
  histories: Histories;
};

type Storm = { kills: chaos.Kill[]; faults: number };

const isHit = ({ orders }: Tree, boundary: AnyBoundary): boolean =>
  listTakenOrders(orders).some((taken) => taken.boundary === boundary);

/** Boundaries that few generations pass may have to wait for more of those; in vain after this long. */
const baitMs = 120_000;
const baitEveryMs = 2_000;

const countHits = ({ options, tree }: System): number =>
  options.boundaries.filter((boundary) => isHit(tree, boundary)).length;

const bait = async (system: System): Promise<void> => {
  const { options, clients } = system;
  let hits = -1;
  let until = 0;
  for (let round = 1; hits < options.boundaries.length; round += 1) {
    const now = countHits(system);
    if (now > hits) until = Date.now() + baitMs;
    hits = now;
    if (hits === options.boundaries.length || Date.now() > until) return;
    await sendLoad(clients, planBait(round));
    await pause(baitEveryMs);
  }
};

/** Load, kills and faults at the same time. */
const storm = async (system: System): Promise<Storm> => {
  const { options, tree, clients, control } = system;
  const { seed, kills: plan, boundaries, boundaryEveryMs, faultEveryMs } = options;
  const over = new AbortController();
  const stopped = over.signal;
  const overMs = Math.max((plan.count * (plan.shortestMs + plan.longestMs)) / 2, boundaries.length * boundaryEveryMs);
  const random = chaos.killAtRandom(tree, createRandom(seed, 'kills'), { plan, stopped });
  const ordered = chaos.orderDeaths(tree, createRandom(seed, 'orders'), {
    boundaries,
    everyMs: boundaryEveryMs,
    stopped,
  });
  const faults = disturb(control, createRandom(seed, 'faults'), { everyMs: faultEveryMs, stopped });
  await sendLoad(clients, planLoad(createRandom(seed, 'load'), options.generations - options.lasting, { overMs }));
  const kills = await random;
  await ordered;
  await bait(system);
  over.abort();
  withdrawOrders(tree.orders);
  const faultCount = await faults;
  await control.clearFaults();
  return { kills: [...kills, ...chaos.listOrderedKills(tree)], faults: faultCount };
};

const outSql = `
  SELECT generation_id AS "generationId", operation_id AS operation FROM attempts
  WHERE status = 'submitted' AND operation_id IS NOT NULL ORDER BY 1`;

const workers = processNames.filter((name) => ['worker', 'api'].includes(kindOf(name)));
const fewGenerations = 5;
const calmMs = 60_000;
const servers = ['postgres', 'temporal'];

/** What the storm left behind is done with, mostly: the work to come is to be out before its deadline. */
const calmDown = async ({ tree, database }: System): Promise<void> => {
  for (const until = Date.now() + calmMs; Date.now() < until; await pause(250)) {
    const { generations } = await readUnfinished(database);
    if (generations.length <= fewGenerations && tree.areReady(processNames)) return;
  }
};

/** Everything of ours is killed at once and stays away; the providers go on. */
const stopEverything = async (system: System): Promise<checks.Stopped> => {
  const { options, tree, database, clients, control } = system;
  await calmDown(system);
  await control.setLatencyScale(slowLatency);
  await sendLoad(clients, planLasting(options.lasting));
  const wanted = Math.ceil(options.lasting * 0.8);
  for (const until = Date.now() + 5_000; Date.now() < until; await pause(50)) {
    const out = await database.query(outSql);
    if (out.length >= wanted) break;
  }
  await tree.halt(workers);
  const out = await database.query<checks.Stopped['out'][number]>(outSql);
  const fromMs = Date.now();
  await tree.halt(servers);
  await pause(options.stopMs);
  const untilMs = Date.now();
  await control.setLatencyScale(usualLatency);
  await tree.start([...servers, ...workers]);
  return { out, fromMs, untilMs };
};

/** Until all is terminal, nothing is out and no workflow of ours runs any more; or the bound is reached. */
const settle = async ({ options, database, histories }: System): Promise<void> => {
  const until = Date.now() + options.settleMs;
  while (Date.now() < until) {
    const { generations, attempts } = await readUnfinished(database);
    if (generations.length + attempts.length === 0 && (await histories.listOpen()).length === 0) return;
    await pause(250);
  }
};

const download = async (clients: Clients, { generationId, index }: ArtifactEntry) => {
  const response = await clients.ask(`/v1/generations/${generationId}/artifacts/${index}`);
  const bytes = Buffer.from(await response.arrayBuffer());
  return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
};

const downloadAll = async (clients: Clients, books: Books): Promise<checks.Downloads> => {
  const downloads = new Map<string, { bytes: number; sha256: string }>();
  for (const artifact of books.artifacts)
    downloads.set(`${artifact.generationId}/${artifact.index}`, await download(clients, artifact));
  return downloads;
};

const checkBoundaries = ({ options, tree }: System): checks.Check => {
  const missed = options.boundaries.filter((boundary) => !isHit(tree, boundary));
  return {
    promise: 'A process was killed at every boundary that was to be hit',
    figure: `${options.boundaries.length - missed.length} of ${everyBoundary.length} boundaries`,
    offenders: missed.map((boundary) => ({ what: `nobody was killed at "${boundary}"`, generationId: null })),
  };
};

/** Ended without a signal of ours, after it had been ready: a worker must survive whatever a provider sends. */
const ownEnds = ({ tree }: System): readonly Death[] =>
  tree.deaths.filter(({ how, wasReady }) => how !== 'SIGKILL' && wasReady);

const checkOwnEnds = (system: System): checks.Check => {
  const offenders = ownEnds(system).map(({ name, how, atMs }) => ({
    what: `${name} ended by itself (${how}) at ${new Date(atMs).toISOString()}, see logs/${name}.log`,
    generationId: null,
  }));
  return { promise: 'No process dies but by our hand', figure: `${offenders.length} did`, offenders };
};

const checkAnswers = ({ clients }: System, deeds: Deeds): checks.Check => {
  const offenders = [...clients.answers.oddities, ...deeds.refused].map((what) => ({ what, generationId: null }));
  return {
    promise: 'Every request is answered as the contract says',
    figure: `${offenders.length} oddities`,
    offenders,
  };
};

const verify = async (
  system: System,
  { books, deeds, stopped }: { books: Books; deeds: Deeds; stopped: checks.Stopped },
): Promise<checks.Check[]> => {
  const { clients, histories, options } = system;
  const promised = clients.answers.ids;
  return [
    checks.checkLoss(books, promised),
    checks.checkEnds(books),
    checks.checkDoubles(books, promised),
    checks.checkReruns(books),
    checks.checkOwners(books),
    checks.checkRetries(books),
    checks.checkMoney(books),
    checks.checkArtifacts(books, await downloadAll(clients, books)),
    checks.checkRunning(books),
    checks.checkExpiry(books),
    checks.checkStop(books, stopped),
    ...(await histories.check(options.replays)),
    checkOwnEnds(system),
    checkBoundaries(system),
    checkAnswers(system, deeds),
  ];
};

const run = async (system: System): Promise<{ report: Report; books: Books }> => {
  const { options, tree, database, clients, control } = system;
  const startedMs = Date.now();
  const finished = new AbortController();
  let mayRerun = true;
  const operating = { database, clients, control, random: createRandom(options.seed, 'operator') };
  const operator = operate(operating, { stopped: finished.signal, mayRerun: () => mayRerun });
  options.log('storm: load, kills and faults');
  const { kills, faults } = await storm(system);
  options.log(`storm over, ${kills.length} kills; everything is stopped`);
  const stopped = await stopEverything(system);
  mayRerun = false;
  options.log(`everything was stopped for ${stopped.untilMs - stopped.fromMs} ms; waiting until all is done`);
  await settle(system);
  finished.abort();
  const deeds = await operator;
  options.log('verifying');
  const books = await readBooks(database, () => control.ledger());
  const found = await verify(system, { books, deeds, stopped });
  const report = {
    seed: options.seed,
    durationSeconds: Math.round((Date.now() - startedMs) / 1000),
    kills,
    faults,
    repeats: clients.answers.repeats,
    deeds: deeds.done,
    outcomes: countBy(books.generations, ({ status }) => status),
    checks: found,
    recovery: measureRecovery(kills, books, tree.readiness),
  };
  return { report, books };
};

export type Finished = { report: Report; books: Books; home: string | null };

/** What tells more about each offender, beside the logs and the databases in the home. */
const saveEvidence = async ({ tree, histories }: System, { report, books }: Omit<Finished, 'home'>): Promise<void> => {
  const offenders = report.checks.flatMap((check) => check.offenders);
  const ids = new Set(offenders.flatMap(({ generationId }) => generationId ?? []));
  const evidence = { kills: report.kills, deaths: tree.deaths, offenders, ...books };
  await writeFile(path.join(tree.home, 'evidence.json'), JSON.stringify(evidence, null, 1));
  await histories.save(ids, path.join(tree.home, 'histories'));
};

const runOn = async (tree: Tree, options: SuiteOptions): Promise<Omit<Finished, 'home'>> => {
  await tree.start(processNames);
  const database = openDatabase(tree.databaseUrl);
  const histories = await openHistories(tree.temporalAddress);
  const clients = createClients(tree, createRandom(options.seed, 'clients'));
  const system = { options, tree, database, clients, histories, control: controlEmulator(tree.emulatorUrl) };
  try {
    const finished = await run(system);
    if (!isGreen(finished.report)) await saveEvidence(system, finished);
    return finished;
  } finally {
    await histories.close();
    await database.close();
  }
};

/** The home stays when a promise is broken, and when the suite itself fails. */
export const runSuite = async (options: SuiteOptions): Promise<Finished> => {
  const home = await mkdtemp(path.join(tmpdir(), 'sureshot-crash-'));
  const settingsFile = path.join(home, 'settings.yaml');
  await writeFile(settingsFile, composeRoomySettings(settings));
  const tree = await startTree(home, {
    settingsFile,
    latencyScale: usualLatency,
    hearsProviders: options.hearsProviders,
  });
  let finished: Omit<Finished, 'home'>;
  try {
    finished = await runOn(tree, options);
  } catch (error) {
    options.log(`the suite itself failed; what it left is in ${home}`);
    throw error;
  } finally {
    await tree.stop();
  }
  if (!isGreen(finished.report)) return { ...finished, home };
  await rm(home, { recursive: true, force: true });
  return { ...finished, home: null };
};
