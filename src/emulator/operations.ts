import { createHash } from 'node:crypto';

export type Medium = 'video' | 'image' | 'speech' | 'text';
export type OperationState = 'waiting' | 'running' | 'succeeded' | 'failed' | 'canceled';
/** How it will end once its time has passed; `never` stays running for ever. */
export type Ending = 'succeeded' | 'failed' | 'never';
export type EndingReason = 'internal' | 'content' | 'filtered';

export type OutputShape = {
  contentType: string;
  width?: number;
  height?: number;
  seconds?: number;
  sampleRate?: number;
  /** A blacked image: what an image model with a safety checker answers. */
  black?: boolean;
};

/** What a provider owes to an address that came with a submit. */
export type Webhook = {
  /** Of the message: the same on every attempt. */
  id: string;
  url: string;
  /** Where the submit found this server: links in the message lead there. */
  origin: string;
  /** `silent`: the provider has no message for the way it ended. */
  state: 'owed' | 'delivered' | 'given_up' | 'lost' | 'silent';
  attempts: number;
  /** How often it has yet to arrive. */
  copies: number;
  /** null: as soon as the operation is over. */
  dueAtMs: number | null;
  /** A fault gets one chance to spoil it, before the first attempt. */
  isPrepared: boolean;
};

/**
 * What was accepted. The state is never stored but computed from the times, so that a restarted emulator
 * knows everything an uninterrupted one would.
 */
export type Operation = {
  provider: string;
  id: string;
  model: string;
  medium: Medium;
  credential: string;
  prompt: string;
  promptHash: string;
  bodyHash: string;
  priceUsd: number;
  /** In and out; absent: not counted in tokens. */
  tokens?: number;
  /** What part of the price a failure costs: providers differ. */
  chargedOnFailure: boolean;
  retryCount: number;
  submittedAtMs: number;
  startedAtMs: number | null;
  durationMs: number;
  ending: Ending;
  reason: EndingReason | null;
  canceledAtMs: number | null;
  deletedAtMs: number | null;
  outputs: OutputShape[];
  details: Record<string, unknown>;
  /** By what the caller could know it again. */
  marks: Record<string, unknown>;
  webhooks: Webhook[];
};

export const hashOf = (value: unknown): string =>
  createHash('sha256')
    .update(typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))
    .digest('hex');

export const fingerprintOf = (key: string): string => `key_${hashOf(key).slice(0, 10)}`;

export const endsAtMs = (operation: Operation): number | null => {
  if (operation.canceledAtMs !== null) return operation.canceledAtMs;
  if (operation.startedAtMs === null || operation.ending === 'never') return null;
  return operation.startedAtMs + operation.durationMs;
};

export const stateOf = (operation: Operation, nowMs: number): OperationState => {
  if (operation.canceledAtMs !== null) return 'canceled';
  if (operation.startedAtMs === null) return 'waiting';
  const endMs = endsAtMs(operation);
  if (endMs === null || nowMs < endMs) return 'running';
  return operation.ending === 'failed' ? 'failed' : 'succeeded';
};

export const isOver = (operation: Operation, nowMs: number): boolean =>
  !['waiting', 'running'].includes(stateOf(operation, nowMs));

/** 0..1, and below 1 until it is over. */
export const progressOf = (operation: Operation, nowMs: number): number => {
  if (operation.startedAtMs === null) return 0;
  if (isOver(operation, nowMs)) return 1;
  if (operation.ending === 'never') return 0.5;
  return Math.min(0.99, Math.max(0, (nowMs - operation.startedAtMs) / Math.max(1, operation.durationMs)));
};

/** What the provider would put on the invoice as things stand. */
export const chargeUsd = (operation: Operation, nowMs: number): number => {
  const state = stateOf(operation, nowMs);
  if (state === 'failed') return operation.chargedOnFailure ? operation.priceUsd : 0;
  if (state === 'canceled') return operation.startedAtMs === null ? 0 : operation.priceUsd;
  return operation.priceUsd;
};

export const formatUsd = (amountUsd: number): string => amountUsd.toFixed(8).replace(/\.?0+$/, '');
