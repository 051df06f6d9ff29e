import type { Logger } from 'pino';
import type { RetryPolicy } from '../domain/backoff';
import type { BreakerPolicy } from '../domain/breaker';
import type { Experiment } from '../domain/experiments';
import type { Analysis, Start } from '../domain/generation';
import type { ProviderLimits } from '../domain/limits';
import type { Model } from '../domain/model';
import type { Money } from '../domain/money';
import { unmeasured, type Snapshot } from '../domain/routing';
import type { Given, Key, Rotation } from '../domain/turns';
import type { Download } from '../providers/download';
import type { Credential, Provider } from '../providers/provider';
import type { BlobStore } from '../stores/blobs';
import type { Database } from '../stores/database';
import { readPrint, type QueueState } from '../stores/turns';

export type ActivitySettings = {
  /** Multiplies every poll delay. */
  pollScale: number;
  retryOf(provider: string): RetryPolicy;
  resubmitUpToUsd: Money;
  /**
   * Of the whole submit call, in ms: as long as the work where the answer is the result, which it always is through a
   * gateway, for nobody can be asked there later.
   */
  submitTimeoutMs(model: Model, credential: Pick<Credential, 'gateway'> | null): number;
  unknownPrices: Snapshot['unknownPrices'];
  /** A running generation that has published nothing for this long is asked after. */
  silentSeconds: number;
  /** How long an attempt of unknown fate is held for a decision. */
  holdMs: number;
  /** Whether the provider is asked to keep what it makes, where that is a choice. */
  store(provider: string): boolean;
  /** How often providers are asked for work that nobody here knows of. */
  orphansEverySeconds: number;
  /** As configured: what was set at run time stands above it. */
  limitsOf(provider: string): ProviderLimits;
  breakerOf(provider: string): BreakerPolicy;
  rotationOf(provider: string): Rotation;
  /** Whether it is asked now and then how it is. */
  checksHealthOf(provider: string): boolean;
  /** Work that would wait longer goes to another candidate that has room. */
  waitThresholdMs: number;
  experiments: readonly Experiment[];
};

/** Keys that work was sent with, kept for as long as that work may need them. */
export type Vault = {
  /** What tells two keys of one name apart. */
  printOf(credential: Credential): string;
  /** Before the send. Returns the print that `open` finds it by; the same key is kept once. */
  keep(provider: string, credential: Credential): Promise<string>;
  open(provider: string, alias: string, print: string): Promise<Credential | null>;
};

/** Where a step has just got something done and not yet said so: the places a crash is tried at. */
export type Boundary =
  | 'analyzed'
  | 'chosen'
  | 'planned'
  | 'staged'
  | 'taken'
  | 'accepted'
  | 'recorded'
  | 'looked'
  | 'concluded'
  | 'downloaded'
  | 'stored'
  | 'canceling'
  | 'canceled'
  | 'settling'
  | 'settled';

/** What reconcile needs of the workflow service. */
export type WorkflowPort = {
  start(generation: Start): Promise<'started' | 'exists'>;
  cancel(generationId: string): Promise<void>;
  /** Something was decided or found out about a lost answer it waits for. */
  resolve(generationId: string): Promise<void>;
  /** It is this attempt's turn to be sent. `gone`: nobody waits there any more. */
  giveTurn(attempt: { generationId: string; number: number }): Promise<'told' | 'gone'>;
  isClosed(generationId: string): Promise<boolean>;
  watch(attempt: { generationId: string; number: number }): Promise<'started' | 'exists'>;
};

/** What a process does for one provider: one round at a time, and one more for all who came while it ran. */
export type Lane = {
  last: Promise<void>;
  upcoming: Promise<readonly Given[]> | null;
};

/** How a provider's keys and queue stood. */
export type View = { now: Date; keys: readonly Key[]; queue: QueueState | undefined };

