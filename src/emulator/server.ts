import express, { type ErrorRequestHandler, type Express, type Router } from 'express';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { artifactRouter } from './artifacts';
import { controlRouter } from './control';
import { exchange, exchangeOther } from './exchange';
import type { EmulatedProvider } from './provider';
import { providers } from './providers';
import { createWorld, type World, type WorldOptions } from './world';

export interface EmulatorOptions extends WorldOptions {
  /** 0 = a free one. */
  port?: number | undefined;
  host?: string | undefined;
}

export interface Emulator {
  url: string;
  port: number;
  close: () => Promise<void>;
}

const sizeLimit = '64mb';

const malformedHandler = (world: World, provider: EmulatedProvider): ErrorRequestHandler =>
  // Express tells an error handler from others by its four parameters.
  (error: unknown, request, response, _next) =>
    exchangeOther(world, provider, error instanceof Error ? error.message : String(error))(request, response);

const providerRouter = (world: World, provider: EmulatedProvider): Router => {
  const router = express.Router({ caseSensitive: true });
  router.use(express.json({ limit: sizeLimit }));
  router.use(express.raw({ limit: sizeLimit, type: () => true }));
  for (const route of provider.routes) {
    router[route.method](route.path, (request, response) => exchange({ world, provider, route }, request, response));
  }
  router.use(exchangeOther(world, provider));
  router.use(malformedHandler(world, provider));
  return router;
};

export const createApp = (world: World): Express => {
  const app = express();
  app.disable('x-powered-by').set('etag', false);
  app.use('/__emulator', controlRouter(world, providers));
  app.use('/artifacts', artifactRouter(world, providers));
  for (const provider of providers) app.use(provider.prefix, providerRouter(world, provider));
  return app;
};

const listen = (server: Server, port: number, host: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });

const closeServer = (server: Server, world: World): Promise<void> =>
  new Promise((resolve) => {
    world.closing.abort();
    server.close(() => {
      world.journal.close();
      resolve();
    });
    // Stalled answers would otherwise hold it open for ever.
    server.closeAllConnections();
  });

export const startEmulator = async (options: EmulatorOptions = {}): Promise<Emulator> => {
  const world = createWorld(options);
  const server = createServer(createApp(world));
  const host = options.host ?? '127.0.0.1';
  await listen(server, options.port ?? 0, host);
  const { port } = server.address() as AddressInfo;
  const shownHost = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return { url: `http://${shownHost}:${port}`, port, close: () => closeServer(server, world) };
};
