import { randomUUID } from 'node:crypto';
import type { ActivitySettings, Dependencies } from './activities/dependencies';
import { callbackUrl } from './api/callback-token';
import type { ProcessConfig } from './config';
import { followCredentials } from './credential-pool';
import { createLogger, follow, poolSize } from './dependencies';
import { defaultBreaker } from './domain/breaker';
import type { Model } from './domain/model';
import { composeLimits, composeRegistry } from './domain/registry';
import { createProviders } from './providers';
import { catalogue } from './providers/catalogue';
import type { Credential } from './providers/provider';
import { createTransport } from './providers/transport';
import type { Settings } from './settings';
import { createFileBlobs } from './stores/blobs';
import { connectDatabase } from './stores/database';
import { createVault } from './stores/vault';
import { connectTemporal } from './temporal';

export const toActivitySettings = (
  settings: Settings,
  models: readonly Model[] = composeRegistry(catalogue, settings),
): ActivitySettings => {
  const { polling, retry, ambiguity, submit, reconcile, prices, providers, routing } = settings;
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
    limitsOf: (provider) => composeLimits(provider, models, providers[provider]),
    breakerOf: (provider) => providers[provider]?.breaker ?? defaultBreaker,
    rotationOf: (provider) => providers[provider]?.rotation ?? 'round_robin',
    // what every provider is asked is free of charge
    checksHealthOf: (provider) => providers[provider]?.healthCheck ?? true,
    experiments: settings.experiments,
    waitThresholdMs: routing.waitThresholdSeconds * 1000,
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
  const providers = createProviders(transport);
  const pool = followCredentials({
    ...{ database, vault, logger, environment: config.credentials, setups: config.setups },
    // loading an SDK takes up to seconds: better now than in the middle of a send
    onFirstKey: (id) =>
      void providers
        .find((provider) => provider.id === id)
        ?.prepare?.()
        .catch(() => undefined),
  });
  const dependencies: Dependencies = {
    database,
    blobs: createFileBlobs(config.storagePath),
    providers,
    get models() {
      return live.models();
    },
    get credentials() {
      return pool.credentials();
    },
    download: transport.download,
    get settings() {
      return toActivitySettings(live.settings(), live.models());
    },
    vault,
    workflows: temporal,
    callbackUrlFor: (provider, key) => callbackUrl(config, { provider, ...key }),
    lanes: new Map(),
    views: new Map(),
    reached: () => undefined,
    newSender: randomUUID,
    clock: () => new Date(),
    random: Math.random,
    logger,
  };
  const close = async (): Promise<void> => {
    live.close();
    pool.close();
    await Promise.allSettled([database.$disconnect(), temporal.close(), transport.close()]);
  };
  return { dependencies, vault, pool, temporal, close };
};