export type Dependencies = {
  database: Database;
  blobs: BlobStore;
  providers: readonly Provider[];
  /** This and `settings` follow the configuration while we run: never copied, always read from here. */
  readonly models: readonly Model[];
  credentials: Readonly<Record<string, readonly Credential[]>>;
  download: Download;
  readonly settings: ActivitySettings;
  vault: Vault;
  workflows: WorkflowPort;
  /** Where the provider may announce the end of this attempt's work; `null`: nowhere. */
  callbackUrlFor(provider: string, key: { generationId: string; number: number }): string | null;
  /** Rounds of turns under way in this process, by provider. */
  lanes: Map<string, Lane>;
  /** What this process saw of the queues, and when by its own steady clock. */
  views: Map<string, { seenAtMs: number; view: Promise<View> }>;
  /** Told at every boundary. Does nothing but in the suite that kills there. */
  reached: (boundary: Boundary) => void;
  /** A name that nobody had before. */
  newSender: () => string;
  clock: () => Date;
  random: () => number;
  logger: Logger;
};

const configuredProviders = (dependencies: Dependencies): ReadonlySet<string> =>
  new Set(dependencies.providers.map(({ id }) => id).filter((id) => (dependencies.credentials[id] ?? []).length > 0));

/** Enough to say who is in the running; figures and capacity come with the choice. */
export const snapshotFor = (
  dependencies: Dependencies,
  { id, analysis, tenantId }: { id: string; analysis: Analysis | null; tenantId: string },
): Snapshot => ({
  ...unmeasured,
  models: dependencies.models,
  configured: configuredProviders(dependencies),
  now: dependencies.clock(),
  complexity: analysis?.complexity ?? null,
  unknownPrices: dependencies.settings.unknownPrices,
  seed: id,
  waitThresholdMs: dependencies.settings.waitThresholdMs,
  experiments: dependencies.settings.experiments ?? [],
  tenantId,
});

const found = <Thing>(thing: Thing | undefined, what: string): Thing => {
  if (thing === undefined) throw new Error(`${what} is not known to this worker`);
  return thing;
};

export const findModel = ({ models }: Dependencies, id: string): Model =>
  found(
    models.find((model) => model.id === id),
    `model ${id}`,
  );

export const findProvider = ({ providers }: Dependencies, id: string): Provider =>
  found(
    providers.find((provider) => provider.id === id),
    `provider ${id}`,
  );

/** The configured one of this name; without a name the first. `null`: not configured (any more). */
const findCredential = (
  { credentials }: Dependencies,
  { provider, credential }: { provider: string; credential: string | null },
): Credential | null => {
  const usable = credentials[provider] ?? [];
  return usable.find(({ alias }) => alias === credential) ?? (credential === null ? (usable[0] ?? null) : null);
};

/** A key by its name, also one that another worker has already and this one does not have yet. */
export const openListed = async (
  dependencies: Dependencies,
  { provider, credential }: { provider: string; credential: string },
): Promise<Credential | null> => {
  const configured = findCredential(dependencies, { provider, credential });
  if (configured) return configured;
  const print = await readPrint(dependencies.database, { provider, alias: credential });
  return print === null ? null : dependencies.vault.open(provider, credential, print);
};

/**
 * The one the attempt was sent with: also where it has left the configuration since, or where its name stands for
 * another key now. `null`: neither configured nor kept.
 */
export const openCredential = async (
  dependencies: Dependencies,
  attempt: { provider: string; credential: string | null; credentialPrint: string | null },
): Promise<Credential | null> => {
  const { provider, credential: alias, credentialPrint: print } = attempt;
  const configured = findCredential(dependencies, attempt);
  if (alias === null || print === null || (configured && dependencies.vault.printOf(configured) === print))
    return configured;
  return (await dependencies.vault.open(provider, alias, print)) ?? configured;
};

export const traceOf = ({ generationId, number }: { generationId: string; number: number }): string =>
  `${generationId}-${number}`;

/** `null`: not a trace of ours. */
export const keyOfTrace = (trace: string): { generationId: string; number: number } | null => {
  const parts = /^(gen_\w+)-([1-9]\d*)$/.exec(trace);
  return parts && { generationId: parts[1] ?? '', number: Number(parts[2]) };
};

/** For the attempt's row: which service stands between us and the provider. */
export const gatewayOf = (credential: Credential | null): string | null =>
  credential?.gateway ? new URL(credential.gateway.url).hostname : null;
