import type { LimitKind } from './limits';

/**
 * Who is sent next, and with which key. A turn is the permission to send one attempt now: it counts against every limit
 * from the moment it is given, so that whoever has one need not ask again.
 */

/** How a key is picked among those with room. */
export const rotations = ['round_robin', 'least_used', 'random', 'priority'] as const;
export type Rotation = (typeof rotations)[number];

export const priorities = ['high', 'medium', 'low'] as const;

/** Every so many turns the one that waits longest is next, whatever its priority: nobody is starved for ever. */
export const floorEvery = 10;

/** Without a known instant the queue is looked at again after this long: it makes up for a wake-up that was lost. */
export const sweepMs = 5_000;

/** An attempt that waits for its turn. */
export type Waiting = {
  generationId: string;
  number: number;
  model: string;
  /** Index into `priorities`. */
  priority: number;
  /** When its tenant's fair share comes to it, in virtual time. */
  tag: number;
  since: Date;
  /** The most it may use. */
  tokens: number;
  /** The most it may cost, in USD; `null`: nobody knows. */
  costUsd: number | null;
  /** The key that refused it last: another one is better. */
  avoid: string | null;
};

/** One limit of one key as it stands. Turns that were given and not yet used count as used. */
export type Gauge = {
  kind: LimitKind;
  /** `null`: all work of the key. */
  model: string | null;
  most: number;
  used: number;
  /** When the oldest of what is counted stops counting; `null`: when something ends. */
  freesAt: Date | null;
};

/** A breaker that is not closed. `until`: open, or its probe has time, until then; past it, one may try. */
export type Gate = { model: string; until: Date };

/** A key that may be used: those that are switched off are not here. */
export type Key = {
  alias: string;
  /** The lower the better. */
  priority: number;
  weight: number;
  pausedUntil: Date | null;
  lastUsedAt: Date | null;
  gauges: readonly Gauge[];
  gates: readonly Gate[];
};

export type Line = {
  now: Date;
  /** Of each model, at least those next in order and the one that waits longest. */
  waiting: readonly Waiting[];
  keys: readonly Key[];
  rotation: Rotation;
  /** How many turns the provider's queue has given. */
  given: number;
  /** Between 0 and 1, for `random`. */
  draw: () => number;
};

export type Given = {
  turn: Waiting;
  alias: string;
  /** It tries a breaker that was open. */
  isProbe: boolean;
};

export type Round = {
  given: Given[];
  /** When somebody who still waits may get on; `null`: nobody waits. */
  nextAt: Date | null;
};

const amounts: Record<LimitKind, (turn: Waiting) => number> = {
  jobs_in_flight: () => 1,
  requests_per_minute: () => 1,
  requests_per_day: () => 1,
  tokens_per_minute: ({ tokens }) => tokens,
  spend_per_month: ({ costUsd }) => costUsd ?? 0,
};

const binds = (gauge: Gauge, { model }: Waiting): boolean => gauge.model === null || gauge.model === model;

/** What is larger than the whole limit goes when nothing else does: the provider says what it makes of it. */
const hasRoom = (gauge: Gauge, turn: Waiting): boolean =>
  gauge.used + amounts[gauge.kind](turn) <= gauge.most || (gauge.kind === 'tokens_per_minute' && gauge.used === 0);

/** Until when this key cannot take this turn, as ms since the epoch: 0 now, infinity when nobody knows. */
const blockedUntil = (key: Key, turn: Waiting, now: Date): number => {
  const full = key.gauges.filter((gauge) => binds(gauge, turn) && !hasRoom(gauge, turn));
  const gate = key.gates.find(({ model }) => model === turn.model);
  const instants = [
    key.pausedUntil?.getTime() ?? 0,
    gate?.until.getTime() ?? 0,
    ...full.map(({ freesAt }) => freesAt?.getTime() ?? Infinity),
  ];
  const latest = Math.max(...instants);
  if (full.length > 0) return Math.max(latest, now.getTime() + 1);
  return latest > now.getTime() ? latest : 0;
};

/** It costs more than any key may still spend this month. It alone has to wait for the next one. */
export const isTooDear = (keys: readonly Key[], turn: Pick<Waiting, 'model' | 'costUsd'>): boolean =>
  keys.length > 0 &&
  keys.every(({ gauges }) =>
    gauges.some(
      ({ kind, model, used, most }) =>
        kind === 'spend_per_month' && (model === null || model === turn.model) && used + (turn.costUsd ?? 0) > most,
    ),
  );

/** How long every one of these keys rests yet before it takes work of this model, whatever room there is. */
export const restMs = (keys: readonly Key[], model: string, now: Date): number => {
  const rests = keys.map(({ pausedUntil, gates }) => {
    const gate = gates.find((one) => one.model === model);
    return Math.max(pausedUntil?.getTime() ?? 0, gate?.until.getTime() ?? 0) - now.getTime();
  });
  return Math.max(0, Math.min(...rests));
};

/** How full a key is, 0 to 1, by the limit that is tightest. */
const fullness = ({ gauges }: Key): number =>
  Math.max(0, ...gauges.map(({ used, most }) => (most === 0 ? 1 : used / most)));

const lastUse = ({ lastUsedAt }: Key): number => lastUsedAt?.getTime() ?? 0;

/** Efraimidis and Spirakis: the largest of `draw^(1/weight)` comes as often as its share of the weights. */
const drawn = (key: Key, draw: () => number): number => (key.weight === 0 ? 0 : draw() ** (1 / key.weight));

