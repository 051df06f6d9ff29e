import { adaptInput } from './adapted-input';
import { findViolations } from './capabilities';
import type { Candidate, Decision, GenerationInput, GenerationRequest, Strategy } from './generation';
import type { Model } from './model';
import { compareMoney, type Money } from './money';
import { estimateCost } from './pricing';

/** What a choice is made from; the same snapshot always gives the same decision. */
export type Snapshot = {
  models: readonly Model[];
  /** Providers with at least one usable credential. */
  configured: ReadonlySet<string>;
  now: Date;
  /** 1 to 5, from the analysis; `null` when there is none. */
  complexity: number | null;
  /** Whether a model without a known price may be used. */
  unknownPrices: 'block' | 'allow';
  /** What the strategy `weighted` draws by: the same seed draws the same. */
  seed: string;
};

export const lifecycleStatus = (model: Model, now: Date): 'active' | 'deprecated' | 'retired' => {
  const today = now.toISOString().slice(0, 10);
  const { deprecatedOn, retiredOn } = model.lifecycle;
  if (retiredOn !== undefined && retiredOn <= today) return 'retired';
  return deprecatedOn !== undefined && deprecatedOn <= today ? 'deprecated' : 'active';
};

const isNamed = (model: Model, name: string): boolean => [model.id, model.providerModel, model.family].includes(name);

export const isListed = (model: Model, names: readonly string[]): boolean =>
  names.some((name) => isNamed(model, name) || model.provider === name);

/** Whoever asks for speech and names no task wants it spoken. */
const makesTask = ({ medium, capabilities }: Model, { input }: GenerationRequest): boolean =>
  medium !== 'speech' || (capabilities.speechTask ?? 'speech') === (input.task ?? 'speech');

/** The models a request names, before anything is ruled out. An exact id is one; `allow` adds its fallbacks. */
export const namedModels = (request: GenerationRequest, models: readonly Model[]): Model[] => {
  const ofMedium = models.filter((model) => model.medium === request.medium);
  const fromProvider = ofMedium.filter((model) => request.provider === null || model.provider === request.provider);
  if (request.model === 'auto') {
    return fromProvider.filter(
      (model) => (model.automatic || request.provider === model.provider) && makesTask(model, request),
    );
  }
  const exact = fromProvider.filter((model) => isNamed(model, request.model));
  const fallbacks = ofMedium.filter((model) => isListed(model, request.routing.allow) && !exact.includes(model));
  return [...exact, ...fallbacks];
};

export const retirement = (model: Model): string =>
  `retired on ${model.lifecycle.retiredOn}${model.lifecycle.successor ? `; use ${model.lifecycle.successor}` : ''}`;

export const estimate = (model: Model, input: GenerationInput): Money | null =>
  estimateCost(model, adaptInput(model, input));

const priceExclusion = (
  model: Model,
  { input, routing }: GenerationRequest,
  { unknownPrices }: Snapshot,
): string | null => {
  const cost = estimate(model, input);
  // a price cap cannot be kept without a price, whatever the policy
  if (cost === null)
    return unknownPrices === 'block' || routing.maxCostUsd !== null ? 'the price of this request is not known' : null;
  if (routing.maxCostUsd !== null && compareMoney(cost, routing.maxCostUsd) > 0)
    return `may cost ${cost} USD, more than routing.maxCostUsd ${routing.maxCostUsd}`;
  return null;
};

const exclusion = (model: Model, request: GenerationRequest, snapshot: Snapshot): string | null => {
  const { routing } = request;
  if (lifecycleStatus(model, snapshot.now) === 'retired') return retirement(model);
  if (model.enabled === false) return 'switched off by the configuration';
  if (isListed(model, routing.deny)) return 'denied by routing.deny';
  const narrowed = request.model === 'auto' && routing.allow.length > 0;
  if (narrowed && !isListed(model, routing.allow)) return 'not among routing.allow';
  if (!snapshot.configured.has(model.provider)) return `no key for ${model.provider} is configured`;
  const violations = findViolations(model, request.input);
  if (violations.length > 0) return violations.map(({ pointer, detail }) => `${pointer} ${detail}`).join('; ');
  return priceExclusion(model, request, snapshot);
};

type Weights = { cost: number; quality: number; speed: number };

const weightsOf = (strategy: Strategy, complexity: number | null): Weights => {
  switch (strategy) {
    case 'cost':
      return { cost: 1, quality: 0, speed: 0 };
    case 'quality':
      return { cost: 0, quality: 1, speed: 0 };
    case 'speed':
      return { cost: 0, quality: 0, speed: 1 };
    case 'balanced': {
      // an intricate prompt is worth a better model: a quarter at 1, a little over half at 5
      const quality = 0.25 + 0.075 * ((complexity ?? 2) - 1);
      return { cost: (1 - quality) * 0.6, quality, speed: (1 - quality) * 0.4 };
    }
    case 'weighted':
      return { cost: 0, quality: 0, speed: 0 };
  }
};

/** 1 for the smallest of `values`, 0 for the largest, on a line between; what is not known counts as the largest. */
const lowIsGood = (value: number | null, values: readonly (number | null)[]): number => {
  const known = values.filter((other) => other !== null);
  if (value === null) return 0;
  const [least, most] = [Math.min(...known), Math.max(...known)];
  return most === least ? 1 : (most - value) / (most - least);
};

const mix = (hash: number, shift: number, factor: number): number => Math.imul(hash ^ (hash >>> shift), factor) >>> 0;

