import { Router, type RequestHandler } from 'express';
import { z } from 'zod';
import { inTransaction } from '../stores/database';
import { appendProviderEvent } from '../stores/provider-events';
import { pauseQueue, readQueues, resumeQueue } from '../stores/turns';
import { requireOperatorTenant, requireScope } from './authenticate';
import type { ApiDependencies } from './dependencies';
import { choice, strict } from './fields';
import { refuseMethod } from './problem-details';
import { providerOf } from './providers';
import { readOptionalJson } from './read-json';
import { parseBody } from './validation';

const pauseSchema = strict({
  waiting: choice(['wait', 'reroute']).default('wait'),
  reason: z.string().trim().min(1).max(500).nullable().default(null),
});

const resumeSchema = strict({});

type Pause = { pausedAt: Date; waiting: 'wait' | 'reroute' };

const readPause = async ({ database }: ApiDependencies, provider: string): Promise<Pause | null> => {
  const queue = (await readQueues(database)).find((row) => row.provider === provider);
  return queue?.pausedAt ? { pausedAt: queue.pausedAt, waiting: queue.pausedWork ?? 'wait' } : null;
};

const toAnswer = (provider: string, pause: Pause | null): object => ({
  provider,
  paused: pause !== null,
  pause: pause && { since: pause.pausedAt.toISOString(), waiting: pause.waiting },
});

/** Nothing more is sent; what was sent goes on. Told once, however often it is asked for. */
const answerPause =
  (dependencies: ApiDependencies): RequestHandler =>
  async (request, response) => {
    const { database, logger } = dependencies;
    const provider = providerOf(request);
    const { waiting, reason } = parseBody(pauseSchema, request.body ?? {});
    const before = await readPause(dependencies, provider);
    if (before?.waiting !== waiting) {
      await inTransaction(database, async (transaction) => {
        await pauseQueue(transaction, provider, waiting);
        await appendProviderEvent(transaction, { provider, type: 'provider.paused', data: { waiting, reason } });
      });
      logger.info({ provider, waiting, reason }, 'a provider was paused');
    }
    response.json(toAnswer(provider, await readPause(dependencies, provider)));
  };

const answerResume =
  (dependencies: ApiDependencies): RequestHandler =>
  async (request, response) => {
    const { database, logger } = dependencies;
    const provider = providerOf(request);
    parseBody(resumeSchema, request.body ?? {});
    if (await readPause(dependencies, provider)) {
      await inTransaction(database, async (transaction) => {
        await resumeQueue(transaction, provider);
        await appendProviderEvent(transaction, { provider, type: 'provider.resumed', data: {} });
      });
      logger.info({ provider }, 'a provider was resumed');
    }
    response.json(toAnswer(provider, await readPause(dependencies, provider)));
  };

export const createProviderPauseRoutes = (dependencies: ApiDependencies): Router => {
  const routes = Router();
  const guards = [requireScope('operate'), requireOperatorTenant, readOptionalJson];
  routes.route('/providers/:id/pause').post(guards, answerPause(dependencies)).all(refuseMethod('POST'));
  routes.route('/providers/:id/resume').post(guards, answerResume(dependencies)).all(refuseMethod('POST'));
  return routes;
};
