import { z } from 'zod';
import { jsonAnswer, wholeBody, type Answer } from '../answer';
import { endsAtMs, isOver, stateOf, type Operation } from '../operations';
import type { Call } from '../provider';
import { failLateStart, resultOf } from './requests';

const problem = (status: number, type: string, message: string): Answer =>
  jsonAnswer(status, { error: { type, message } });

const statusCodeOf = (call: Call, operation: Operation): number =>
  stateOf(operation, call.world.clock()) === 'canceled' ? 499 : resultOf(call, operation).status;

const payloadsOf = (call: Call, operation: Operation, isEnded: boolean): Record<string, unknown> => ({
  json_input: operation.details['input'],
  ...(isEnded ? { json_output: JSON.parse(wholeBody(resultOf(call, operation)).toString()) as unknown } : {}),
});

const toItem = (call: Call, operation: Operation, withPayloads: boolean): Record<string, unknown> => {
  const isEnded = isOver(operation, call.world.clock());
  const time = (timeMs: number | null): string | null => (timeMs === null ? null : new Date(timeMs).toISOString());
  return {
    request_id: operation.id,
    endpoint_id: operation.model,
    sent_at: time(operation.submittedAtMs),
    started_at: time(operation.startedAtMs),
    ended_at: isEnded ? time(endsAtMs(operation)) : null,
    status_code: isEnded ? statusCodeOf(call, operation) : null,
    duration: isEnded ? operation.durationMs / 1000 : null,
    ...(withPayloads ? payloadsOf(call, operation, isEnded) : {}),
  };
};

const dayMs = 24 * 60 * 60 * 1000;
const mostEndpoints = 50;

/** Lists come repeated or joined by commas. */
const listIn = (query: URLSearchParams, name: string): string[] =>
  query
    .getAll(name)
    .flatMap((text) => text.split(','))
    .filter((part) => part !== '');

const moment = z
  .union([z.iso.datetime({ offset: true }), z.iso.date()])
  .transform((text) => Date.parse(text))
  .optional();

const querySchema = z.object({
  start: moment,
  end: moment,
  limit: z.coerce.number().int().min(1).max(100).default(50),
  cursor: z.string().default(Buffer.from('1').toString('base64')),
  status: z.enum(['success', 'error', 'user_error']).optional(),
  request_id: z.string().optional(),
  sort_by: z.enum(['ended_at', 'duration']).default('ended_at'),
});

type Query = z.infer<typeof querySchema>;

const fitsStatus = (call: Call, operation: Operation, wanted: Query['status']): boolean => {
  if (wanted === undefined) return true;
  if (!isOver(operation, call.world.clock())) return false;
  const code = statusCodeOf(call, operation);
  if (wanted === 'success') return code < 400;
  return wanted === 'error' ? code >= 500 : code >= 400 && code < 500;
};

/** What still runs comes first: nothing is newer. */
const rankOf = (call: Call, operation: Operation, by: Query['sort_by']): number => {
  if (by === 'duration') return operation.durationMs;
  return isOver(operation, call.world.clock()) ? (endsAtMs(operation) ?? Infinity) : Infinity;
};

/** A request that is named is looked for in 90 days, and the last day is all there is to see otherwise. */
const startOf = ({ start, request_id: id }: Query, nowMs: number): number =>
  start ?? nowMs - (id === undefined ? 1 : 90) * dayMs;

const findRequests = (call: Call, endpoints: string[], query: Query): Operation[] => {
  const startMs = startOf(query, call.world.clock());
  const endMs = query.end ?? Infinity;
  return [...call.world.operations.values()]
    .filter(({ provider, model }) => provider === 'fal' && endpoints.includes(model))
    .filter(({ submittedAtMs }) => submittedAtMs >= startMs && submittedAtMs < endMs)
    .filter(({ id }) => query.request_id === undefined || query.request_id === id)
    .filter((operation) => fitsStatus(call, operation, query.status))
    .reverse()
    .sort((left, right) => rankOf(call, right, query.sort_by) - rankOf(call, left, query.sort_by) || 0);
};

const readPage = (cursor: string): number => Math.max(1, Number(Buffer.from(cursor, 'base64').toString()) || 1);

const answerPage = (call: Call, found: Operation[], { cursor, limit }: Query): Answer => {
  const page = readPage(cursor);
  const hasMore = found.length > page * limit;
  const withPayloads = listIn(call.query, 'expand').includes('payloads');
  return jsonAnswer(200, {
    items: found.slice((page - 1) * limit, page * limit).map((operation) => toItem(call, operation, withPayloads)),
    next_cursor: hasMore ? Buffer.from(String(page + 1)).toString('base64') : null,
    has_more: hasMore,
  });
};

/**
 * fal's request history: of the whole account, so it wants an account key (here: one containing "admin").
 * @see https://fal.ai/docs/platform-apis/v1/models/requests/by-endpoint (read 2026-11-21)
 */
export const listRequests = (call: Call): Answer => {
  if (!call.key.includes('admin'))
    return problem(403, 'authorization_error', 'This endpoint requires an ADMIN API key');
  const endpoints = listIn(call.query, 'endpoint_id');
  if (endpoints.length === 0) return problem(400, 'validation_error', 'endpoint_id is required');
  if (endpoints.length > mostEndpoints) return problem(400, 'validation_error', 'at most 50 endpoint_id are allowed');
  const parsed = querySchema.safeParse(Object.fromEntries(call.query));
  if (!parsed.success) return problem(400, 'validation_error', z.prettifyError(parsed.error));
  for (const operation of call.world.operations.values()) {
    if (operation.provider === 'fal') failLateStart(call.world, operation);
  }
  return answerPage(call, findRequests(call, endpoints, parsed.data), parsed.data);
};
