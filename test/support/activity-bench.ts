import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { pino } from 'pino';
import type { Dependencies } from '../../src/activities/dependencies';
import { defaultBreaker } from '../../src/domain/breaker';
import { unlimited } from '../../src/domain/limits';
import type { Capabilities, Model } from '../../src/domain/model';
import type { Credential, Provider } from '../../src/providers/provider';
import { createTransport } from '../../src/providers/transport';
import { createFileBlobs } from '../../src/stores/blobs';
import { connectDatabase, type Database } from '../../src/stores/database';
import { createVault } from '../../src/stores/vault';
import { openLedger } from '../stores/ledger';
import { makeModel } from './generation-data';

export type ActivityBench = {
  dependencies: Dependencies;
  /** As the worker runs an activity that was scheduled this long ago. */
  run<Result>(activity: () => Promise<Result>, ageMs?: number): Promise<Result>;
  /** Another process on the same database, with connections and memory of its own. */
  another(changes?: Partial<Dependencies>): Dependencies;
  close(): Promise<void>;
};

/** Takes images and videos, and makes videos. */
export const mediaModel = (overrides: Partial<Model> = {}, capabilities: Partial<Capabilities> = {}): Model => ({
  ...makeModel(overrides),
  capabilities: {
    from: ['text', 'image', 'video'],
    promptCharacters: 100,
    imageFiles: { types: ['image/png', 'image/jpeg'], maximumBytes: 1024 * 1024 },
    videoFiles: { types: ['video/mp4'], maximumBytes: 1024 * 1024 },
    lastFrame: true,
    referenceImages: { minimum: 0, maximum: 3, step: 1 },
    durationsSeconds: [4, 8],
    ...capabilities,
  },
});

/** What activities run on: a real database, a real blob store, the real download; the providers are the test's. */
export const openActivityBench = async (providers: readonly Provider[], models: Model[]): Promise<ActivityBench> => {
  const ledger = await openLedger();
  const folder = await mkdtemp(path.join(tmpdir(), 'sureshot-activities-'));
  const transport = createTransport();
  const credential = { alias: 'main', secret: 'secret', baseUrl: null };
  const nobody = (): Promise<never> => Promise.reject(new Error('no workflow service here'));
  const dependencies: Dependencies = {
    database: ledger.database,
    blobs: createFileBlobs(folder),
    providers,
    models,
    credentials: Object.fromEntries(models.map(({ provider }) => [provider, [credential]])),
    download: transport.download,
    settings: {
      pollScale: 1,
      retryOf: () => ({ attempts: 2, initialSeconds: 0.01, maximumSeconds: 0.01, factor: 1 }),
      resubmitUpToUsd: '0',
      submitTimeoutMs: () => 1_000,
      unknownPrices: 'block',
      silentSeconds: 60,
      holdMs: 86_400_000,
      store: () => false,
      orphansEverySeconds: 600,
      limitsOf: () => ({ key: unlimited, models: {}, cooldownSeconds: 0.01 }),
      breakerOf: () => ({ ...defaultBreaker, failures: 1_000, minimumCount: 1_000 }),
      rotationOf: () => 'round_robin',
      checksHealthOf: () => true,
      experiments: [],
      waitThresholdMs: 20_000,
    },
    vault: createVault<Credential>(ledger.database, [{ id: 'test', key: randomBytes(32) }]),
    workflows: { start: nobody, cancel: nobody, isClosed: nobody, watch: nobody, resolve: nobody, giveTurn: nobody },
    callbackUrlFor: () => null,
    lanes: new Map(),
    views: new Map(),
    reached: () => undefined,
    newSender: randomUUID,
    clock: () => new Date(),
    random: () => 0.5,
    logger: pino({ level: 'silent' }),
  };
  const others: Database[] = [];
  return {
    dependencies,
    another: (changes = {}) => {
      const database = connectDatabase({ url: ledger.url, poolSize: 5 });
      others.push(database);
      return { ...dependencies, database, lanes: new Map(), views: new Map(), ...changes };
    },
    run: (activity, ageMs = 0) =>
      new MockActivityEnvironment({ scheduledTimestampMs: Date.now() - ageMs }).run(activity),
    close: async () => {
      await Promise.all(others.map((database) => database.$disconnect()));
      await Promise.all([ledger.close(), transport.close()]);
      await rm(folder, { recursive: true });
    },
  };
};