/** FNV-1a over the text, mixed as MurmurHash3 ends (ids that differ in one place differ everywhere), between 0 and 1. */
const drawFrom = (text: string): number => {
  let hash = 2_166_136_261;
  for (let index = 0; index < text.length; index += 1)
    hash = Math.imul(hash ^ text.charCodeAt(index), 16_777_619) >>> 0;
  hash = mix(mix(hash, 16, 2_246_822_507), 13, 3_266_489_909);
  return (((hash ^ (hash >>> 16)) >>> 0) + 1) / 4_294_967_297;
};

/**
 * Each model comes first as often as its share of the weights (Efraimidis and Spirakis, 2006); their order, written so
 * that neither large nor small weights run together.
 */
const drawnByWeight = ({ id, weight = 1 }: Model, seed: string): number =>
  weight === 0 ? 0 : 1 / (1 - Math.log(drawFrom(`${seed}/${id}`)) / weight);

const reasonFor = (weights: Weights, candidate: Candidate, model: Model): string => {
  const cost = candidate.estimatedCostUsd === null ? 'price unknown' : `${candidate.estimatedCostUsd} USD`;
  const facts = `${cost}, about ${candidate.estimatedSeconds} s, tier ${model.qualityTier}`;
  const [name, weight] = Object.entries<number>(weights).sort((left, right) => right[1] - left[1])[0] ?? ['', 0];
  return weight === 0 ? `${facts}; drawn with weight ${model.weight ?? 1}` : `${facts}; ${name} weighs most`;
};

type Scoring = { strategy: Strategy; snapshot: Snapshot };

const scored = (models: readonly Model[], candidates: Candidate[], { strategy, snapshot }: Scoring): Candidate[] => {
  const weights = weightsOf(strategy, snapshot.complexity);
  const costs = candidates.map(({ estimatedCostUsd }) => (estimatedCostUsd === null ? null : Number(estimatedCostUsd)));
  const seconds = candidates.map((candidate) => candidate.estimatedSeconds);
  return candidates.map((candidate, index) => {
    const model = models[index] as Model;
    const score =
      strategy === 'weighted'
        ? drawnByWeight(model, snapshot.seed)
        : weights.cost * lowIsGood(costs[index] ?? null, costs) +
          weights.quality * ((model.qualityTier - 1) / 2) +
          weights.speed * lowIsGood(seconds[index] as number, seconds);
    return { ...candidate, score, reason: reasonFor(weights, candidate, model) };
  });
};

const compareCosts = (left: Money | null, right: Money | null): number =>
  left === null || right === null ? Number(left === null) - Number(right === null) : compareMoney(left, right);

/** Best first; priority, the cheaper, then the alphabet decide between equals. A named model stays before its fallbacks. */
const byScore = (request: GenerationRequest, models: readonly Model[]) => {
  const isFirst = (id: string): boolean =>
    request.model !== 'auto' && models.some((model) => model.id === id && isNamed(model, request.model));
  const priorityOf = (id: string): number => models.find((model) => model.id === id)?.priority ?? 100;
  return (left: Candidate, right: Candidate): number =>
    Number(isFirst(right.model)) - Number(isFirst(left.model)) ||
    right.score - left.score ||
    priorityOf(left.model) - priorityOf(right.model) ||
    compareCosts(left.estimatedCostUsd, right.estimatedCostUsd) ||
    left.model.localeCompare(right.model);
};

const toCandidate = (model: Model, request: GenerationRequest, excluded: string | null): Candidate => ({
  model: model.id,
  provider: model.provider,
  estimatedCostUsd: estimate(model, request.input),
  estimatedSeconds: model.typicalSeconds,
  score: 0,
  reason: '',
  excluded,
});

const roundScore = (candidate: Candidate): Candidate => ({
  ...candidate,
  score: Math.round(candidate.score * 1000) / 1000,
});

/** Filter, then order. Those in the running come first, in the order they will be tried; the others say why not. */
export const chooseCandidates = (request: GenerationRequest, snapshot: Snapshot): Decision => {
  const models = namedModels(request, snapshot.models);
  const judged = models.map((model) => ({ model, excluded: exclusion(model, request, snapshot) }));
  const open = judged.filter(({ excluded }) => excluded === null).map(({ model }) => model);
  const candidates = scored(
    open,
    open.map((model) => toCandidate(model, request, null)),
    { strategy: request.routing.strategy, snapshot },
  );
  const excluded = judged
    .filter((row) => row.excluded !== null)
    .map((row) => ({ ...toCandidate(row.model, request, row.excluded), reason: 'excluded' }));
  return {
    strategy: request.routing.strategy,
    variant: null,
    candidates: [...candidates.sort(byScore(request, open)).map(roundScore), ...excluded],
  };
};

export const inTheRunning = (decision: Decision): Candidate[] =>
  decision.candidates.filter((candidate) => candidate.excluded === null);

/** With `allowSuccessor`, a retired exact model becomes the one its maker names. */
export const followSuccessor = (request: GenerationRequest, snapshot: Snapshot): GenerationRequest => {
  const named = snapshot.models.find((model) => isNamed(model, request.model) && model.medium === request.medium);
  const successor = named?.lifecycle.successor;
  const retired = named !== undefined && lifecycleStatus(named, snapshot.now) === 'retired';
  return retired && request.allowSuccessor && successor !== undefined ? { ...request, model: successor } : request;
};
