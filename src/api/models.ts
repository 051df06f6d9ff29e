import { Router } from 'express';
import { SureshotError } from '../domain/failure';
import type { Model } from '../domain/model';
import { lifecycleStatus } from '../domain/routing';
import { requireScope } from './authenticate';
import type { ApiDependencies } from './dependencies';
import { refuseMethod } from './problem-details';

type LifecycleStatus = ReturnType<typeof lifecycleStatus>;

/** The day the status began; for an active model the day it will end, where that is known. */
const dateOf = ({ deprecatedOn, retiredOn }: Model['lifecycle'], status: LifecycleStatus): string | null => {
  if (status === 'retired') return retiredOn ?? null;
  return (status === 'deprecated' ? deprecatedOn : (deprecatedOn ?? retiredOn)) ?? null;
};

const toResource = (model: Model, { configured, clock }: ApiDependencies): object => {
  const status = lifecycleStatus(model, clock());
  return {
    id: model.id,
    providerModel: model.providerModel,
    family: model.family,
    provider: model.provider,
    medium: model.medium,
    lifecycle: { status, date: dateOf(model.lifecycle, status), successor: model.lifecycle.successor ?? null },
    capabilities: model.capabilities,
    price: model.price,
    qualityTier: model.qualityTier,
    typicalSeconds: model.typicalSeconds,
    weight: model.weight ?? 1,
    priority: model.priority ?? 100,
    automatic: model.automatic,
    api: model.api ?? null,
    synchronous: model.synchronous ?? false,
    maximumSeconds: model.maximumSeconds,
    // a deprecated model still works
    available: status !== 'retired' && configured.has(model.provider) && model.enabled !== false,
  };
};

/** By canonical id, the provider's own id or a family (of which the first is shown). */
const findModel = (catalogue: readonly Model[], name: string): Model => {
  const found =
    catalogue.find((model) => model.id === name) ??
    catalogue.find((model) => model.providerModel === name) ??
    catalogue.find((model) => model.family === name);
  if (!found) throw new SureshotError('caller_not_found', 'there is no model of this name');
  return found;
};

export const createModelRoutes = (dependencies: ApiDependencies): Router => {
  const routes = Router();
  routes
    .route('/models')
    .get(requireScope('read'), (_request, response) => {
      response.json({ data: dependencies.catalogue.map((model) => toResource(model, dependencies)) });
    })
    .all(refuseMethod('GET'));
  routes
    .route('/models/*name')
    .get(requireScope('read'), (request, response) => {
      const name = [request.params['name'] ?? []].flat().join('/');
      response.json(toResource(findModel(dependencies.catalogue, name), dependencies));
    })
    .all(refuseMethod('GET'));
  return routes;
};
