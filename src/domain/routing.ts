import { fillDefaults, findViolations } from './capabilities';
import { SureshotError, type Violation } from './failure';
import type { Candidate, Decision, GenerationRequest, Strategy } from './generation';
import type { Model } from './model';
import { compareMoney } from './money';
import { estimateCost } from './pricing';

/** What a choice is made from; the same snapshot always gives the same decision. */
export type Snapshot = {
  models: readonly Model[];
  /** Providers with at least one usable credential. */
  configured: ReadonlySet<string>;
  now: Date;
  /** 1 to 5, from the analysis; `null` when there is none. */
  complexity: number | null;
};

export const lifecycleStatus = (model: Model, now: Date): 'active' | 'deprecated' | 'retired' => {
  const today = now.toISOString().slice(0, 10);
  const { deprecatedOn, retiredOn } = model.lifecycle;
  if (retiredOn !== undefined && retiredOn <= today) return 'retired';
  return deprecatedOn !== undefined && deprecatedOn <= today ? 'deprecated' : 'active';
};

const isNamed = (model: Model, name: string): boolean => [model.id, model.providerModel, model.family].includes(name);

const isListed = (model: Model, names: readonly string[]): boolean =>
  names.some((name) => isNamed(model, name) || model.provider === name);

/** The models a request names, before anything is ruled out. An exact id is one; `allow` adds its fallbacks. */
const namedModels = (request: GenerationRequest, models: readonly Model[]): Model[] => {
  const ofMedium = models.filter((model) => model.medium === request.medium);
  const fromProvider = ofMedium.filter((model) => request.provider === null || model.provider === request.provider);
  if (request.model === 'auto') {
    return fromProvider.filter((model) => model.automatic || request.provider === model.provider);
  }
  const exact = fromProvider.filter((model) => isNamed(model, request.model));
  const fallbacks = ofMedium.filter((model) => isListed(model, request.routing.allow) && !exact.includes(model));
  return [...exact, ...fallbacks];
};

const retirement = (model: Model): string =>
  `retired on ${model.lifecycle.retiredOn}${model.lifecycle.successor ? `; use ${model.lifecycle.successor}` : ''}`;

const priceExclusion = (model: Model, { input, routing }: GenerationRequest): string | null => {
  const cost = estimateCost(model, fillDefaults(model, input));
  if (cost === null) return 'the price of this request is not known';
  if (routing.maxCostUsd !== null && compareMoney(cost, routing.maxCostUsd) > 0)
    return `may cost ${cost} USD, more than routing.maxCostUsd ${routing.maxCostUsd}`;
  return null;
};

const exclusion = (model: Model, request: GenerationRequest, snapshot: Snapshot): string | null => {
  const { routing } = request;
  if (lifecycleStatus(model, snapshot.now) === 'retired') return retirement(model);
  if (isListed(model, routing.deny)) return 'denied by routing.deny';
  const narrowed = request.model === 'auto' && routing.allow.length > 0;
  if (narrowed && !isListed(model, routing.allow)) return 'not among routing.allow';
  if (!snapshot.configured.has(model.provider)) return `no key for ${model.provider} is configured`;
  const violations = findViolations(model, request.input);
  if (violations.length > 0) return violations.map(({ pointer, detail }) => `${pointer} ${detail}`).join('; ');
  return priceExclusion(model, request);
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
  }
};

/** 1 for the smallest of `values`, 0 for the largest, on a line between. */
const lowIsGood = (value: number, values: readonly number[]): number => {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return most === least ? 1 : (most - value) / (most - least);
};

const reasonFor = (weights: Weights, candidate: Candidate, model: Model): string => {
  const facts = `${candidate.estimatedCostUsd} USD, about ${candidate.estimatedSeconds} s, tier ${model.qualityTier}`;
  const chief = Object.entries<number>(weights).sort((left, right) => right[1] - left[1])[0]?.[0];
  return `${facts}; ${chief} weighs most`;
};

const scored = (models: readonly Model[], candidates: Candidate[], weights: Weights): Candidate[] => {
  const costs = candidates.map((candidate) => Number(candidate.estimatedCostUsd));
  const seconds = candidates.map((candidate) => candidate.estimatedSeconds);
  return candidates.map((candidate, index) => {
    const model = models[index] as Model;
    const score =
      weights.cost * lowIsGood(costs[index] as number, costs) +
      weights.quality * ((model.qualityTier - 1) / 2) +
      weights.speed * lowIsGood(seconds[index] as number, seconds);
    return { ...candidate, score: Math.round(score * 1000) / 1000, reason: reasonFor(weights, candidate, model) };
  });
};

/** Best first; the cheaper, then the alphabet, decide between equals. A named model stays before its fallbacks. */
const byScore = (request: GenerationRequest, models: readonly Model[]) => {
  const isFirst = (id: string): boolean =>
    request.model !== 'auto' && models.some((model) => model.id === id && isNamed(model, request.model));
  return (left: Candidate, right: Candidate): number =>
    Number(isFirst(right.model)) - Number(isFirst(left.model)) ||
    right.score - left.score ||
    compareMoney(left.estimatedCostUsd, right.estimatedCostUsd) ||
    left.model.localeCompare(right.model);
};

