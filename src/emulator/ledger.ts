import { advanceLanes } from './lanes';
import { chargeUsd, endsAtMs, formatUsd, isOver, stateOf, type Operation } from './operations';
import type { World } from './world';

/** One accepted paid submit. */
type LedgerEntry = {
  provider: string;
  operation: string;
  model: string;
  medium: string;
  credential: string;
  promptHash: string;
  /** What is on the bill: 0 for what the provider does not charge, such as most failures. */
  costUsd: string;
  submittedAt: string;
  /** null: it waits, or was withdrawn before its turn. */
  startedAt: string | null;
  endedAt: string | null;
  state: 'running' | 'succeeded' | 'failed' | 'canceled';
  /** How often this very body was accepted with this credential: over 1 = perhaps paid twice. */
  submits: number;
  retryCount: number;
  /** Trace, seed, metadata and labels, as far as the wire carried them. */
  marks: Record<string, unknown>;
  /** What was remarkable about the submit. */
  notes: string[];
};

const iso = (timeMs: number): string => new Date(timeMs).toISOString();

const bodyKey = ({ provider, credential, bodyHash }: Operation): string => `${provider}/${credential}/${bodyHash}`;

const toEntry = (operation: Operation, nowMs: number, submits: number): LedgerEntry => {
  const state = stateOf(operation, nowMs);
  const endMs = isOver(operation, nowMs) ? endsAtMs(operation) : null;
  return {
    provider: operation.provider,
    operation: operation.id,
    model: operation.model,
    medium: operation.medium,
    credential: operation.credential,
    promptHash: operation.promptHash,
    costUsd: formatUsd(chargeUsd(operation, nowMs)),
    submittedAt: iso(operation.submittedAtMs),
    startedAt: operation.startedAtMs === null ? null : iso(operation.startedAtMs),
    endedAt: endMs === null ? null : iso(endMs),
    state: state === 'waiting' ? 'running' : state,
    submits,
    retryCount: operation.retryCount,
    marks: operation.marks,
    notes: (operation.details['notes'] as string[] | undefined) ?? [],
  };
};

export const listLedger = (world: World): LedgerEntry[] => {
  advanceLanes(world);
  const nowMs = world.clock();
  const operations = [...world.operations.values()];
  const counts = new Map<string, number>();
  for (const operation of operations) counts.set(bodyKey(operation), (counts.get(bodyKey(operation)) ?? 0) + 1);
  return operations.map((operation) => toEntry(operation, nowMs, counts.get(bodyKey(operation)) ?? 1));
};
