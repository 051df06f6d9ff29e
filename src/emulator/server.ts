import express, { type Express, type RequestHandler, type Router } from 'express';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { artifactRouter } from './artifacts';
import { controlRouter } from './control';
import { exchange, exchangeOther } from './exchange';
import type { EmulatedProvider } from './provider';
import { providers } from './providers';
import { startPostman } from './webhooks';
import { createWorld, type World, type WorldOptions } from './world';

export type EmulatorOptions = {
  /** 0 = a free one. */
  port?: number | undefined;
  host?: string | undefined;
} & WorldOptions;

export type Emulator = {
  url: string;
  port: number;
  close: () => Promise<void>;
};

const sizeLimit = '64mb';

const parsers = [express.json({ limit: sizeLimit }), express.raw({ limit: sizeLimit, type: () => true })];

/** Bodies that do not parse are answered in the provider's words too. */
const parseWith =
  (parser: RequestHandler, world: World, provider: EmulatedProvider): RequestHandler =>
  (request, response, next) =>
    parser(request, response, (error?: unknown) => {
      if (error === undefined) next();
      else
        void exchangeOther(world, provider, error instanceof Error ? error.message : 'unreadable')(request, response);
    });

const providerRouter = (world: World, provider: EmulatedProvider): Router => {
  const router = express.Router({ caseSensitive: true });
  for (const parser of parsers) router.use(parseWith(parser, world, provider));
  for (const route of provider.routes) {
    router[route.method](route.path, (request, response) => exchange({ world, provider, route }, request, response));
  }
  router.use(exchangeOther(world, provider));
  return router;
};

const createApp = (world: World): Express => {
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
  startPostman(world, providers);
  const { port } = server.address() as AddressInfo;
  const shownHost = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return { url: `http://${shownHost}:${port}`, port, close: () => closeServer(server, world) };
};
