import { readFileSync } from 'node:fs';
import path from 'node:path';
import pino, { type Logger } from 'pino';
import { monotonicFactory } from 'ulid';
import type { Dependencies } from './activities/dependencies';
import type { ApiDependencies } from './api/app';
import { startInBackground } from './background-start';
import type { ProcessConfig } from './config';
import { catalogue, createProviders } from './providers';
import { createTransport } from './providers/transport';
import { createFileBlobs } from './stores/blobs';
import { connectDatabase } from './stores/database';
import { connectTemporal } from './temporal';

/** Connections a process holds at most: five processes stay below PostgreSQL's usual hundred. */
const poolSize = { api: 10, worker: 20 };

const { version } = JSON.parse(readFileSync(path.join(__dirname, '..', 'package.json'), 'utf8')) as { version: string };

const createLogger = (config: Pick<ProcessConfig, 'logLevel'>): Logger =>
  pino({ level: config.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime });

const configuredIn = (credentials: ProcessConfig['credentials']): Set<string> =>
  new Set(Object.keys(credentials).filter((provider) => (credentials[provider] ?? []).length > 0));

/** What the API runs on, and how to let go of it. No provider and no SDK is among it. */
export const createApiDependencies = (config: ProcessConfig) => {
  const logger = createLogger(config);
  const database = connectDatabase({ url: config.databaseUrl, poolSize: poolSize.api });
  const temporal = connectTemporal(config.temporal);
  const background = startInBackground(temporal, logger);
  const ulid = monotonicFactory();
  const dependencies: ApiDependencies = {
    database,
    blobs: createFileBlobs(config.storagePath),
    catalogue,
    configured: configuredIn(config.credentials),
    clock: () => new Date(),
    newId: () => `gen_${ulid()}`,
    logger,
    workflows: { start: background.start, cancel: background.cancel, isReachable: () => temporal.isReachable() },
    secret: config.secret,
    corsOrigins: config.corsOrigins,
    temporalUiUrl: config.temporalUiUrl,
    version,
  };
  const close = async (): Promise<void> => {
    background.stop();
    await Promise.allSettled([database.$disconnect(), temporal.close()]);
  };
  return { dependencies, close };
};

/** What the activities run on, and how to let go of it. */
export const createWorkerDependencies = (config: ProcessConfig) => {
  const logger = createLogger(config);
  const database = connectDatabase({ url: config.databaseUrl, poolSize: poolSize.worker });
  const temporal = connectTemporal(config.temporal);
  const transport = createTransport();
  const { polling, retry, ambiguity, submit, reconcile } = config.settings;
  const dependencies: Dependencies = {
    database,
    blobs: createFileBlobs(config.storagePath),
    providers: createProviders(transport),
    models: catalogue,
    credentials: config.credentials,
    download: transport.download,
    settings: {
      pollScale: polling.scale,
      retry,
      resubmitUpToUsd: ambiguity.resubmitUpToUsd,
      submitTimeoutMs: submit.timeoutMs,
      silentSeconds: reconcile.silentSeconds,
    },
    workflows: temporal,
    clock: () => new Date(),
    random: Math.random,
    logger,
  };
  const close = async (): Promise<void> => {
    await Promise.allSettled([database.$disconnect(), temporal.close(), transport.close()]);
  };
  return { dependencies, temporal, close };
};
