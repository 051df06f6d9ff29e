import { Router, type RequestHandler } from 'express';
import { refuseUnknownModel } from '../domain/admission';
import { chooseCandidates, followSuccessor, inTheRunning } from '../domain/routing';
import { checkNames, completeRequest, readSnapshot } from './admission';
import { principalOf, requireScope } from './authenticate';
import type { ApiDependencies } from './dependencies';
import { lookUpMedia } from './media-lookup';
import { refuseMethod } from './problem-details';
import { readJson } from './read-json';
import { generationSchema } from './schemas';
import { parseBody } from './validation';

/**
 * What a generation of this body would be tried on, and what it may cost; creates nothing. A body that no model can do
 * is answered too: each candidate says why not.
 */
const answerEstimate =
  (dependencies: ApiDependencies): RequestHandler =>
  async (request, response) => {
    const { tenantId } = principalOf(response);
    const named = await completeRequest(dependencies, tenantId, parseBody(generationSchema, request.body));
    const owner = { tenantId, generationId: dependencies.newId() };
    const { request: looked } = await lookUpMedia(dependencies, owner, named);
    checkNames(looked, dependencies.catalogue);
    const snapshot = await readSnapshot(dependencies, { seed: owner.generationId, tenantId, request: looked });
    const wanted = followSuccessor(looked, snapshot);
    refuseUnknownModel(wanted, snapshot.models);
    const decision = chooseCandidates(wanted, snapshot);
    response.json({
      strategy: decision.strategy,
      variant: decision.variant,
      candidates: decision.candidates,
      chosen: inTheRunning(decision)[0]?.model ?? null,
      warnings: wanted.warnings ?? [],
    });
  };

export const createEstimateRoutes = (dependencies: ApiDependencies): Router => {
  const routes = Router();
  routes
    .route('/estimates')
    .post(requireScope('submit'), readJson, answerEstimate(dependencies))
    .all(refuseMethod('POST'));
  return routes;
};
