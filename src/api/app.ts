import express from 'express';
import helmet from 'helmet';
import { createApiKeyRoutes } from './api-keys';
import { createArtifactRoutes } from './artifacts';
import { authenticate } from './authenticate';
import { allowOrigins } from './cors';
import type { ApiDependencies } from './dependencies';
import { createEstimateRoutes } from './estimates';
import { createGenerationRoutes } from './generations';
import { createHealthRoutes } from './health';
import { createLimitRoutes } from './limits';
import { createModelRoutes } from './models';
import { createPreferenceRoutes } from './preferences';
import { createPresetModelRoutes } from './preset-models';
import { answerErrors, refuseUnknownRoute } from './problem-details';
import { createProviderCallbackRoutes } from './provider-callbacks';
import { createProviderCredentialRoutes } from './provider-credentials';
import { createProviderPauseRoutes } from './provider-pause';
import { createProviderRoutes } from './providers';
import { createRateLimitStatusRoutes } from './rate-limit-status';
import { logRequests } from './request-log';
import { createRerunRoutes } from './rerun';
import { createResolveRoutes } from './resolve';
import { createStatusPresetRoutes } from './status-presets';
import { createStyleRoutes } from './styles';
import { createTenantRoutes } from './tenants';
import { createUploadRoutes } from './uploads';

export type { ApiDependencies } from './dependencies';

/** Whatever needs a key. */
const createGuardedRoutes = (dependencies: ApiDependencies): express.Router => {
  const routes = express.Router();
  routes.use((_request, response, next) => {
    response.set('Cache-Control', 'no-store');
    next();
  });
  routes.use(authenticate(dependencies));
  return routes;
};

const createPresetRoutes = (dependencies: ApiDependencies): express.Router => {
  const routes = createGuardedRoutes(dependencies);
  routes.use(createPresetModelRoutes(dependencies));
  routes.use(createRateLimitStatusRoutes(dependencies));
  routes.use(createStatusPresetRoutes(dependencies));
  return routes;
};

const createV1Routes = (dependencies: ApiDependencies): express.Router => {
  const routes = createGuardedRoutes(dependencies);
  // before those of one generation: `rerun` is no id
  routes.use(createRerunRoutes(dependencies));
  routes.use(createResolveRoutes(dependencies));
  routes.use(createGenerationRoutes(dependencies));
  routes.use(createArtifactRoutes(dependencies));
  routes.use(createUploadRoutes(dependencies));
  routes.use(createEstimateRoutes(dependencies));
  routes.use(createModelRoutes(dependencies));
  routes.use(createStyleRoutes());
  routes.use(createPreferenceRoutes(dependencies));
  routes.use(createProviderCredentialRoutes(dependencies));
  routes.use(createProviderRoutes(dependencies));
  routes.use(createProviderPauseRoutes(dependencies));
  routes.use(createLimitRoutes(dependencies));
  routes.use(createTenantRoutes(dependencies));
  routes.use(createApiKeyRoutes(dependencies));
  return routes;
};

/** The HTTP API. Talks to PostgreSQL and the blob store; Temporal may be away. */
export const createApp = (dependencies: ApiDependencies): express.Express => {
  const app = express();
  // answers are states of the moment; artifacts set their own
  app.disable('etag');
  app.use(logRequests(dependencies.logger));
  app.use(helmet());
  if (dependencies.corsOrigins.length > 0) app.use(allowOrigins(dependencies.corsOrigins));
  app.use(createHealthRoutes(dependencies));
  app.use(createProviderCallbackRoutes(dependencies));
  app.use('/v1', createV1Routes(dependencies));
  app.use('/api', createPresetRoutes(dependencies));
  app.use(refuseUnknownRoute);
  app.use(answerErrors);
  return app;
};
