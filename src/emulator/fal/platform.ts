import { jsonAnswer, type Answer } from '../answer';
import { endsAtMs, isOver, stateOf, type Operation } from '../operations';
import type { Call } from '../provider';

const problem = (status: number, type: string, message: string): Answer =>
  jsonAnswer(status, { error: { type, message } });

const statusCodeOf = (operation: Operation, nowMs: number): number => {
  const state = stateOf(operation, nowMs);
  if (state === 'canceled') return 499;
  if (state === 'failed') return operation.reason === 'internal' ? 500 : 422;
  return 200;
};

const toItem = (call: Call, operation: Operation): Record<string, unknown> => {
  const nowMs = call.world.clock();
  const isEnded = isOver(operation, nowMs);
  const time = (timeMs: number | null): string | null => (timeMs === null ? null : new Date(timeMs).toISOString());
  return {
    request_id: operation.id,
    endpoint_id: operation.model,
    sent_at: time(operation.submittedAtMs),
    started_at: time(operation.startedAtMs),
    ended_at: isEnded ? time(endsAtMs(operation)) : null,
    status_code: isEnded ? statusCodeOf(operation, nowMs) : null,
    duration: isEnded ? operation.durationMs / 1000 : null,
    ...((call.query.get('expand') ?? '').split(',').includes('payloads')
      ? { json_input: operation.details['input'] }
      : {}),
  };
};

const timeOf = (text: string | null, otherwise: number): number => (text === null ? otherwise : Date.parse(text));

/**
 * fal's request history: of the whole account, so it wants an account key (here: one containing "admin").
 * @see https://docs.fal.ai/platform-apis
 */
export const listRequests = (call: Call): Answer => {
  if (!call.key.includes('admin'))
    return problem(403, 'authorization_error', 'This endpoint requires an ADMIN API key');
  const endpoints = call.query.getAll('endpoint_id');
  if (endpoints.length === 0) return problem(400, 'validation_error', 'endpoint_id is required');
  const startMs = timeOf(call.query.get('start'), 0);
  const endMs = timeOf(call.query.get('end'), Infinity);
  const limit = Math.min(100, Number(call.query.get('limit') ?? 50));
  const offset = Number(call.query.get('cursor') ?? 0);
  const found = [...call.world.operations.values()]
    .filter(({ provider, model }) => provider === 'fal' && endpoints.includes(model))
    .filter(({ submittedAtMs }) => submittedAtMs >= startMs && submittedAtMs < endMs)
    .reverse();
  const hasMore = found.length > offset + limit;
  return jsonAnswer(200, {
    items: found.slice(offset, offset + limit).map((operation) => toItem(call, operation)),
    next_cursor: hasMore ? String(offset + limit) : null,
    has_more: hasMore,
  });
};
