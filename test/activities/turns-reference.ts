import type { LimitKind } from '../../src/domain/limits';

/**
 * Who is given a turn, worked out the slow way: everything is counted again, from all that has happened, for each turn. Shares
 * no code with the product. Times are in seconds of the test's own clock.
 */
export type Member = {
  id: string;
  tenant: string;
  model: string;
  priority: number;
  tokens: number;
  state: 'absent' | 'waiting' | 'given' | 'sent' | 'lost' | 'ended';
  tag: number;
  /** Who joined earlier has a smaller one. */
  joined: number;
  alias: string | null;
  givenAt: number;
  sentAt: number;
  avoid: string | null;
};

export type ReferenceKey = { alias: string; isDisabled: boolean; pausedUntil: number; lastUse: number };

export type Rule = { kind: LimitKind; credential: string | null; model: string | null; most: number | null };

export type World = {
  clock: number;
  members: Member[];
  sends: { alias: string; model: string; tokens: number; at: number }[];
  keys: ReferenceKey[];
  configured: readonly Rule[];
  /** The last one of a place stands. */
  overrides: Rule[];
  virtualTimes: number[];
  given: number;
  uses: number;
  joins: number;
  weights: Readonly<Record<string, number>>;
  maximumSeconds: Readonly<Record<string, number>>;
};

const leaseSeconds = 60;
const windowSeconds = 61;

export const holdsTurn = ({ clock }: World, member: Member): boolean =>
  member.state === 'given' && clock - member.givenAt < leaseSeconds;

export const isInLine = (world: World, member: Member): boolean =>
  member.state === 'waiting' || (member.state === 'given' && !holdsTurn(world, member));

/** `returns`: what it sent was not accepted; it goes before those of its priority that had no turn. */
export const joinWorld = (world: World, member: Member, returns: boolean): void => {
  member.tag = returns ? 0 : Infinity;
  member.joined = world.joins += 1;
  member.state = 'waiting';
};

/** Each a share after the last of its own, in the order they came. */
const placeNewcomers = (world: World): void => {
  const { virtualTimes, weights, members } = world;
  const inLine = members.filter(({ state }) => state === 'waiting' || state === 'given');
  const isOwn = (left: Member, right: Member): boolean =>
    left.tenant === right.tenant && left.priority === right.priority;
  const placed = inLine.filter(({ tag }) => tag < Infinity).map((member) => ({ ...member }));
  const fresh = inLine.filter(({ tag }) => tag === Infinity);
  for (const member of fresh) {
    const tags = placed.filter((other) => isOwn(other, member)).map(({ tag }) => tag);
    const nth = fresh.filter((other) => isOwn(other, member) && other.joined <= member.joined).length;
    const from = Math.max(virtualTimes[member.priority] as number, ...tags);
    member.tag = from + nth / (weights[member.tenant] as number);
  }
};

const ruleOf = (
  { overrides, configured }: World,
  { alias, kind, model }: { alias: string; kind: LimitKind; model: string | null },
) => {
  const fitting = (rules: readonly Rule[], credential: string | null): Rule | undefined =>
    rules.findLast((rule) => rule.kind === kind && rule.model === model && rule.credential === credential);
  return (fitting(overrides, alias) ?? fitting(overrides, null) ?? fitting(configured, null))?.most ?? null;
};

const isOut = (world: World, member: Member, model: string | null): boolean => {
  if (member.state === 'sent') return true;
  const seconds =
    model === null ? Math.max(...Object.values(world.maximumSeconds)) : (world.maximumSeconds[model] ?? 0);
  return member.state === 'lost' && world.clock - member.sentAt < seconds;
};

type Place = { alias: string; model: string | null };

