import { rulesOf, type LimitOverride } from '../domain/limits';
import {
  forecast,
  giveTurns,
  isTooDear,
  priorities,
  restMs,
  sweepMs,
  type Given,
  type Key,
  type Waiting,
} from '../domain/turns';
import type { AttemptKey } from '../stores/attempts';
import { beginProbe } from '../stores/breakers';
import type { Statements } from '../stores/database';
import { readOverrides } from '../stores/limit-overrides';
import { lockQueue, readStanding, type Queue } from '../stores/standing';
import {
  beginRound,
  leaveLine,
  listQueues,
  nameOf,
  recordRound,
  recordUse,
  stirWaiting,
  takeUntold,
  type Heads,
  type Pace,
} from '../stores/turns';
import type { Dependencies, Lane } from './dependencies';

/** Of each model so many are read at once; who is left over is given a turn in the next round. */
const headsOfModel = 50;

/** The provider's usable keys, those that this process has and nobody has switched off, and who is next. */
type Standing = { now: Date; keys: Key[]; waiting: readonly Waiting[] };

type Asked = { provider: string; overrides: readonly LimitOverride[]; heads?: Heads };

const ofKey = <Thing extends { credential: string }>(things: readonly Thing[], alias: string): Thing[] =>
  things.filter(({ credential }) => credential === alias);

/** Limits that were set at run time as they stood just before; the rest as it stands. */
const readUsable = async (
  { credentials, settings, models }: Dependencies,
  database: Statements,
  { provider, overrides, heads }: Asked,
): Promise<Standing> => {
  const aliases = (credentials[provider] ?? []).map(({ alias }) => alias);
  const limits = settings.limitsOf(provider);
  const rules = aliases.flatMap((alias) => rulesOf(alias, limits, overrides));
  const own = models.filter((row) => row.provider === provider);
  const workSecondsOf = (model: string | null): number =>
    Math.max(0, ...own.filter(({ id }) => model === null || id === model).map(({ maximumSeconds }) => maximumSeconds));
  const asked = { provider, rules, ...(heads && { heads }) };
  const { now, keys, gauges, gates, waiting } = await readStanding(database, asked, workSecondsOf);
  const usable = aliases.flatMap((alias): Key[] => {
    const state = keys.find((key) => key.alias === alias);
    if (state?.isDisabled) return [];
    const { priority = 100, weight = 1, pausedUntil = null, lastUsedAt = null } = state ?? {};
    const counted = { gauges: ofKey(gauges, alias), gates: ofKey(gates, alias) };
    return [{ alias, priority, weight, pausedUntil, lastUsedAt, ...counted }];
  });
  return { now, keys: usable, waiting };
};

export const readKeys = async (dependencies: Dependencies, database: Statements, provider: string): Promise<Standing> =>
  readUsable(dependencies, database, { provider, overrides: await readOverrides(database, provider) });

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

/** Of those that are left waiting. */
const pacesOf = (
  dependencies: Dependencies,
  { keys, now }: Standing,
  left: readonly Waiting[],
): Record<string, Pace> => {
  const isLast = (turn: Waiting): number => Number(isTooDear(keys, turn));
  const lastToFirst = [...left].reverse().sort((left, right) => isLast(right) - isLast(left));
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
    (model) =>
      keys.length === 0 || (paces.after[model]?.isResting === true && paces.before[model]?.isResting === false),
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

/** `absent`: who was given a turn and is to be told. */
type Outcome = { given: readonly Given[]; absent: readonly AttemptKey[] };

const nothing: Outcome = { given: [], absent: [] };

const giveUnderLock = async (
  dependencies: Dependencies,
  transaction: Statements,
  provider: string,
): Promise<Outcome> => {
  const queue = await lockQueue(transaction, provider);
  if (queue.isServed) return nothing;
  const { virtualTimes, overrides } = queue;
  const { at, models } = await beginRound(transaction, { provider, virtualTimes });
  if (models.length === 0) {
    await recordRound(transaction, provider, { given: [], at, virtualTimes, nextAt: null, paces: {} });
    return nothing;
  }
  const heads = { models, most: headsOfModel };
  const standing = await readUsable(dependencies, transaction, { provider, overrides, heads });
  const { waiting } = standing;
  const line = { ...standing, waiting: queue.pausedAt === null ? waiting : [], given: queue.given };
  const { random: draw, settings } = dependencies;
  const round = giveTurns({ ...line, rotation: settings.rotationOf(provider), draw });
  const { given } = round;
  const left = waiting.filter((turn) => !given.some((one) => one.turn === turn));
  const isCut = isCutShort(models, waiting, left);
  const paces = pacesOf(dependencies, standing, left);
  const absent = await recordRound(transaction, provider, {
    ...{ given, at, virtualTimes: advance(queue, given, left), nextAt: nextAtOf(round.nextAt, isCut, standing) },
    paces,
  });
  const stranded = strandedModels(models, standing, { before: queue.paces, after: paces });
  if (stranded.length > 0) await stirWaiting(transaction, provider, stranded);
  if (standing.keys.length > 1) await recordUse(transaction, provider, given);
  for (const { turn, alias } of given.filter(({ isProbe }) => isProbe))
    await beginProbe(transaction, { provider, model: turn.model, credential: alias, probe: nameOf(turn) });
  return { given, absent };
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

const carryOut = async (dependencies: Dependencies, provider: string): Promise<readonly Given[]> => {
  const { given, absent } = await dependencies.database.direct.$transaction((transaction) =>
    giveUnderLock(dependencies, transaction, provider),
  );
  // nobody here waits for that: whoever does not hear of it is told again
  void tell(dependencies, absent);
  return given;
};

/**
 * Gives turns for as long as there is room. Those who ask while a round runs share the next one, so that a busy queue is
 * locked once for many; a round that another process has begun since serves them as well, and is not told of here.
 */
export const giveOn = (dependencies: Dependencies, provider: string): Promise<readonly Given[]> => {
  const lane: Lane = dependencies.lanes.get(provider) ?? { last: Promise.resolve(), upcoming: null };
  dependencies.lanes.set(provider, lane);
  if (!lane.upcoming) {
    const given = lane.last.then(() => {
      lane.upcoming = null;
      return carryOut(dependencies, provider);
    });
    lane.last = given.then(
      () => undefined,
      () => undefined,
    );
    lane.upcoming = given;
  }
  return lane.upcoming;
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
