import type { Logger } from 'pino';
import type { Model } from '../domain/model';
import type { BlobStore } from '../stores/blobs';
import type { Database } from '../stores/database';

/** The door to Temporal. Nothing of it may hold an answer up: a committed row is started by `reconcile` at the latest. */
export type Workflows = {
  /** Fire and forget, for a committed row. Retries by itself. */
  start(generation: { id: string; tenantId: string; medium: string }): void;
  /** Fast path of a cancel that is already in the row. Never throws. */
  cancel(id: string): Promise<void>;
  isReachable(): Promise<boolean>;
};

export type ApiDependencies = {
  database: Database;
  blobs: BlobStore;
  catalogue: readonly Model[];
  /** Providers with at least one credential. */
  configured: ReadonlySet<string>;
  clock: () => Date;
  /** `gen_…`; a later id sorts after an earlier one. */
  newId: () => string;
  logger: Logger;
  workflows: Workflows;
  /** HMAC of cursors. */
  secret: string;
  corsOrigins: readonly string[];
  /** `null` leaves the links out. */
  temporalUiUrl: string | null;
  version: string;
};
