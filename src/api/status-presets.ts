import { Router, type RequestHandler } from 'express';
import { countQueued } from '../stores/queue-statistics';
import { isDatabaseReady } from '../stores/tenants';
import { requireScope } from './authenticate';
import type { ApiDependencies } from './dependencies';
import { holds } from './health';
import { refuseMethod } from './problem-details';
import { readProviders, type ProviderResource } from './provider-resource';
import { toLengths } from './rate-limit-status';

/** Nothing is ever kept under this name: looking for it shows whether the store answers. */
const nowhere = 'status/nothing';

const isStorageThere = async ({ blobs }: ApiDependencies): Promise<boolean> => {
  await blobs.peek(nowhere, 1);
  return true;
};

const tell = (isUp: boolean): 'up' | 'down' => (isUp ? 'up' : 'down');

const answerStatus =
  (dependencies: ApiDependencies): RequestHandler =>
  async (_request, response) => {
    const { database, workflows, version } = dependencies;
    const [queued, ...parts] = await Promise.all([
      countQueued(database),
      holds(isDatabaseReady(database)),
      holds(workflows.isReachable()),
      holds(isStorageThere(dependencies)),
    ]);
    const [hasDatabase, hasTemporal, hasStorage] = parts;
    response.json({
      success: true,
      status: parts.every(Boolean) ? 'ok' : 'degraded',
      version,
      uptimeSeconds: Math.floor(process.uptime()),
      queue: toLengths(queued),
      database: tell(hasDatabase),
      temporal: tell(hasTemporal),
      storage: tell(hasStorage),
    });
  };

const toPreset = (provider: ProviderResource, { catalogue }: ApiDependencies): object => {
  const { id, configured, enabled, paused, health, breaker, latencyMs, successRate, retrySuccessRate } = provider;
  const { lastError } = provider;
  const media = new Map(catalogue.map((model) => [model.id, model.medium]));
  return {
    ...{ id, configured, enabled, paused, health: health.status, reason: health.reason, checkedAt: health.checkedAt },
    ...{ breaker, latencyMs, successRate, retrySuccessRate },
    lastError: lastError && { code: lastError.code, at: lastError.at, model: lastError.model },
    models: provider.models.map((model) => ({
      ...{ id: model.id, medium: media.get(model.id), enabled: model.enabled, breaker: model.breaker },
      ...{ latencyMs: model.latencyMs, successRate: model.successRate },
    })),
  };
};

const answerAiStatus =
  (dependencies: ApiDependencies): RequestHandler =>
  async (_request, response) => {
    const providers = await readProviders(dependencies);
    response.json({ success: true, providers: providers.map((provider) => toPreset(provider, dependencies)) });
  };

/** The older systems' views of how the service and its providers are. */
export const createStatusPresetRoutes = (dependencies: ApiDependencies): Router => {
  const routes = Router();
  const read = requireScope('read');
  routes.route('/status').get(read, answerStatus(dependencies)).all(refuseMethod('GET'));
  routes.route('/ai-status').get(read, answerAiStatus(dependencies)).all(refuseMethod('GET'));
  return routes;
};