const orders: Record<Rotation, (draw: () => number) => (left: Key, right: Key) => number> = {
  round_robin: () => (left, right) => lastUse(left) - lastUse(right),
  least_used: () => (left, right) => fullness(left) - fullness(right) || lastUse(left) - lastUse(right),
  random: (draw) => {
    const places = new Map<string, number>();
    const placeOf = (key: Key): number => {
      const place = places.get(key.alias) ?? drawn(key, draw);
      places.set(key.alias, place);
      return place;
    };
    return (left, right) => placeOf(right) - placeOf(left);
  },
  priority: () => (left, right) => left.priority - right.priority || lastUse(left) - lastUse(right),
};

const pickKey = (keys: readonly Key[], turn: Waiting, { rotation, draw }: Line): Key | undefined => {
  const order = orders[rotation](draw);
  const isAvoided = ({ alias }: Key): number => Number(alias === turn.avoid);
  return [...keys].sort(
    (left, right) => isAvoided(left) - isAvoided(right) || order(left, right) || left.alias.localeCompare(right.alias),
  )[0];
};

const byTurn = (left: Waiting, right: Waiting): number =>
  left.priority - right.priority || left.tag - right.tag || byAge(left, right);

const byAge = (left: Waiting, right: Waiting): number =>
  left.since.getTime() - right.since.getTime() ||
  left.generationId.localeCompare(right.generationId) ||
  left.number - right.number;

/** After every other use, whatever the clock's grain. */
const nextUse = (keys: readonly Key[], now: Date): Date => new Date(Math.max(now.getTime(), ...keys.map(lastUse)) + 1);

/** The key after this turn was given: what it uses counts from now on. */
const charge = (key: Key, turn: Waiting, { now, usedAt }: { now: Date; usedAt: Date }): Key => ({
  ...key,
  lastUsedAt: usedAt,
  gauges: key.gauges.map((gauge) =>
    binds(gauge, turn) ? { ...gauge, used: gauge.used + amounts[gauge.kind](turn) } : gauge,
  ),
  // one probe at a time
  gates: key.gates.map((gate) =>
    gate.model === turn.model ? { ...gate, until: new Date(now.getTime() + sweepMs) } : gate,
  ),
});

/**
 * One round: turns are given in order until nobody who waits fits anywhere. A model that no key can take now does not hold
 * up the others; within a model nobody overtakes but who costs less than what is left of the month.
 */
export const giveTurns = (line: Line): Round => {
  const { now } = line;
  let keys = [...line.keys];
  let waiting = [...line.waiting];
  const given: Given[] = [];
  let nextMs = Infinity;
  const isFloor = (): boolean => (line.given + given.length + 1) % floorEvery === 0;
  while (waiting.length > 0) {
    const turn = [...waiting].sort(isFloor() ? byAge : byTurn)[0] as Waiting;
    const instants = new Map(keys.map((key) => [key.alias, blockedUntil(key, turn, now)]));
    const key = pickKey(
      keys.filter(({ alias }) => instants.get(alias) === 0),
      turn,
      line,
    );
    if (!key) {
      nextMs = Math.min(nextMs, ...instants.values());
      const isAlone = isTooDear(keys, turn);
      waiting = waiting.filter((other) => (isAlone ? other !== turn : other.model !== turn.model));
      continue;
    }
    given.push({ turn, alias: key.alias, isProbe: key.gates.some(({ model }) => model === turn.model) });
    const usedAt = nextUse(keys, now);
    keys = keys.map((other) => (other === key ? charge(key, turn, { now, usedAt }) : other));
    waiting = waiting.filter((other) => other !== turn);
  }
  const left = line.waiting.length - given.length;
  const latest = now.getTime() + sweepMs;
  return { given, nextAt: left === 0 ? null : new Date(Math.min(nextMs, latest)) };
};

/** When those who wait for a model get on: the next one after `firstMs`, each one after it `perTurnMs` later. */
export type Forecast = { firstMs: number; perTurnMs: number };

/**
 * About how long such turns wait: for what is known to end, then at the pace of the tightest limits. `workMs` is how long
 * one piece of the work usually takes. Without a key nobody knows: infinite.
 */
export const forecast = (
  keys: readonly Key[],
  { turn, workMs, now }: { turn: Waiting; workMs: number; now: Date },
): Forecast => {
  const waits = keys.map((key) => {
    const untilMs = blockedUntil(key, turn, now);
    if (untilMs === 0) return 0;
    return Number.isFinite(untilMs) ? untilMs - now.getTime() : workMs;
  });
  const pace = keys.map((key) => paceOf(key, turn, workMs)).reduce((sum, one) => sum + one, 0);
  return { firstMs: Math.min(...waits), perTurnMs: 1 / pace };
};

/** Turns per ms that one key can give on. */
const paceOf = ({ gauges }: Key, turn: Waiting, workMs: number): number =>
  Math.min(
    ...gauges
      .filter((gauge) => binds(gauge, turn))
      .flatMap((gauge) => {
        const length = lengthMs(gauge, turn, workMs);
        return length === null ? [] : [gauge.most / Math.max(1, amounts[gauge.kind](turn)) / length];
      }),
    Number.MAX_SAFE_INTEGER,
  );

/** Over which time a limit spreads the turns behind one another; `null`: it does not. */
const lengthMs = (gauge: Gauge, turn: Waiting, workMs: number): number | null => {
  switch (gauge.kind) {
    case 'jobs_in_flight':
      return workMs;
    case 'requests_per_minute':
    case 'tokens_per_minute':
      return 60_000;
    // what is left of a day goes at any pace
    case 'requests_per_day':
      return hasRoom(gauge, turn) ? null : 86_400_000;
    // frees all at once
    case 'spend_per_month':
      return null;
  }
};
