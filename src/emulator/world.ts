import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { Fault } from './faults';
import { openJournal, operationKey, type Journal } from './journal';
import { admit, type Lanes } from './lanes';
import {
  hashOf,
  isOver,
  type Ending,
  type EndingReason,
  type Medium,
  type Operation,
  type OutputShape,
  type Webhook,
} from './operations';
import { marksOf } from './marks';
import { recount, type Meters } from './meters';
import type { SeenRequest } from './requests';
import { defaultSettings, type Settings } from './settings';
import { openSigningKeys, type SigningKeys } from './signing-keys';

export type WorldOptions = {
  statePath?: string | undefined;
  latencyScale?: number | undefined;
  clock?: (() => number) | undefined;
};

/** A file that a client sent ahead of a submit. Kept in memory only: a restarted emulator has forgotten it. */
export type Upload = {
  id: string;
  provider: string;
  credential: string;
  name: string;
  contentType: string;
  /** null until it has been sent. */
  bytes: Buffer | null;
  /** null: as long as the emulator lives. */
  expiresAtMs: number | null;
};

/** One attempt to deliver a webhook, or the one that a fault swallowed. */
type WebhookDelivery = {
  provider: string;
  operation: string;
  /** The path is the receiver's secret. */
  host: string;
  /** From 1; 0 = never sent. */
  attempt: number;
  /** null: no answer. */
  status: number | null;
  /** The fault that shaped it. */
  fault: string | null;
  at: string;
};

/** Everything outside of Sureshot that has a memory. */
export type World = {
  clock: () => number;
  operations: Map<string, Operation>;
  journal: Journal;
  lanes: Lanes;
  meters: Meters;
  faults: Fault[];
  requests: SeenRequest[];
  uploads: Map<string, Upload>;
  keys: SigningKeys;
  /** Operations with a webhook that is still owed. */
  awaited: Set<Operation>;
  inFlight: Set<Webhook>;
  deliveries: WebhookDelivery[];
  settings: Settings;
  initialLatencyScale: number;
  closing: AbortController;
};

/** What a provider decides about an accepted submit. */
export type Draft = {
  id?: string;
  model: string;
  medium: Medium;
  prompt: string;
  priceUsd: number;
  /** In and out, as the answer says. */
  tokens?: number;
  durationMs: number;
  outputs: OutputShape[];
  chargedOnFailure?: boolean;
  details?: Record<string, unknown>;
  /** Who wants to be told when it is over. */
  webhookUrls?: string[];
  ending: Ending;
  reason: EndingReason | null;
};

export type Submitter = {
  provider: string;
  credential: string;
  body: unknown;
  /** Where it found this server. */
  origin: string;
  retryCount: number;
  /** Operations of one lane share a concurrency; null = nothing waits here. */
  lane: string | null;
};

const isOwed = ({ webhooks }: Operation): boolean => webhooks.some(({ state }) => state === 'owed');

const owe = (urls: string[] | undefined, origin: string): Webhook[] => {
  const id = `msg_${randomUUID().replaceAll('-', '')}`;
  const fresh = { state: 'owed', attempts: 0, copies: 1, dueAtMs: null, isPrepared: false } as const;
  return (urls ?? []).map((url) => ({ id, url, origin, ...fresh }));
};

export const createWorld = (options: WorldOptions): World => {
  const { journal, operations } = openJournal(options.statePath);
  const latencyScale = options.latencyScale ?? 0.1;
  const world: World = {
    clock: options.clock ?? Date.now,
    operations,
    journal,
    lanes: new Map(),
    meters: new Map(),
    faults: [],
    requests: [],
    uploads: new Map(),
    keys: openSigningKeys(options.statePath),
    awaited: new Set([...operations.values()].filter(isOwed)),
    inFlight: new Set(),
    deliveries: [],
    settings: defaultSettings(latencyScale),
    initialLatencyScale: latencyScale,
    closing: new AbortController(),
  };
  for (const operation of operations.values()) recount(world, operation);
  for (const operation of operations.values()) {
    if (!isOver(operation, world.clock())) admit(world, operation);
  }
  return world;
};

export const findOperation = (world: World, provider: string, id: string): Operation | undefined =>
  world.operations.get(operationKey(provider, id));

export const changeOperation = (world: World, operation: Operation, set: Partial<Operation>): void => {
  Object.assign(operation, set);
  world.journal.append({ provider: operation.provider, id: operation.id, set });
};

export const acceptOperation = (world: World, submitter: Submitter, draft: Draft): Operation => {
  const nowMs = world.clock();
  const operation: Operation = {
    provider: submitter.provider,
    id: draft.id ?? randomUUID(),
    model: draft.model,
    medium: draft.medium,
    credential: submitter.credential,
    prompt: draft.prompt,
    promptHash: hashOf(draft.prompt),
    bodyHash: hashOf(submitter.body),
    priceUsd: draft.priceUsd,
    ...(draft.tokens === undefined ? {} : { tokens: draft.tokens }),
    chargedOnFailure: draft.chargedOnFailure ?? false,
    retryCount: submitter.retryCount,
    submittedAtMs: nowMs,
    startedAtMs: submitter.lane === null ? nowMs : null,
    durationMs: draft.durationMs * world.settings.latencyScale,
    ending: draft.ending,
    reason: draft.reason,
    canceledAtMs: null,
    deletedAtMs: null,
    outputs: draft.outputs,
    details: { ...draft.details, ...(submitter.lane === null ? {} : { lane: submitter.lane }) },
    marks: marksOf(submitter.body),
    webhooks: owe(draft.webhookUrls, submitter.origin),
  };
  world.operations.set(operationKey(operation.provider, operation.id), operation);
  if (operation.webhooks.length > 0) world.awaited.add(operation);
  admit(world, operation);
  world.journal.append({ provider: operation.provider, id: operation.id, set: operation });
  return operation;
};

/** Waits as the provider would; ends early without error when the emulator closes. */
export const pause = async (world: World, durationMs: number): Promise<void> => {
  if (durationMs <= 0) return;
  await wait(durationMs, undefined, { ref: false, signal: world.closing.signal }).catch(() => undefined);
};

export const resetWorld = (world: World): void => {
  world.journal.clear();
  world.operations.clear();
  world.lanes.clear();
  world.meters.clear();
  world.faults.length = 0;
  world.requests.length = 0;
  world.uploads.clear();
  world.awaited.clear();
  world.deliveries.length = 0;
  world.settings = defaultSettings(world.initialLatencyScale);
};
