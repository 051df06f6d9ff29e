import { Readable } from 'node:stream';
import { jsonAnswer, textAnswer, type Answer } from '../answer';
import { advance, queuePosition, withdraw } from '../lanes';
import { isOver, progressOf, stateOf, type Operation } from '../operations';
import type { Call } from '../provider';
import { changeOperation, pause, type World } from '../world';
import { findRequest, linksOf } from './addresses';
import { outputOf } from './output';
import { contentRefused, modelFailed, platformProblem, startTimedOut } from './problems';

/** A tenth of its time an unhindered request waits for a runner. */
const isQueued = ({ world }: Pick<Call, 'world'>, operation: Operation): boolean =>
  progressOf(operation, world.clock()) < 0.1;

/** A request that no runner began in the time its caller gave it fails; nobody needs to be looking for that. */
export const failLateStart = (world: World, operation: Operation): void => {
  const seconds = operation.details['startTimeoutSeconds'];
  if (typeof seconds !== 'number' || operation.canceledAtMs !== null) return;
  const deadlineMs = operation.submittedAtMs + seconds * 1000;
  if ((operation.startedAtMs ?? world.clock()) <= deadlineMs) return;
  withdraw(world, operation);
  const details = { ...operation.details, startTimeoutSeconds: null, startedTooLate: true };
  const end = { startedAtMs: deadlineMs, durationMs: 0, ending: 'failed', reason: 'internal' } as const;
  changeOperation(world, operation, { ...end, details });
};

const find = (call: Call): Operation | undefined => {
  const operation = findRequest(call);
  if (operation !== undefined) failLateStart(call.world, operation);
  return operation;
};

const logsOf = (operation: Operation): Record<string, unknown>[] => [
  {
    message: 'Runner started',
    level: 'INFO',
    source: 'USER',
    timestamp: new Date(operation.startedAtMs ?? 0).toISOString(),
  },
];

const errorsOf = (call: Call, operation: Operation): Record<string, string> => {
  const state = stateOf(operation, call.world.clock());
  if (state === 'canceled') return { error: 'Request was cancelled', error_type: 'client_cancelled' };
  if (state !== 'failed') return {};
  if (operation.details['startedTooLate'] === true) {
    return { error: 'Request timed out', error_type: 'request_timeout' };
  }
  return operation.reason === 'internal'
    ? { error: 'Internal server error', error_type: 'internal_server_error' }
    : { error: 'Content policy violation', error_type: 'content_policy_violation' };
};

const missing = platformProblem(404, 'Request not found');

type Status = Record<string, unknown> & { status: string };

const statusOf = (call: Call, operation: Operation): Status => {
  const logs = call.query.get('logs') === '1' ? logsOf(operation) : null;
  const common = { request_id: operation.id, ...linksOf(call, operation) };
  if (isOver(operation, call.world.clock())) {
    const metrics = { inference_time: operation.durationMs / 1000 };
    return { status: 'COMPLETED', ...common, logs, metrics, ...errorsOf(call, operation) };
  }
  return isQueued(call, operation)
    ? { status: 'IN_QUEUE', ...common, queue_position: queuePosition(call.world, operation) }
    : { status: 'IN_PROGRESS', ...common, logs };
};

export const showStatus = (call: Call): Answer => {
  const operation = find(call);
  if (operation === undefined) return missing;
  const status = statusOf(call, operation);
  return jsonAnswer(status.status === 'COMPLETED' ? 200 : 202, status);
};

const streamEveryMs = 100;

/** An event for each change, the last one being COMPLETED. */
async function* watch(call: Call, operation: Operation): AsyncGenerator<string> {
  let last = '';
  while (!call.world.closing.signal.aborted) {
    advance(call.world, operation);
    failLateStart(call.world, operation);
    const status = statusOf(call, operation);
    const text = JSON.stringify(status);
    if (text !== last) yield `data: ${text}\n\n`;
    if (status.status === 'COMPLETED') return;
    last = text;
    await pause(call.world, streamEveryMs);
  }
}

export const streamStatus = (call: Call): Answer => {
  const operation = find(call);
  if (operation === undefined) return missing;
  const headers = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' };
  return { status: 200, headers, parts: Readable.from(watch(call, operation), { objectMode: false }) };
};

export const resultOf = (call: Pick<Call, 'world' | 'origin'>, operation: Operation): Answer => {
  const state = stateOf(operation, call.world.clock());
  if (state === 'succeeded') return jsonAnswer(200, outputOf(call, operation));
  if (state === 'canceled') return platformProblem(400, 'Request was cancelled', 'client_cancelled');
  if (state !== 'failed') return platformProblem(400, 'Request is still in progress');
  if (operation.details['startedTooLate'] === true) return startTimedOut;
  return operation.reason === 'internal' ? modelFailed : contentRefused(operation.prompt);
};

export const showResult = (call: Call): Answer => {
  const operation = find(call);
  return operation === undefined ? missing : resultOf(call, operation);
};

export const cancelRequest = (call: Call): Answer => {
  const operation = find(call);
  if (operation === undefined) return jsonAnswer(404, { status: 'NOT_FOUND' });
  const nowMs = call.world.clock();
  if (isOver(operation, nowMs)) return jsonAnswer(400, { status: 'ALREADY_COMPLETED' });
  const wasQueued = isQueued(call, operation);
  withdraw(call.world, operation);
  // Never begun = never charged.
  changeOperation(call.world, operation, { canceledAtMs: nowMs, ...(wasQueued ? { startedAtMs: null } : {}) });
  return wasQueued ? textAnswer(200, 'OK') : jsonAnswer(202, { status: 'CANCELLATION_REQUESTED' });
};