const toCandidate = (model: Model, request: GenerationRequest, excluded: string | null): Candidate => ({
  model: model.id,
  provider: model.provider,
  estimatedCostUsd: estimateCost(model, fillDefaults(model, request.input)) ?? '0',
  estimatedSeconds: model.typicalSeconds,
  score: 0,
  reason: '',
  excluded,
});

/** Filter, then order. Those in the running come first, in the order they will be tried; the others say why not. */
export const chooseCandidates = (request: GenerationRequest, snapshot: Snapshot): Decision => {
  const models = namedModels(request, snapshot.models);
  const judged = models.map((model) => ({ model, excluded: exclusion(model, request, snapshot) }));
  const open = judged.filter(({ excluded }) => excluded === null).map(({ model }) => model);
  const weights = weightsOf(request.routing.strategy, snapshot.complexity);
  const candidates = scored(
    open,
    open.map((model) => toCandidate(model, request, null)),
    weights,
  );
  const excluded = judged
    .filter((row) => row.excluded !== null)
    .map((row) => ({ ...toCandidate(row.model, request, row.excluded), reason: 'excluded' }));
  return {
    strategy: request.routing.strategy,
    variant: null,
    candidates: [...candidates.sort(byScore(request, open)), ...excluded],
  };
};

export const inTheRunning = (decision: Decision): Candidate[] =>
  decision.candidates.filter((candidate) => candidate.excluded === null);

const unknownModel = (request: GenerationRequest, models: readonly Model[]): SureshotError => {
  const elsewhere = new Set(namedModels({ ...request, provider: null }, models).map((model) => model.provider));
  if (elsewhere.size > 0) {
    const message = `${request.provider} has no such ${request.medium} model`;
    const violations = [{ pointer: '/provider', detail: `must be null or one of ${[...elsewhere].join(', ')}` }];
    return new SureshotError('caller_invalid_request', message, { violations });
  }
  const accepted = models.filter((model) => model.medium === request.medium).map((model) => model.id);
  const detail = `must be auto, a family, a provider's own id or one of ${accepted.join(', ')}`;
  return new SureshotError('caller_invalid_request', `no ${request.medium} model is called ${request.model}`, {
    violations: [{ pointer: '/model', detail }],
  });
};

const whyNot = (request: GenerationRequest, models: Model[], snapshot: Snapshot): SureshotError => {
  const current = models.filter((model) => lifecycleStatus(model, snapshot.now) !== 'retired');
  const retired = models[0];
  if (retired && current.length === 0) {
    return new SureshotError('caller_model_retired', `${retired.id} was ${retirement(retired)}`, {
      violations: [{ pointer: '/model', detail: retirement(retired) }],
    });
  }
  const usable = current.filter((model) => snapshot.configured.has(model.provider));
  if (usable.length === 0) {
    const providers = [...new Set(current.map((model) => model.provider))].join(', ');
    return new SureshotError('policy_no_capacity', `none of the providers that could do this has a key: ${providers}`);
  }
  return refusal(request, usable);
};

const refusal = (request: GenerationRequest, usable: Model[]): SureshotError => {
  const perModel = usable.map((model) => findViolations(model, request.input));
  const able = usable.filter((_model, index) => perModel[index]?.length === 0);
  if (able.length > 0 && able.every((model) => estimateCost(model, fillDefaults(model, request.input)) === null))
    return new SureshotError('policy_price_unknown', 'the price of this request is not known');
  const violations: Violation[] =
    able.length > 0
      ? [{ pointer: '/routing', detail: 'rules out every model that could do this' }]
      : perModel.sort((left, right) => left.length - right.length).flat();
  return new SureshotError('caller_invalid_request', 'no model can do what this request asks for', {
    violations: violations.slice(0, 20),
  });
};

/** With `allowSuccessor`, a retired exact model becomes the one its maker names. */
export const followSuccessor = (request: GenerationRequest, snapshot: Snapshot): GenerationRequest => {
  const named = snapshot.models.find((model) => isNamed(model, request.model) && model.medium === request.medium);
  const successor = named?.lifecycle.successor;
  const retired = named !== undefined && lifecycleStatus(named, snapshot.now) === 'retired';
  return retired && request.allowSuccessor && successor !== undefined ? { ...request, model: successor } : request;
};

/** The decision, or the error that tells the caller which field stands in the way. */
export const admit = (request: GenerationRequest, snapshot: Snapshot): Decision => {
  const models = namedModels(request, snapshot.models);
  if (models.length === 0) throw unknownModel(request, snapshot.models);
  const decision = chooseCandidates(request, snapshot);
  if (inTheRunning(decision).length === 0) throw whyNot(request, models, snapshot);
  return decision;
};
