import { readFileSync } from 'node:fs';
import path from 'node:path';
import pino, { type Logger } from 'pino';
import { monotonicFactory } from 'ulid';
import type { ApiDependencies } from './api/app';
import { startInBackground } from './background-start';
import { findMissingSetup, type ProcessConfig } from './config';
import { followKeyNames, type KeyNames } from './credential-pool';
import { composeLimits } from './domain/registry';
import type { Credential } from './providers/provider';
import { createFileBlobs } from './stores/blobs';
import { connectDatabase, type Database } from './stores/database';
import { createVault } from './stores/vault';
import { followSettings, type Live } from './settings';
import { connectTemporal } from './temporal';

/** Connections a process holds at most: five processes stay below PostgreSQL's usual hundred. */
export const poolSize = { api: 10, worker: 20 };

const { version } = JSON.parse(readFileSync(path.join(__dirname, '..', 'package.json'), 'utf8')) as { version: string };

export const createLogger = (config: Pick<ProcessConfig, 'logLevel'>): Logger =>
  pino({ level: config.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime });

const aliasesIn = (credentials: ProcessConfig['credentials']): ReadonlyMap<string, readonly string[]> =>
  new Map(Object.entries(credentials).map(([provider, keys]) => [provider, keys.map(({ alias }) => alias)]));

export const follow = ({ settings, settingsFile }: ProcessConfig, logger: Logger): Live =>
  followSettings(settingsFile, settings, {
    onReload: () => logger.info({ file: settingsFile }, 'the configuration was read again'),
    onProblems: (problems) =>
      logger.error({ problems }, 'the changed configuration cannot be used: the last good one stays'),
  });

const createKeyStore = (
  { credentials, setups, encryptionKeys }: ProcessConfig,
  { database, names }: { database: Database; names: KeyNames },
): ApiDependencies['keys'] => {
  const vault = createVault<Credential>(database, encryptionKeys);
  return {
    environment: aliasesIn(credentials),
    keep: (provider, key) => vault.keep(provider, { baseUrl: null, ...setups[provider], ...key }),
    printOf: (secret) => vault.printOf({ alias: '', secret, baseUrl: null }),
    findMissing: (provider) => findMissingSetup(provider, setups[provider]),
    refresh: () => names.refresh(),
  };
};

/** What the API runs on, and how to let go of it. No provider and no SDK is among it. */
export const createApiDependencies = (config: ProcessConfig) => {
  const logger = createLogger(config);
  const database = connectDatabase({ url: config.databaseUrl, poolSize: poolSize.api });
  const temporal = connectTemporal(config.temporal);
  const background = startInBackground(temporal, logger);
  const live = follow(config, logger);
  const names = followKeyNames({ database, logger, environment: config.credentials });
  void names.refresh();
  const ulid = monotonicFactory();
  const dependencies: ApiDependencies = {
    database,
    blobs: createFileBlobs(config.storagePath),
    get catalogue() {
      return live.models();
    },
    get routing() {
      const { routing, prices, experiments } = live.settings();
      return { ...routing, experiments, unknownPrices: prices.unknown };
    },
    limitsOf: (provider) => composeLimits(provider, live.models(), live.settings().providers[provider]),
    get queuedPerTenant() {
      return live.settings().admission.queuedPerTenant;
    },
    get configured() {
      return names.configured();
    },
    get aliases() {
      return names.aliases();
    },
    keys: createKeyStore(config, { database, names }),
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
    names.close();
    await Promise.allSettled([database.$disconnect(), temporal.close()]);
  };
  return { dependencies, close };
};
