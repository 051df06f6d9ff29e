import { findViolations } from './capabilities';
import { SureshotError } from './failure';
import type { Decision, GenerationRequest } from './generation';
import type { Model } from './model';
import { compareMoney } from './money';
import {
  chooseCandidates,
  estimate,
  inTheRunning,
  isListed,
  lifecycleStatus,
  namedModels,
  retirement,
  type Snapshot,
} from './routing';

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

const namesOf = (models: readonly Model[]): string => models.map(({ id }) => id).join(', ');

const refuseRouting = (pointer: string, detail: string): SureshotError =>
  new SureshotError('caller_invalid_request', 'no model can do what this request asks for', {
    violations: [{ pointer: `/routing/${pointer}`, detail }],
  });

/** Which rule leaves none of those that could. */
const ruledOut = (request: GenerationRequest, able: Model[]): SureshotError => {
  const { allow, deny, maxCostUsd } = request.routing;
  const left = able.filter((model) => !isListed(model, deny));
  if (left.length === 0) return refuseRouting('deny', `rules out all that could: ${namesOf(able)}`);
  const allowed = left.filter((model) => request.model !== 'auto' || allow.length === 0 || isListed(model, allow));
  if (allowed.length === 0) return refuseRouting('allow', `must name one of ${namesOf(left)}`);
  const costs = allowed.flatMap((model) => estimate(model, request.input) ?? []).sort(compareMoney);
  if (costs.length === 0) return new SureshotError('policy_price_unknown', 'the price of this request is not known');
  const detail = `must be at least ${costs[0]}, which the cheapest of ${namesOf(allowed)} may cost; is ${maxCostUsd}`;
  return refuseRouting('maxCostUsd', detail);
};

const refusal = (request: GenerationRequest, usable: Model[]): SureshotError => {
  const on = usable.filter((model) => model.enabled !== false);
  if (on.length === 0)
    return new SureshotError('policy_no_capacity', `switched off by the configuration: ${namesOf(usable)}`);
  const perModel = on.map((model) => findViolations(model, request.input));
  const able = on.filter((_model, index) => perModel[index]?.length === 0);
  if (able.length > 0) return ruledOut(request, able);
  const violations = perModel.sort((left, right) => left.length - right.length).flat();
  return new SureshotError('caller_invalid_request', 'no model can do what this request asks for', {
    violations: violations.slice(0, 20),
  });
};

/** Throws where no model answers to the name. */
export const refuseUnknownModel = (request: GenerationRequest, models: readonly Model[]): void => {
  if (namedModels(request, models).length === 0) throw unknownModel(request, models);
};

/** The decision, or the error that tells the caller which field stands in the way. */
export const admit = (request: GenerationRequest, snapshot: Snapshot): Decision => {
  refuseUnknownModel(request, snapshot.models);
  const decision = chooseCandidates(request, snapshot);
  if (inTheRunning(decision).length === 0) throw whyNot(request, namedModels(request, snapshot.models), snapshot);
  return decision;
};
