import express, { type Request, type RequestHandler, type Response, type Router } from 'express';
import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import { faultSchema } from './faults';
import { listLedger } from './ledger';
import { listMeters } from './meters';
import type { EmulatedProvider } from './provider';
import { settingsSchema } from './settings';
import { resetWorld, type World } from './world';

const sendProblem = (response: Response, problems: string[]): void => {
  response.status(422).json({ error: { code: 'invalid_request', message: problems.join('; '), problems } });
};

/** The valid body, or undefined after a 422 was sent. */
const readBody = <Schema extends z.ZodType>(
  schema: Schema,
  request: Request,
  response: Response,
): z.output<Schema> | undefined => {
  const parsed = schema.safeParse(request.body ?? {});
  if (parsed.success) return parsed.data;
  sendProblem(
    response,
    parsed.error.issues.map(({ path, message }) => `${path.length === 0 ? 'body' : path.join('.')}: ${message}`),
  );
  return undefined;
};

const mountFaults = (router: Router, world: World, ids: string[]): void => {
  router.get('/faults', (_request, response) => void response.json({ data: world.faults }));
  router.post('/faults', (request, response) => {
    const body = readBody(faultSchema, request, response);
    if (body === undefined) return;
    if (!ids.includes(body.provider)) {
      sendProblem(response, [`provider: unknown "${body.provider}", known: ${ids.join(', ')}`]);
      return;
    }
    const fault = { ...body, id: randomUUID(), applied: 0 };
    world.faults.push(fault);
    response.status(201).json(fault);
  });
  router.delete('/faults', (_request, response) => {
    world.faults.length = 0;
    response.status(204).end();
  });
};

const mountSettings = (router: Router, world: World): void => {
  router.get('/settings', (_request, response) => void response.json(world.settings));
  router.post('/settings', (request, response) => {
    const body = readBody(settingsSchema, request, response);
    if (body === undefined) return;
    world.settings = {
      latencyScale: body.latencyScale ?? world.settings.latencyScale,
      strictLifecycle: body.strictLifecycle ?? world.settings.strictLifecycle,
      limits: { ...world.settings.limits, ...body.limits },
    };
    response.json(world.settings);
  });
};

const mountViews = (router: Router, world: World): void => {
  router.get('/health', (_request, response) => void response.json({ status: 'ok', pid: process.pid }));
  router.get('/ledger', (_request, response) => void response.json({ data: listLedger(world) }));
  router.get('/limits', (_request, response) => void response.json({ data: listMeters(world) }));
  router.get('/requests', (request, response) => {
    const { provider, kind } = request.query;
    const data = world.requests.filter(
      (seen) => (provider === undefined || seen.provider === provider) && (kind === undefined || seen.kind === kind),
    );
    response.json({ data });
  });
  router.get('/webhooks', (_request, response) => {
    response.json({ data: world.deliveries, owed: world.awaited.size });
  });
  router.post('/reset', (_request, response) => {
    resetWorld(world);
    response.status(204).end();
  });
};

const parseJson = express.json({ limit: '1mb' });

const parseBody: RequestHandler = (request, response, next) =>
  parseJson(request, response, (error?: unknown) => {
    if (error === undefined) next();
    else sendProblem(response, [error instanceof Error ? error.message : 'unreadable']);
  });

export const controlRouter = (world: World, providers: readonly EmulatedProvider[]): Router => {
  const router = express.Router();
  router.use(parseBody);
  mountViews(router, world);
  mountFaults(
    router,
    world,
    providers.map(({ id }) => id),
  );
  mountSettings(router, world);
  router.use(
    (_request, response) =>
      void response.status(404).json({ error: { code: 'not_found', message: 'no such control' } }),
  );
  return router;
};
