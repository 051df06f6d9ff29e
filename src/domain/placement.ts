import { estimate, isNamed } from './exclusions';
import type { Candidate, GenerationRequest } from './generation';
import type { Model } from './model';
import { compareMoney, type Money } from './money';
import type { Snapshot } from './snapshot';
import { strategyRules, type Runner, type Standing } from './strategies';
import { describeWait, rankWait, type WaitRank } from './waits';

/** What an experiment makes of one choice. */
export type Trial = {
  /** The group it was made for; `null`: no experiment concerns it. */
  variant: string | null;
  /** What is put first. */
  models: readonly Model[];
};

type Entrant = Runner & { wait: WaitRank; wish: Wish | null; standing: Standing };

/** Why a model comes before others, whatever the strategy makes of it. */
type Wish = { rank: number; words: string };

const namers: Readonly<Record<NonNullable<GenerationRequest['modelFrom']>, string>> = {
  user: 'the user prefers it',
  tenant: 'the tenant prefers it',
  defaults: 'it is the configured default',
};

const wishFor = (model: Model, request: GenerationRequest, { variant, models }: Trial): Wish | null => {
  if (models.includes(model)) return { rank: 0, words: `the experiment ${variant} puts it first` };
  if (request.model === 'auto' || !isNamed(model, request.model)) return null;
  return { rank: 1, words: request.modelFrom ? namers[request.modelFrom] : 'the request names it' };
};

const wishRank = ({ wish }: Entrant): number => wish?.rank ?? 2;

type Decider = { compare: (left: Entrant, right: Entrant) => number; behind: string };

const compareCosts = (left: Money | null, right: Money | null): number =>
  left === null || right === null ? Number(left === null) - Number(right === null) : compareMoney(left, right);

const priorityOf = ({ model }: Entrant): number => model.priority ?? 100;

/** From the first to the last: the first that tells two apart decides. Names differ always. */
const decidersOf = ({ routing }: GenerationRequest): readonly Decider[] => [
  { compare: (left, right) => left.wait - right.wait, behind: 'it would wait longer' },
  { compare: (left, right) => wishRank(left) - wishRank(right), behind: 'that one is to be tried first' },
  {
    compare: (left, right) => right.standing.score - left.standing.score,
    behind: strategyRules[routing.strategy].behind,
  },
  { compare: (left, right) => priorityOf(left) - priorityOf(right), behind: 'its priority is a higher number' },
  { compare: (left, right) => compareCosts(left.costUsd, right.costUsd), behind: 'it costs more' },
  {
    compare: (left, right) => left.model.typicalSeconds - right.model.typicalSeconds,
    behind: 'it usually takes longer',
  },
  { compare: (left, right) => right.model.qualityTier - left.model.qualityTier, behind: 'its tier is lower' },
  { compare: (left, right) => left.model.id.localeCompare(right.model.id), behind: 'of the alphabet' },
];

const ordinal = (place: number): string => {
  const suffix = { 1: 'st', 2: 'nd', 3: 'rd' }[place % 10];
  return suffix === undefined || [11, 12, 13].includes(place % 100) ? `${place}th` : `${place}${suffix}`;
};

const describePlace = (entrants: readonly Entrant[], index: number, deciders: readonly Decider[]): string => {
  if (entrants.length === 1) return 'the only candidate';
  const place = `${ordinal(index + 1)} of ${entrants.length}`;
  const [before, entrant] = [entrants[index - 1], entrants[index] as Entrant];
  const decider = before && deciders.find(({ compare }) => compare(before, entrant) !== 0);
  return decider ? `${place}, after ${before.model.id} because ${decider.behind}` : place;
};

const describeFacts = ({ model, costUsd }: Entrant): string => {
  const cost = costUsd === null ? 'price unknown, which counts as the dearest' : `${costUsd} USD`;
  return `${cost}, about ${model.typicalSeconds} s, tier ${model.qualityTier}`;
};

export type Field = { request: GenerationRequest; snapshot: Snapshot; trial: Trial };

const enter = (models: readonly Model[], { request, snapshot, trial }: Field): Entrant[] => {
  const placed = models.map((model) => {
    const wait = rankWait(snapshot.capacity.get(model.id), snapshot.waitThresholdMs);
    const wish = wishFor(model, request, trial);
    return { model, costUsd: estimate(model, request.input), wait, wish, place: `${wait}/${wish?.rank ?? 2}` };
  });
  const judge = strategyRules[request.routing.strategy].judge(placed, snapshot);
  return placed.map((runner) => ({ ...runner, standing: judge(runner) }));
};

/**
 * Those in the running, in the order they will be tried: first who can go now or soon, then what is to be tried first, then
 * the strategy; priority, price, time, tier and the alphabet decide between equals. Each says why it stands where it stands.
 */
export const placeCandidates = (models: readonly Model[], field: Field): Candidate[] => {
  const deciders = decidersOf(field.request);
  const entrants = enter(models, field).sort(
    (left, right) => deciders.map(({ compare }) => compare(left, right)).find((order) => order !== 0) ?? 0,
  );
  return entrants.map((entrant, index) => {
    const { model, costUsd, wish, standing } = entrant;
    const reasons = [
      describeFacts(entrant),
      wish?.words,
      describeWait(field.snapshot.capacity.get(model.id)),
      standing.words,
      describePlace(entrants, index, deciders),
    ];
    return {
      model: model.id,
      provider: model.provider,
      estimatedCostUsd: costUsd,
      estimatedSeconds: model.typicalSeconds,
      score: Math.round(standing.score * 1000) / 1000,
      reason: reasons.filter((reason) => typeof reason === 'string').join('; '),
      excluded: null,
    };
  });
};
