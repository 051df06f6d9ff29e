import { adaptInput } from './adapted-input';
import { findViolations } from './capabilities';
import type { GenerationInput, GenerationRequest } from './generation';
import type { Model } from './model';
import { compareMoney, type Money } from './money';
import { estimateCost } from './pricing';
import type { Snapshot } from './snapshot';

export const lifecycleStatus = (model: Model, now: Date): 'active' | 'deprecated' | 'retired' => {
  const today = now.toISOString().slice(0, 10);
  const { deprecatedOn, retiredOn } = model.lifecycle;
  if (retiredOn !== undefined && retiredOn <= today) return 'retired';
  return deprecatedOn !== undefined && deprecatedOn <= today ? 'deprecated' : 'active';
};

export const isNamed = (model: Model, name: string): boolean =>
  [model.id, model.providerModel, model.family].includes(name);

export const isListed = (model: Model, names: readonly string[]): boolean =>
  names.some((name) => isNamed(model, name) || model.provider === name);

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

/** Why this model cannot be tried for the request; `null`: it can. Being busy is no reason: work waits. */
export const exclusionOf = (model: Model, request: GenerationRequest, snapshot: Snapshot): string | null => {
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
