import express from 'express';
import helmet from 'helmet';
import { createApiKeyRoutes } from './api-keys';
import { createArtifactRoutes } from './artifacts';
import { authenticate } from './authenticate';
import { allowOrigins } from './cors';
import type { ApiDependencies } from './dependencies';
import { createGenerationRoutes } from './generations';
import { createHealthRoutes } from './health';
import { createModelRoutes } from './models';
import { answerErrors, refuseUnknownRoute } from './problem-details';
import { logRequests } from './request-log';
import { createTenantRoutes } from './tenants';

export type { ApiDependencies } from './dependencies';

const createV1Routes = (dependencies: ApiDependencies): express.Router => {
  const routes = express.Router();
  routes.use((_request, response, next) => {
    response.set('Cache-Control', 'no-store');
    next();
  });
  routes.use(authenticate(dependencies));
  routes.use(createGenerationRoutes(dependencies));
  routes.use(createArtifactRoutes(dependencies));
  routes.use(createModelRoutes(dependencies));
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
  app.use('/v1', createV1Routes(dependencies));
  app.use(refuseUnknownRoute);
  app.use(answerErrors);
  return app;
};
