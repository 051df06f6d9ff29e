import type { Logger } from 'pino';
import type { Medium, Strategy } from '../domain/generation';
import type { Model } from '../domain/model';
import type { ProbeResult } from '../domain/probe';
import type { Snapshot } from '../domain/routing';
import type { BlobStore } from '../stores/blobs';
import type { Database } from '../stores/database';

/** The door to Temporal. Nothing of it may hold an answer up: a committed row is started by `reconcile` at the latest. */
export type Workflows = {
  /** Fire and forget, for a committed row. Retries by itself. */
  start(generation: { id: string; tenantId: string; medium: string; delayMs?: number }): void;
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
};

export type ApiDependencies = {
  database: Database;
  blobs: BlobStore;
  /** This and `routing` follow the configuration while we run: never copied, always read from here. */
  readonly catalogue: readonly Model[];
  readonly routing: RoutingSettings;
  /** Providers with at least one credential. */
  configured: ReadonlySet<string>;
  /** Names of the credentials, by provider. */
  aliases: ReadonlyMap<string, readonly string[]>;
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