const countUsed = (world: World, kind: LimitKind, { alias, model }: Place): number => {
  const isOwn = (thing: { alias: string | null; model: string }): boolean =>
    thing.alias === alias && (model === null || thing.model === model);
  const given = world.members.filter((member) => isOwn(member) && holdsTurn(world, member));
  const sends = world.sends.filter((send) => isOwn(send) && world.clock - send.at < windowSeconds);
  switch (kind) {
    case 'jobs_in_flight':
      return world.members.filter((member) => isOwn(member) && isOut(world, member, model)).length + given.length;
    case 'requests_per_minute':
      return sends.length + given.length;
    case 'tokens_per_minute':
      return [...sends, ...given].reduce((sum, { tokens }) => sum + tokens, 0);
    default:
      throw new Error(`${kind} is not part of this`);
  }
};

const kinds = ['jobs_in_flight', 'requests_per_minute', 'tokens_per_minute'] as const;

const fits = (world: World, alias: string, member: Member): boolean =>
  [null, member.model].every((model) =>
    kinds.every((kind) => {
      const most = ruleOf(world, { alias, kind, model });
      if (most === null) return true;
      const used = countUsed(world, kind, { alias, model });
      if (kind !== 'tokens_per_minute') return used < most;
      return used === 0 || used + member.tokens <= most;
    }),
  );

const isBefore = (world: World, left: Member, right: Member): boolean => {
  const isFloor = (world.given + 1) % 10 === 0;
  if (!isFloor && left.priority !== right.priority) return left.priority < right.priority;
  if (!isFloor && left.tag !== right.tag) return left.tag < right.tag;
  return left.joined < right.joined;
};

const pick = (world: World, member: Member): ReferenceKey | undefined => {
  const usable = world.keys.filter(
    (key) => !key.isDisabled && key.pausedUntil <= world.clock && fits(world, key.alias, member),
  );
  const others = usable.filter(({ alias }) => alias !== member.avoid);
  const [first, ...rest] = others.length > 0 ? others : usable;
  return first && rest.reduce((best, key) => (key.lastUse < best.lastUse ? key : best), first);
};

/** Whoever is served for its age, past others of its model and priority that go on waiting, does not move the time on. */
const moveTime = (world: World, served: readonly Member[]): void => {
  const left = world.members.filter((member) => isInLine(world, member));
  for (const { model, priority, tag } of served) {
    const isPassed = left.some((one) => one.model === model && one.priority === priority && one.tag < tag);
    if (!isPassed) world.virtualTimes[priority] = Math.max(world.virtualTimes[priority] as number, tag);
  }
};

/** Gives all turns that can be given, and says which. */
export const giveInWorld = (world: World): string[] => {
  placeNewcomers(world);
  const served: Member[] = [];
  const stuck = new Set<string>();
  for (;;) {
    const line = world.members.filter((member) => isInLine(world, member) && !stuck.has(member.model));
    const next = line.find((member) => line.every((other) => other === member || isBefore(world, member, other)));
    if (!next) break;
    const key = pick(world, next);
    if (!key) {
      stuck.add(next.model);
      continue;
    }
    Object.assign(next, { state: 'given', alias: key.alias, givenAt: world.clock });
    key.lastUse = world.uses += 1;
    world.given += 1;
    served.push(next);
  }
  moveTime(world, served);
  return served.map(({ id, alias }) => `${id} ${alias}`).sort();
};

/** Limits that are overshot by what was given in this round, or sent with it. Too many tokens may go alone. */
export const findOvershot = (world: World, told: readonly string[]): string[] =>
  world.keys
    .filter(({ alias }) => told.some((one) => one.endsWith(` ${alias}`)))
    .flatMap(({ alias }) =>
      [null, ...Object.keys(world.maximumSeconds)].flatMap((model) =>
        kinds.flatMap((kind) => {
          const most = ruleOf(world, { alias, kind, model });
          const used = countUsed(world, kind, { alias, model });
          const isTouched = world.members.some(
            (member) => told.includes(`${member.id} ${alias}`) && (model === null || member.model === model),
          );
          const isAlone =
            kind === 'tokens_per_minute' &&
            world.members.some(
              (member) => member.alias === alias && holdsTurn(world, member) && member.tokens === used,
            );
          return most !== null && isTouched && used > most && !isAlone
            ? [`${alias} ${model} ${kind}: ${used} of ${most}`]
            : [];
        }),
      ),
    );
