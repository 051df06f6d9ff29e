import { advance, withdraw } from './lanes';
import { occupy } from './meters';
import { isOver, type Ending, type EndingReason, type Operation } from './operations';
import type { Call } from './provider';
import { retryCountOf } from './requests';
import { acceptOperation, changeOperation, findOperation, pause, type Draft, type World } from './world';

export type Fate = {
  ending: Ending;
  reason: EndingReason | null;
};

const fates: Partial<Record<string, Fate>> = {
  stuck: { ending: 'never', reason: null },
  failed: { ending: 'failed', reason: 'internal' },
  content_refused: { ending: 'failed', reason: 'content' },
  filtered: { ending: 'failed', reason: 'filtered' },
};

const fateOfFault = (kind: string | undefined): Fate | undefined => fates[kind ?? ''];

/** Magic words stand for inputs that a real model would refuse or choke on. */
export const fateOf = (call: Call, prompt: string): Fate => {
  const fate = fateOfFault(call.fault?.kind);
  if (fate !== undefined) return fate;
  if (prompt.includes('[refuse]')) return { ending: 'failed', reason: 'content' };
  if (prompt.includes('[filter]')) return { ending: 'failed', reason: 'filtered' };
  return prompt.includes('[fail]') ? { ending: 'failed', reason: 'internal' } : { ending: 'succeeded', reason: null };
};

export const accept = (call: Call, draft: Draft, lane: string | null = null): Operation => {
  const submitter = {
    provider: call.provider,
    credential: call.credential,
    body: call.body,
    origin: call.origin,
    retryCount: retryCountOf(call.headers),
    lane: lane === null ? null : `${call.provider}/${call.credential}/${lane}`,
  };
  const details = call.notes.length === 0 ? draft.details : { ...draft.details, notes: [...call.notes] };
  const operation = acceptOperation(call.world, submitter, { ...draft, ...(details === undefined ? {} : { details }) });
  call.touched = operation;
  if (call.admission !== undefined) occupy(call.world, call.admission, operation);
  return operation;
};

/**
 * For models that answer in the same request: waits their time. A client that hangs up changes nothing, the
 * work is done and charged. Stuck = no answer before the client gives up.
 */
export const complete = async (call: Call, draft: Draft): Promise<Operation> => {
  const operation = accept(call, draft);
  await pause(call.world, operation.ending === 'never' ? 2 ** 31 - 1 : operation.durationMs);
  const nowMs = call.world.clock();
  // A timer may fire a millisecond early, and an answer must not precede its end in the ledger.
  if (!isOver(operation, nowMs) && operation.startedAtMs !== null) {
    operation.durationMs = Math.max(0, nowMs - operation.startedAtMs);
  }
  return operation;
};

export const findOwn = (call: Call, id: string): Operation | undefined => {
  const operation = findOperation(call.world, call.provider, id);
  return operation === undefined || operation.credential !== call.credential ? undefined : operation;
};

export const ownOperations = (call: Call): Operation[] =>
  [...call.world.operations.values()].filter(
    ({ provider, credential }) => provider === call.provider && credential === call.credential,
  );

/** Whatever it was waiting for: it is over as of now. One that never ends stays as it is. */
export const hasten = (world: World, operation: Operation): void => {
  advance(world, operation);
  const nowMs = world.clock();
  if (operation.ending === 'never' || isOver(operation, nowMs)) return;
  withdraw(world, operation);
  const startedAtMs = operation.startedAtMs ?? nowMs;
  changeOperation(world, operation, { startedAtMs, durationMs: nowMs - startedAtMs });
};

/** A fault on a later request that says how the operation ends: it ends so, now. */
export const bendFate = (call: Call, operation: Operation): void => {
  const fate = fateOfFault(call.fault?.kind);
  advance(call.world, operation);
  const nowMs = call.world.clock();
  if (fate === undefined || isOver(operation, nowMs)) return;
  withdraw(call.world, operation);
  const startedAtMs = operation.startedAtMs ?? nowMs;
  const durationMs = fate.ending === 'never' ? operation.durationMs : nowMs - startedAtMs;
  changeOperation(call.world, operation, { ...fate, startedAtMs, durationMs });
};
