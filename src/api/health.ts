import { setTimeout as delay } from 'node:timers/promises';
import { Router } from 'express';
import { isDatabaseReady } from '../stores/tenants';
import type { ApiDependencies } from './dependencies';

/** A probe must answer before its own timeout, which is often a few seconds. */
const patienceMs = 2_000;

/** False on a fault and on silence. */
export const holds = async (question: Promise<boolean>): Promise<boolean> => {
  const silence = new AbortController();
  const answer = question.catch(() => false).finally(() => silence.abort());
  const timeout = delay(patienceMs, false, { signal: silence.signal }).catch(() => answer);
  return Promise.race([answer, timeout]);
};

/** `/healthz`: the process is alive. `/readyz`: it can serve, for which it needs PostgreSQL but not Temporal. */
export const createHealthRoutes = ({ database, workflows, version }: ApiDependencies): Router => {
  const routes = Router();
  routes.get('/healthz', (_request, response) => {
    response.json({ status: 'ok', version });
  });
  routes.get('/readyz', async (_request, response) => {
    const [hasDatabase, hasTemporal] = await Promise.all([
      holds(isDatabaseReady(database)),
      holds(workflows.isReachable()),
    ]);
    if (!hasDatabase) response.status(503).set('Retry-After', '5');
    response.json({
      status: hasDatabase ? 'ok' : 'unavailable',
      database: hasDatabase ? 'up' : 'down',
      temporal: hasTemporal ? 'up' : 'down',
    });
  });
  return routes;
};
