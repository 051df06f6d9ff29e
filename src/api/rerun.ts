import { Router, type Request, type RequestHandler } from 'express';
import { z } from 'zod';
import { failures, SureshotError } from '../domain/failure';
import { media } from '../domain/generation';
import { findByIdempotencyKey, findGeneration, type GenerationRow } from '../stores/generations';
import { createRerun, listRerunnable, rerunFrom, rerunnable, type RerunFrom } from '../stores/reruns';
import { principalOf, requireScope } from './authenticate';
import { hashBody, keepWithMedia, readIdempotencyKey, tellLimit, type Accepted } from './create-generation';
import type { ApiDependencies } from './dependencies';
import { choice, strict, text } from './fields';
import { pathOf, toGenerationResource } from './generation-resource';
import { missingGeneration, readId } from './generations';
import { refuseMethod } from './problem-details';
import { letGoOfBody, readOptionalJson } from './read-json';
import { changeRequest, keepsWork, type Overrides } from './rerun-request';
import { parseBody } from './validation';

const from = choice(rerunFrom).default('failed_step');

const overrides = z
  .record(z.string(), z.unknown())
  .refine((fields) => !('medium' in fields), { error: 'may not change the medium', path: ['medium'] })
  .default({});

const rerunSchema = strict({ from, overrides });

type Wanted = {
  tenantId: string;
  from: RerunFrom;
  overrides: Overrides;
  key: string | null;
  hash: string;
  delayMs: number;
};

/** Kept beside the keys of new generations: a caller's key has no blank in it. */
const keyFor = (request: Request, id: string): string | null => {
  const key = readIdempotencyKey(request);
  return key && `rerun ${id} ${key}`;
};

/** A known key is answered before anything else is asked, as for a new generation. */
const accept = async (dependencies: ApiDependencies, source: GenerationRow, wanted: Wanted): Promise<Accepted> => {
  const { database, newId, queuedPerTenant } = dependencies;
  const { tenantId, key: idempotencyKey, hash: requestHash } = wanted;
  const earlier = idempotencyKey && (await findByIdempotencyKey(database, { tenantId, idempotencyKey, requestHash }));
  if (earlier !== null) return { id: earlier, created: false };
  const id = newId();
  const changed = await changeRequest(dependencies, {
    id,
    tenantId,
    request: source.request,
    overrides: wanted.overrides,
  });
  const rerun = {
    ...{ id, tenantId, request: changed.request, requestHash, idempotencyKey, queuedPerTenant },
    ...{ rerunOf: source.id, from: wanted.from, sameWork: keepsWork(wanted.overrides), delayMs: wanted.delayMs },
  };
  return keepWithMedia(dependencies, changed.inline, () => createRerun(database, rerun));
};

const answerRerun =
  (dependencies: ApiDependencies): RequestHandler =>
  async (request, response) => {
    const { database, workflows, temporalUiUrl } = dependencies;
    const { tenantId, weight } = principalOf(response);
    const source = await findGeneration(database, tenantId, readId(request.params['id']));
    if (!source) throw missingGeneration();
    const body: unknown = request.body ?? {};
    const parsed = parseBody(rerunSchema, body);
    const wanted = { tenantId, ...parsed, key: keyFor(request, source.id), hash: hashBody(body), delayMs: 0 };
    letGoOfBody(request);
    const { id, created } = await accept(dependencies, source, wanted).catch(tellLimit(dependencies, response));
    const row = await findGeneration(database, tenantId, id);
    if (!row) throw new SureshotError('system_internal', 'the re-run was accepted but is not there');
    if (created) workflows.start({ id, tenantId, weight, medium: row.medium, priority: row.request.priority });
    else response.set('Idempotency-Replayed', 'true');
    response.status(202).location(pathOf(id)).json(toGenerationResource(row, temporalUiUrl));
  };

const bulkSchema = strict({
  filter: strict({
    status: choice(rerunnable).optional(),
    medium: choice(media).optional(),
    provider: text(200).optional(),
    tag: text(64).optional(),
  }).prefault({}),
  from,
  limit: z.int().min(1).max(100).default(20),
  /** Of them, how many begin in a minute. */
  perMinute: z.int().min(1).max(6000).default(60),
});

type Skipped = { id: string; code: string; message: string; retryable: boolean };

/** What cannot be run again is told, and holds up nothing. */
const rerunOne = async (
  dependencies: ApiDependencies,
  { id, tenantId, from: begin, delayMs }: { id: string; tenantId: string; from: RerunFrom; delayMs: number },
): Promise<{ accepted: string } | { skipped: Skipped }> => {
  const source = await findGeneration(dependencies.database, tenantId, id);
  if (!source) throw missingGeneration();
  try {
    const wanted = { tenantId, from: begin, overrides: {}, key: null, hash: hashBody({ from: begin }), delayMs };
    return { accepted: (await accept(dependencies, source, wanted)).id };
  } catch (error) {
    if (!(error instanceof SureshotError)) throw error;
    const { code, message } = error;
    return { skipped: { id, code, message, retryable: failures[code].retryable } };
  }
};

const answerBulk =
  (dependencies: ApiDependencies): RequestHandler =>
  async (request, response) => {
    const { database, workflows, temporalUiUrl } = dependencies;
    const { tenantId, weight } = principalOf(response);
    const { filter, limit, perMinute, ...how } = parseBody(bulkSchema, request.body ?? {});
    const data: object[] = [];
    const skipped: Skipped[] = [];
    for (const id of await listRerunnable(database, tenantId, { ...filter, limit })) {
      const delayMs = Math.round((data.length * 60_000) / perMinute);
      const outcome = await rerunOne(dependencies, { id, tenantId, from: how.from, delayMs });
      if ('skipped' in outcome) {
        skipped.push(outcome.skipped);
        continue;
      }
      const row = await findGeneration(database, tenantId, outcome.accepted);
      if (!row) continue;
      workflows.start({ id: row.id, tenantId, weight, medium: row.medium, priority: row.request.priority, delayMs });
      data.push(toGenerationResource(row, temporalUiUrl));
    }
    response.status(202).json({ data, skipped });
  };

export const createRerunRoutes = (dependencies: ApiDependencies): Router => {
  const routes = Router();
  routes
    .route('/generations/rerun')
    .post(requireScope('submit'), readOptionalJson, answerBulk(dependencies))
    .all(refuseMethod('POST'));
  routes
    .route('/generations/:id/rerun')
    .post(requireScope('submit'), readOptionalJson, answerRerun(dependencies))
    .all(refuseMethod('POST'));
  return routes;
};
