import type { Logger } from 'pino';
import type { Experiment } from '../domain/experiments';
import type { Medium, Start, Strategy } from '../domain/generation';
import type { ProviderLimits } from '../domain/limits';
import type { Model } from '../domain/model';
import type { ProbeResult } from '../domain/probe';
import type { Snapshot } from '../domain/routing';
import type { BlobStore } from '../stores/blobs';
import type { Database } from '../stores/database';

/** The door to Temporal. Nothing of it may hold an answer up: a committed row is started by `reconcile` at the latest. */
export type Workflows = {
  /** Fire and forget, for a committed row. Retries by itself. */
  start(generation: Start): void;
  /** Fast path of a cancel that is already in the row. Never throws. */
  cancel(id: string): Promise<void>;
  /** Fast path of a decision that is already in the ledger. Never throws. */
  resolve(id: string): Promise<void>;
  /** A provider has sent something about this attempt, and it is kept. */
  callBack(attempt: { generationId: string; number: number }): Promise<void>;
  isReachable(): Promise<boolean>;
  /** One real call with this key, carried out by a worker. Throws `system_unavailable` when none does it in time. */
  probe(provider: string, credential: string): Promise<ProbeResult>;
};

/** What a request that leaves it open gets. */
export type RoutingSettings = {
  strategy: Strategy;
  defaults: Readonly<Partial<Record<Medium, { model: string; fallback?: string }>>>;
  unknownPrices: Snapshot['unknownPrices'];
  experiments: readonly Experiment[];
};

/** Keys of providers: the API puts away the secrets it is given, and never sees one again. */
export type KeyStore = {
  /** Names of those that the environment of this process has, by provider. */
  environment: ReadonlyMap<string, readonly string[]>;
  /** Seals it for the workers, which are not told of it by that. Returns its print. */
  keep(provider: string, key: { alias: string; secret: string }): Promise<string>;
  /** What tells two keys of one name apart. */
  printOf(secret: string): string;
  /** A variable of the environment that no key of this provider can do without and that is not set. */
  findMissing(provider: string): string | null;
  /** `configured` and `aliases` follow at once what this process has changed. */
  refresh(): Promise<void>;
};

export type ApiDependencies = {
  database: Database;
  blobs: BlobStore;
  /** This and `routing` follow the configuration while we run: never copied, always read from here. */
  readonly catalogue: readonly Model[];
  readonly routing: RoutingSettings;
  /** As configured: what was set at run time stands above it. */
  limitsOf(provider: string): ProviderLimits;
  /** A tenant with this many generations that have not ended is asked to come back later. */
  readonly queuedPerTenant: number;
  /** Providers with at least one key, as of a second ago at most. */
  readonly configured: ReadonlySet<string>;
  /** Names of the keys, by provider. */
  readonly aliases: ReadonlyMap<string, readonly string[]>;
  keys: KeyStore;
  clock: () => Date;
  /** `gen_…`; a later id sorts after an earlier one. */
  newId: () => string;
  logger: Logger;
  workflows: Workflows;
  /** HMAC of cursors and of the addresses that providers call. */
  secret: string;
  corsOrigins: readonly string[];
  /** `null` leaves the links out. */
  temporalUiUrl: string | null;
  version: string;
};
