import { Router, type RequestHandler } from 'express';
import { z } from 'zod';
import { resolutions } from '../domain/next-attempt';
import { findGeneration } from '../stores/generations';
import { resolveAmbiguous } from '../stores/resolutions';
import { principalOf, requireScope } from './authenticate';
import type { ApiDependencies } from './dependencies';
import { choice, nullableText, strict } from './fields';
import { toGenerationResource } from './generation-resource';
import { missingGeneration, readId } from './generations';
import { refuseMethod } from './problem-details';
import { readJson } from './read-json';
import { parseBody } from './validation';

const resolveSchema = strict({
  action: choice(resolutions),
  operation: nullableText(500),
  attempt: z.int().min(1).nullable().default(null),
})
  .refine(({ action, operation }) => action !== 'adopt' || operation !== null, {
    error: "must be the provider's id of the operation, to adopt it",
    path: ['operation'],
  })
  .refine(({ action, operation }) => action === 'adopt' || operation === null, {
    error: 'is for adopt only: accepted value is null',
    path: ['operation'],
  });

const answerResolve =
  (dependencies: ApiDependencies): RequestHandler =>
  async (request, response) => {
    const { database, workflows, temporalUiUrl } = dependencies;
    const { tenantId } = principalOf(response);
    const id = readId(request.params['id']);
    const decision = parseBody(resolveSchema, request.body);
    const resolved = await resolveAmbiguous(database, { tenantId, id }, decision);
    // the ledger has it; the workflow is only told to look
    if (resolved) void workflows.resolve(id);
    const row = await findGeneration(database, tenantId, id);
    if (!row) throw missingGeneration();
    response.json(toGenerationResource(row, temporalUiUrl));
  };

/** What to do about a submit whose answer is lost. */
export const createResolveRoutes = (dependencies: ApiDependencies): Router => {
  const routes = Router();
  routes
    .route('/generations/:id/resolve')
    .post(requireScope('submit'), readJson, answerResolve(dependencies))
    .all(refuseMethod('POST'));
  return routes;
};
