import { z } from 'zod';
import { jsonAnswer, type Answer } from '../answer';
import { endsAtMs, isOver, type EndingReason, type Operation } from '../operations';
import type { Call } from '../provider';
import { accept, fateOf, findOwn, ownOperations } from '../submit';
import { changeOperation } from '../world';
import { pageOf } from './pages';
import {
  errorBody,
  invalid,
  invalidInput,
  modelFailed,
  newId,
  notFound,
  problemAnswer,
  type Problem,
} from './problems';
import { composeMessage, priceOf, type ClaudeMessage } from './replies';
import { lastPrompt, readMessage, type Version } from './request';
import { versionOf } from './versions';

const batchSchema = z.strictObject({
  requests: z
    .array(
      z.strictObject({
        custom_id: z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/, 'String should match pattern ^[a-zA-Z0-9_-]{1,64}$'),
        params: z.record(z.string(), z.unknown()),
      }),
    )
    .min(1)
    .max(100_000),
});

type Entry = z.infer<typeof batchSchema>['requests'][number];

type Result = {
  customId: string;
  priceUsd: number;
  outcome: { message: ClaudeMessage } | { problem: Problem };
};

const failedWith = ({ custom_id }: Entry, problem: Problem): Result => ({
  customId: custom_id,
  priceUsd: 0,
  outcome: { problem },
});

type Fate = { ending: string; reason: EndingReason | null };

/** What is wrong with one entry shows in its result, not in the answer to the batch. */
const answerEntry = (entry: Entry, version: Version, fate: Fate): Result => {
  const request = readMessage(entry.params, version);
  if ('status' in request) return failedWith(entry, request);
  if (request.body.stream === true) return failedWith(entry, invalid('stream: not supported in batches'));
  if (fate.reason === 'internal') return failedWith(entry, modelFailed);
  const { body, model } = request;
  const prompt = lastPrompt(body);
  const message = composeMessage(newId('msg'), { body, model, prompt, reason: fate.reason, tier: 'batch' });
  return { customId: entry.custom_id, priceUsd: priceOf(message, model, 0.5), outcome: { message } };
};

const resultsOf = (operation: Operation): Result[] => operation.details['results'] as Result[];

const iso = (timeMs: number): string => new Date(timeMs).toISOString();

const dayMs = 86_400_000;

const countResults = (operation: Operation, isEnded: boolean): Record<string, number> => {
  const results = resultsOf(operation);
  const counts = { processing: 0, succeeded: 0, errored: 0, canceled: 0, expired: 0 };
  if (!isEnded) return { ...counts, processing: results.length };
  if (operation.canceledAtMs !== null) return { ...counts, canceled: results.length };
  const succeeded = operation.ending === 'failed' ? 0 : results.filter(({ outcome }) => 'message' in outcome).length;
  return { ...counts, succeeded, errored: results.length - succeeded };
};

const describe = (call: Call, operation: Operation): Record<string, unknown> & { id: string } => {
  const isEnded = isOver(operation, call.world.clock());
  const endMs = isEnded ? endsAtMs(operation) : null;
  return {
    id: operation.id,
    type: 'message_batch',
    processing_status: isEnded ? 'ended' : 'in_progress',
    request_counts: countResults(operation, isEnded),
    created_at: iso(operation.submittedAtMs),
    expires_at: iso(operation.submittedAtMs + dayMs),
    ended_at: endMs === null ? null : iso(endMs),
    cancel_initiated_at: operation.canceledAtMs === null ? null : iso(operation.canceledAtMs),
    archived_at: null,
    results_url: isEnded ? `${call.origin}/anthropic/v1/messages/batches/${operation.id}/results` : null,
  };
};

const findDuplicate = (entries: Entry[]): string | undefined =>
  entries.find(({ custom_id }, index) => entries.findIndex((other) => other.custom_id === custom_id) !== index)
    ?.custom_id;

export const describeBatch = (body: unknown): { model: string; prompt: string } => {
  const { requests } = Object(body) as { requests?: unknown };
  const { params } = Object(Array.isArray(requests) ? requests[0] : {}) as { params?: unknown };
  return { model: String((Object(params) as Record<string, unknown>)['model']), prompt: lastPrompt(params) };
};

