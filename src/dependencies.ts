import { readFileSync } from 'node:fs';
import path from 'node:path';
import pino, { type Logger } from 'pino';
import { monotonicFactory } from 'ulid';
import type { ApiDependencies } from './api/app';
import { startInBackground } from './background-start';
import type { ProcessConfig } from './config';
import { createFileBlobs } from './stores/blobs';
import { connectDatabase } from './stores/database';
import { followSettings, type Live } from './settings';
import { connectTemporal } from './temporal';

/** Connections a process holds at most: five processes stay below PostgreSQL's usual hundred. */
export const poolSize = { api: 10, worker: 20 };

const { version } = JSON.parse(readFileSync(path.join(__dirname, '..', 'package.json'), 'utf8')) as { version: string };

export const createLogger = (config: Pick<ProcessConfig, 'logLevel'>): Logger =>
  pino({ level: config.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime });

const configuredIn = (credentials: ProcessConfig['credentials']): Set<string> =>
  new Set(Object.keys(credentials).filter((provider) => (credentials[provider] ?? []).length > 0));

const aliasesIn = (credentials: ProcessConfig['credentials']): ReadonlyMap<string, readonly string[]> =>
  new Map(Object.entries(credentials).map(([provider, keys]) => [provider, keys.map(({ alias }) => alias)]));

export const follow = ({ settings, settingsFile }: ProcessConfig, logger: Logger): Live =>
  followSettings(settingsFile, settings, {
    onReload: () => logger.info({ file: settingsFile }, 'the configuration was read again'),
    onProblems: (problems) =>
      logger.error({ problems }, 'the changed configuration cannot be used: the last good one stays'),
  });

/** What the API runs on, and how to let go of it. No provider and no SDK is among it. */
export const createApiDependencies = (config: ProcessConfig) => {
  const logger = createLogger(config);
  const database = connectDatabase({ url: config.databaseUrl, poolSize: poolSize.api });
  const temporal = connectTemporal(config.temporal);
  const background = startInBackground(temporal, logger);
  const live = follow(config, logger);
  const ulid = monotonicFactory();
  const dependencies: ApiDependencies = {
    database,
    blobs: createFileBlobs(config.storagePath),
    get catalogue() {
      return live.models();
    },
    get routing() {
      const { routing, prices } = live.settings();
      return { ...routing, unknownPrices: prices.unknown };
    },
    configured: configuredIn(config.credentials),
    aliases: aliasesIn(config.credentials),
    clock: () => new Date(),
    newId: () => `gen_${ulid()}`,
    logger,
    workflows: {
      start: background.start,
      cancel: background.cancel,
      resolve: background.resolve,
      callBack: background.callBack,
      isReachable: () => temporal.isReachable(),
      probe: (provider, credential) => temporal.probe(provider, credential),
    },
    secret: config.secret,
    corsOrigins: config.corsOrigins,
    temporalUiUrl: config.temporalUiUrl,
    version,
  };
  const close = async (): Promise<void> => {
    background.stop();
    live.close();
    await Promise.allSettled([database.$disconnect(), temporal.close()]);
  };
  return { dependencies, close };
};
