import { rulesOf } from '../domain/limits';
import { forecast, giveTurns, isTooDear, priorities, restMs, sweepMs, type Given, type Key, type Waiting } from '../domain/turns';
import type { AttemptKey } from '../stores/attempts';
import { beginProbe, readGates } from '../stores/breakers';
import { inTransaction, type Database, type Transaction } from '../stores/database';
import { readGauges } from '../stores/gauges';
import { readOverrides } from '../stores/limit-overrides';
import {
  leaveLine,
  listQueues,
  listWaitingModels,
  lockQueue,
  nameOf,
  placeNewcomers,
  readHeads,
  readKeyStates,
  recordRound,
  recordUse,
  stirWaiting,
  takeUntold,
  type Pace,
  type Queue,
} from '../stores/turns';
import type { Dependencies, Lane } from './dependencies';

/** Of each model so many are read at once; who is left over is given a turn in the next round. */
const headsOfModel = 50;

type Standing = { now: Date; keys: Key[] };

const ofKey = <Thing extends { credential: string }>(things: readonly Thing[], alias: string): Thing[] =>
  things.filter(({ credential }) => credential === alias);

/** How the provider's usable keys stand: those that this process has and nobody has switched off. */
export const readKeys = async (
  dependencies: Dependencies,
  database: Database | Transaction,
  provider: string,
): Promise<Standing> => {
  const { credentials, settings, models } = dependencies;
  const states = await readKeyStates(database, provider);
  const stateOf = (alias: string) => states.keys.find((state) => state.alias === alias);
  const aliases = (credentials[provider] ?? [])
    .map(({ alias }) => alias)
    .filter((alias) => stateOf(alias)?.isDisabled !== true);
  const overrides = await readOverrides(database, provider);
  const limits = settings.limitsOf(provider);
  const rules = aliases.flatMap((alias) => rulesOf(alias, limits, overrides));
  const own = models.filter((row) => row.provider === provider);
  const workSecondsOf = (model: string | null): number =>
    Math.max(0, ...own.filter(({ id }) => model === null || id === model).map(({ maximumSeconds }) => maximumSeconds));
  const gauges = await readGauges(database, { provider, rules }, workSecondsOf);
  const gates = await readGates(database, provider);
  const keys = aliases.map((alias): Key => {
    const { priority = 100, weight = 1, pausedUntil = null, lastUsedAt = null } = stateOf(alias) ?? {};
    return {
      alias,
      priority,
      weight,
      pausedUntil,
      lastUsedAt,
      gauges: ofKey(gauges, alias),
      gates: ofKey(gates, alias),
    };
  });
  return { now: states.now, keys };
};

/** Given for its age, before others of its model whose share comes first. */
const isEarly = (turn: Waiting, left: readonly Waiting[]): boolean =>
  left.some(({ model, priority, tag }) => model === turn.model && priority === turn.priority && tag < turn.tag);

/** The tag of the last one served in order, by priority: where newcomers begin. */
const advance = ({ virtualTimes }: Queue, given: readonly Given[], left: readonly Waiting[]): number[] => {
  const inOrder = given.map(({ turn }) => turn).filter((turn) => !isEarly(turn, left));
  return priorities.map((_name, priority) =>
    Math.max(
      virtualTimes[priority] ?? 0,
      ...inOrder.filter((turn) => turn.priority === priority).map(({ tag }) => tag),
    ),
  );
};

const workMsOf = ({ models }: Dependencies, model: string): number =>
  (models.find(({ id }) => id === model)?.typicalSeconds ?? 60) * 1000;

const pacesOf = (
  dependencies: Dependencies,
  { keys, now }: Standing,
  waiting: readonly Waiting[],
): Record<string, Pace> => {
  const isLast = (turn: Waiting): number => Number(isTooDear(keys, turn));
  const lastToFirst = [...waiting].reverse().sort((left, right) => isLast(right) - isLast(left));
  const firsts = [...new Map(lastToFirst.map((turn) => [turn.model, turn])).values()];
  const paces = firsts.flatMap((turn): [string, Pace][] => {
    const { firstMs, perTurnMs } = forecast(keys, { turn, workMs: workMsOf(dependencies, turn.model), now });
    if (!Number.isFinite(firstMs)) return [];
    const readyAt = new Date(now.getTime() + firstMs).toISOString();
    const isResting = restMs(keys, turn.model, now) > dependencies.settings.waitThresholdMs;
    return [[turn.model, { readyAt, perTurnMs, isResting }]];
  });
  return Object.fromEntries(paces);
};

/** What those wait for who were not told of it when they got in line: a rest that has begun since, or keys that have gone. */
const strandedModels = (
  models: readonly string[],
  { keys }: Standing,
  paces: { before: Readonly<Record<string, Pace>>; after: Readonly<Record<string, Pace>> },
): string[] =>
  models.filter(
    (model) => keys.length === 0 || (paces.after[model]?.isResting === true && paces.before[model]?.isResting === false),
  );

/** All that were read of a model have a turn, and there may be more of them. */
const isCutShort = (models: readonly string[], waiting: readonly Waiting[], left: readonly Waiting[]): boolean =>
  models.some(
    (model) =>
      waiting.filter((turn) => turn.model === model).length >= headsOfModel &&
      !left.some((turn) => turn.model === model),
  );