export const createBatch = (call: Call): Answer => {
  const parsed = batchSchema.safeParse(call.body);
  if (!parsed.success) return problemAnswer(invalidInput(parsed.error));
  const entries = parsed.data.requests;
  const duplicate = findDuplicate(entries);
  if (duplicate !== undefined) return problemAnswer(invalid(`requests: duplicate custom_id: ${duplicate}`));
  const results = entries.map((entry) => answerEntry(entry, versionOf(call), fateOf(call, lastPrompt(entry.params))));
  const operation = accept(call, {
    ...describeBatch(call.body),
    id: newId('msgbatch'),
    medium: 'text',
    priceUsd: results.reduce((sum, { priceUsd }) => sum + priceUsd, 0),
    // Most batches are done within the hour; nobody wants to watch that.
    durationMs: 60_000,
    ending: call.fault?.kind === 'stuck' ? 'never' : 'succeeded',
    reason: null,
    outputs: [],
    details: { results },
  });
  return jsonAnswer(200, describe(call, operation));
};

export const findBatch = (call: Call): Operation | undefined => {
  const operation = findOwn(call, call.params['id'] ?? '');
  const isBatch = operation?.details['results'] !== undefined && operation.deletedAtMs === null;
  return isBatch ? operation : undefined;
};

const withBatch =
  (handle: (call: Call, operation: Operation) => Answer) =>
  (call: Call): Answer => {
    const operation = findBatch(call);
    if (operation === undefined)
      return problemAnswer(notFound(`No message batch found with ID ${call.params['id'] ?? ''}`));
    call.touched = operation;
    return handle(call, operation);
  };

export const retrieveBatch = withBatch((call, operation) => jsonAnswer(200, describe(call, operation)));

/** The one recovery door: what was submitted shows here even if the answer to the submit was lost. */
export const listBatches = (call: Call): Answer => {
  const batches = ownOperations(call).filter(
    ({ details, deletedAtMs }) => details['results'] !== undefined && deletedAtMs === null,
  );
  const page = pageOf(
    batches.reverse().map((operation) => describe(call, operation)),
    call.query,
  );
  return 'status' in page ? problemAnswer(page) : jsonAnswer(200, page);
};

/** Nothing is processed piecemeal here: a batch canceled in time was not begun, and costs nothing. */
export const cancelBatch = withBatch((call, operation) => {
  if (isOver(operation, call.world.clock())) return jsonAnswer(200, describe(call, operation));
  changeOperation(call.world, operation, { canceledAtMs: call.world.clock(), priceUsd: 0 });
  return jsonAnswer(200, { ...describe(call, operation), processing_status: 'canceling', results_url: null });
});

export const deleteBatch = withBatch((call, operation) => {
  if (!isOver(operation, call.world.clock()))
    return problemAnswer(invalid(`Batch ${operation.id} cannot be deleted while it is being processed.`));
  changeOperation(call.world, operation, { deletedAtMs: call.world.clock() });
  return jsonAnswer(200, { id: operation.id, type: 'message_batch_deleted' });
});

const resultOf = (operation: Operation, { outcome }: Result): Record<string, unknown> => {
  if (operation.canceledAtMs !== null) return { type: 'canceled' };
  if (operation.ending === 'failed') return { type: 'errored', error: errorBody(modelFailed, null) };
  return 'message' in outcome
    ? { type: 'succeeded', message: outcome.message }
    : { type: 'errored', error: errorBody(outcome.problem, null) };
};

export const listResults = withBatch((call, operation) => {
  if (!isOver(operation, call.world.clock())) {
    return problemAnswer(notFound(`The results of batch ${operation.id} are not available yet.`));
  }
  const lines = resultsOf(operation).map((result) =>
    JSON.stringify({ custom_id: result.customId, result: resultOf(operation, result) }),
  );
  return {
    status: 200,
    headers: { 'content-type': 'application/x-jsonl' },
    parts: [lines.map((line) => `${line}\n`).join('')],
  };
});
