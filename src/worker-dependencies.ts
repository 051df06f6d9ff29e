import { randomUUID } from 'node:crypto';
import type { ActivitySettings, Dependencies } from './activities/dependencies';
import { callbackUrl } from './api/callback-token';
import type { ProcessConfig } from './config';
import { createLogger, follow, poolSize } from './dependencies';
import { createProviders } from './providers';
import type { Credential } from './providers/provider';
import { createTransport } from './providers/transport';
import type { Settings } from './settings';
import { createFileBlobs } from './stores/blobs';
import { connectDatabase } from './stores/database';
import { createVault } from './stores/vault';
import { connectTemporal } from './temporal';

export const toActivitySettings = (settings: Settings): ActivitySettings => {
  const { polling, retry, ambiguity, submit, reconcile, prices, providers } = settings;
  return {
    pollScale: polling.scale,
    retryOf: (provider) => providers[provider]?.retry ?? retry,
    resubmitUpToUsd: ambiguity.resubmitUpToUsd,
    submitTimeoutMs: ({ provider, synchronous, maximumSeconds }, credential) => {
      const answersWithResult = synchronous === true || credential?.gateway !== undefined;
      return providers[provider]?.timeoutMs ?? (answersWithResult ? maximumSeconds * 1000 : submit.timeoutMs);
    },
    silentSeconds: reconcile.silentSeconds,
    unknownPrices: prices.unknown,
    holdMs: ambiguity.holdHours * 3_600_000,
    store: (provider) => providers[provider]?.store ?? false,
    orphansEverySeconds: reconcile.orphansEverySeconds,
  };
};

/** What the activities run on, and how to let go of it. */
export const createWorkerDependencies = (config: ProcessConfig) => {
  const logger = createLogger(config);
  const database = connectDatabase({ url: config.databaseUrl, poolSize: poolSize.worker });
  const temporal = connectTemporal(config.temporal);
  const transport = createTransport();
  const live = follow(config, logger);
  const vault = createVault<Credential>(database, config.encryptionKeys);
  const dependencies: Dependencies = {
    database,
    blobs: createFileBlobs(config.storagePath),
    providers: createProviders(transport),
    get models() {
      return live.models();
    },
    credentials: config.credentials,
    download: transport.download,
    get settings() {
      return toActivitySettings(live.settings());
    },
    vault,
    workflows: temporal,
    callbackUrlFor: (provider, key) => callbackUrl(config, { provider, ...key }),
    reached: () => undefined,
    newSender: randomUUID,
    clock: () => new Date(),
    random: Math.random,
    logger,
  };
  const close = async (): Promise<void> => {
    live.close();
    await Promise.allSettled([database.$disconnect(), temporal.close(), transport.close()]);
  };
  return { dependencies, vault, temporal, close };
};