/** Who waits longer than is read at once is looked at right away, and turns that nobody uses when their time is up. */
const nextAtOf = (nextAt: Date | null, isCut: boolean, { now }: Standing): Date =>
  isCut ? now : (nextAt ?? new Date(now.getTime() + sweepMs));

const giveUnderLock = async (
  dependencies: Dependencies,
  transaction: Transaction,
  { provider, present }: { provider: string; present: ReadonlySet<string> },
): Promise<readonly Given[]> => {
  const queue = await lockQueue(transaction, provider);
  const { virtualTimes } = queue;
  const models = await listWaitingModels(transaction, provider);
  if (models.length === 0) {
    await recordRound(transaction, provider, { given: [], present, virtualTimes, nextAt: null, paces: {} });
    return [];
  }
  await placeNewcomers(transaction, { provider, models, virtualTimes });
  const waiting = await readHeads(transaction, { provider, models, most: headsOfModel });
  const standing = await readKeys(dependencies, transaction, provider);
  const line = { ...standing, waiting: queue.pausedAt === null ? waiting : [], given: queue.given };
  const { random: draw, settings } = dependencies;
  const round = giveTurns({ ...line, rotation: settings.rotationOf(provider), draw });
  const { given } = round;
  const left = waiting.filter((turn) => !given.some((one) => one.turn === turn));
  const isCut = isCutShort(models, waiting, left);
  const paces = pacesOf(dependencies, standing, left);
  await recordRound(transaction, provider, {
    ...{ given, present, virtualTimes: advance(queue, given, left), nextAt: nextAtOf(round.nextAt, isCut, standing) },
    paces,
  });
  const stranded = strandedModels(models, standing, { before: queue.paces, after: paces });
  if (stranded.length > 0) await stirWaiting(transaction, provider, stranded);
  if (standing.keys.length > 1) await recordUse(transaction, provider, given);
  for (const { turn, alias } of given.filter(({ isProbe }) => isProbe))
    await beginProbe(transaction, { provider, model: turn.model, credential: alias, probe: nameOf(turn) });
  return given;
};

/** Tells those who were given a turn while nobody waited for the answer. One that cannot be told is told again. */
const tell = async ({ workflows, database, logger }: Dependencies, keys: readonly AttemptKey[]): Promise<void> => {
  await Promise.all(
    keys.map(async (key) => {
      try {
        if ((await workflows.giveTurn(key)) === 'gone') await leaveLine(database, key);
      } catch (error) {
        logger.warn({ attempt: nameOf(key), error: (error as Error).message }, 'a turn could not be told yet');
      }
    }),
  );
};

const carryOut = async (
  dependencies: Dependencies,
  round: { provider: string; present: ReadonlySet<string> },
): Promise<readonly Given[]> => {
  const given = await inTransaction(dependencies.database, (transaction) =>
    giveUnderLock(dependencies, transaction, round),
  );
  const absent = given.map(({ turn }) => turn).filter((turn) => !round.present.has(nameOf(turn)));
  // nobody here waits for that: whoever does not hear of it is told again
  void tell(dependencies, absent);
  return given;
};

/**
 * Gives turns for as long as there is room. `present`: who waits for the answer. Those who ask while a round runs share the next
 * one, so that a busy queue is locked once for many.
 */
export const giveOn = (
  dependencies: Dependencies,
  provider: string,
  present: AttemptKey | null = null,
): Promise<readonly Given[]> => {
  const lane: Lane = dependencies.lanes.get(provider) ?? { last: Promise.resolve(), upcoming: null };
  dependencies.lanes.set(provider, lane);
  if (!lane.upcoming) {
    const names = new Set<string>();
    const given = lane.last.then(() => {
      lane.upcoming = null;
      return carryOut(dependencies, { provider, present: names });
    });
    lane.last = given.then(
      () => undefined,
      () => undefined,
    );
    lane.upcoming = { present: names, given };
  }
  if (present) lane.upcoming.present.add(nameOf(present));
  return lane.upcoming.given;
};

/** Something may have become free. Nobody waits for it: what is missed here is found by the next look at the queues. */
export const giveOnAll = async (dependencies: Dependencies, { due }: { due: boolean }): Promise<void> => {
  try {
    const providers = await listQueues(dependencies.database, { due });
    await Promise.all(providers.map((provider) => giveOn(dependencies, provider)));
  } catch (error) {
    dependencies.logger.warn({ error: (error as Error).message }, 'turns could not be given; tried again soon');
  }
};

const everyMs = 1_000;

/** Looks at the queues whose time has come, and tells again who was not heard. Returns how to stop it. */
export const startDispatcher = (dependencies: Dependencies): (() => Promise<void>) => {
  let isStopped = false;
  let timer: NodeJS.Timeout;
  let running = Promise.resolve();
  const look = async (): Promise<void> => {
    await giveOnAll(dependencies, { due: true });
    try {
      await tell(dependencies, await takeUntold(dependencies.database));
    } catch (error) {
      dependencies.logger.warn({ error: (error as Error).message }, 'turns could not be told again; tried again soon');
    }
  };
  const next = (): void => {
    timer = setTimeout(() => {
      running = look().then(() => {
        if (!isStopped) next();
      });
    }, everyMs);
  };
  next();
  return async () => {
    isStopped = true;
    clearTimeout(timer);
    await running;
  };
};
