import { Router, type RequestHandler } from 'express';
import { z } from 'zod';
import { SureshotError } from '../domain/failure';
import { generationStatuses, isTerminal, media } from '../domain/generation';
import { findGeneration, listGenerations, requestCancel } from '../stores/generations';
import { principalOf, requireScope } from './authenticate';
import { answerCreate } from './create-generation';
import { readCursor, writeCursor } from './cursor';
import type { ApiDependencies } from './dependencies';
import { pageLimit, strict } from './fields';
import { toGenerationResource } from './generation-resource';
import { refuseMethod } from './problem-details';
import { readJson } from './read-json';
import { parseQuery } from './validation';

/** A while in which something usually happens. */
const retryAfterSeconds = '2';

export const missingGeneration = (): SureshotError =>
  new SureshotError('caller_not_found', 'there is no such generation');

/** What cannot be an id is not looked up. */
export const readId = (id: unknown): string => {
  if (typeof id !== 'string' || !/^[\w-]{1,64}$/.test(id)) throw missingGeneration();
  return id;
};

const answerOne =
  ({ database, temporalUiUrl }: ApiDependencies): RequestHandler =>
  async (request, response) => {
    const row = await findGeneration(database, principalOf(response).tenantId, readId(request.params['id']));
    if (!row) throw missingGeneration();
    if (!isTerminal(row.status)) response.set('Retry-After', retryAfterSeconds);
    response.json(toGenerationResource(row, temporalUiUrl));
  };

const name = z.string().min(1).max(200).optional();

const querySchema = strict({
  status: z.enum(generationStatuses).optional(),
  medium: z.enum(media).optional(),
  provider: name,
  tag: name,
  limit: pageLimit,
  after: name,
});

const answerList =
  ({ database, secret, temporalUiUrl }: ApiDependencies): RequestHandler =>
  async (request, response) => {
    const owner = { secret, tenantId: principalOf(response).tenantId };
    const { after, limit, ...filter } = parseQuery(querySchema, request.query);
    const beforeId = after === undefined ? undefined : readCursor(owner, after);
    const found = await listGenerations(database, owner.tenantId, { ...filter, beforeId, limit: limit + 1 });
    const page = found.slice(0, limit);
    const last = page.at(-1);
    const hasMore = found.length > limit;
    response.json({
      data: page.map((row) => toGenerationResource(row, temporalUiUrl)),
      hasMore,
      nextCursor: hasMore && last ? writeCursor(owner, last.id) : null,
    });
  };

const answerCancel =
  ({ database, workflows, temporalUiUrl }: ApiDependencies): RequestHandler =>
  async (request, response) => {
    const { tenantId } = principalOf(response);
    const id = readId(request.params['id']);
    const result = await requestCancel(database, tenantId, id);
    // the row is the promise; the workflow also looks there, so nobody waits for Temporal
    if (result === 'requested') void workflows.cancel(id);
    const row = await findGeneration(database, tenantId, id);
    if (!row) throw missingGeneration();
    response.status(202).json(toGenerationResource(row, temporalUiUrl));
  };

export const createGenerationRoutes = (dependencies: ApiDependencies): Router => {
  const routes = Router();
  routes
    .route('/generations')
    .get(requireScope('read'), answerList(dependencies))
    .post(requireScope('submit'), readJson, answerCreate(dependencies))
    .all(refuseMethod('GET, POST'));
  routes.route('/generations/:id').get(requireScope('read'), answerOne(dependencies)).all(refuseMethod('GET'));
  routes
    .route('/generations/:id/cancel')
    .post(requireScope('submit'), answerCancel(dependencies))
    .all(refuseMethod('POST'));
  return routes;
};
