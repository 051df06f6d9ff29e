import { z } from 'zod';
import { jsonAnswer, type Answer } from './answer';
import { artifactUrl } from './artifacts';
import { withdraw } from './lanes';
import { isOver, progressOf, stateOf, type Medium, type Operation, type OutputShape } from './operations';
import { countTokens, writeProse } from './prose';
import type { Call, EmulatedProvider, Route } from './provider';
import { accept, complete, fateOf, findOwn, ownOperations } from './submit';
import { changeOperation, type Draft } from './world';

/*
 * MOCK PROVIDER, version 1. Base URL `http://host:port/mock`. JSON in and out. Everything is free of charge.
 *
 * Authentication: `Authorization: Bearer <key>`.
 *
 * POST /v1/operations
 *   { "model": "video" | "image" | "speech" | "text", "prompt": "…", "trace": "…", "input"?: {…} }
 *   model   what to make
 *   prompt  1 to 10,000 characters
 *   trace   1 to 200 characters of the caller's choice; kept with the operation, see the recovery door
 *   input   optional: width, height (16 to 4096, image), durationSeconds (1 to 60, video and speech), count (1 to 4, image)
 *   → 202 operation with status "running"                    for video and image
 *   → 200 operation with status "succeeded" (or "failed")    for speech and text
 * GET  /v1/operations/{id}          → 200 operation
 * POST /v1/operations/{id}/cancel   → 200 operation; one that is over stays what it is
 * GET  /v1/operations?trace=T       → 200 { "data": [operation, …] }, newest first: the recovery door. An accepted
 *                                     operation is listed from the moment of its acceptance.
 * GET  /v1/operations?since=S       → 200 { "data": [operation, …] }, newest first: all of this key's operations that
 *                                     were accepted at S (RFC 3339) or later. With trace: those of that trace only.
 *
 * operation = { "id", "status": "running" | "succeeded" | "failed" | "canceled", "progress": 0..100, "model", "trace",
 *   "createdAt", "outputs"?: [{ "url", "contentType" } | { "text" }], "error"?: { "code", "message" },
 *   "usage"?: { "inputTokens", "outputTokens" } (text) | { "characters" } (speech) | { "seconds" } (video) | { "images" } }
 * Output URLs need no authentication and do not expire.
 *
 * Errors: { "error": { "code", "message" } } with 400 invalid, 401 unauthorized, 402 insufficient_funds, 404 not_found,
 * 422 content_rejected (not accepted), 429 rate_limited (Retry-After in seconds; not accepted), 503 overloaded (not
 * accepted), 500 internal (fate unknown). A failed operation's error codes: failed, content_rejected.
 */

const bodySchema = z.strictObject({
  model: z.enum(['video', 'image', 'speech', 'text']),
  prompt: z.string().min(1).max(10_000),
  trace: z.string().min(1).max(200),
  input: z
    .looseObject({
      width: z.int().min(16).max(4096).optional(),
      height: z.int().min(16).max(4096).optional(),
      durationSeconds: z.number().min(1).max(60).optional(),
      count: z.int().min(1).max(4).optional(),
    })
    .default({}),
});

type Body = z.infer<typeof bodySchema>;

const latencyMs: Record<Medium, number> = { video: 40_000, image: 8_000, speech: 1_500, text: 1_000 };

const codes: Record<number, string> = {
  400: 'invalid',
  401: 'unauthorized',
  402: 'insufficient_funds',
  404: 'not_found',
  422: 'content_rejected',
  429: 'rate_limited',
  503: 'overloaded',
};

const problem = (status: number, message: string, headers: Record<string, string> = {}): Answer =>
  jsonAnswer(status, { error: { code: codes[status] ?? 'internal', message } }, headers);

const outputsOf = ({ model, prompt, input }: Body): OutputShape[] => {
  const { width = 1024, height = 1024, durationSeconds } = input;
  if (model === 'video') return [{ contentType: 'video/mp4', width: input.width ?? 1280, height: input.height ?? 720 }];
  if (model === 'speech') return [{ contentType: 'audio/mpeg', seconds: durationSeconds ?? prompt.length / 15 }];
  if (model === 'text') return [];
  return Array.from({ length: input.count ?? 1 }, () => ({ contentType: 'image/png', width, height }));
};

const usageOf = ({ model, prompt, input }: Body): Record<string, number> => {
  if (model === 'text') return { inputTokens: countTokens(prompt), outputTokens: countTokens(writeProse(prompt)) };
  if (model === 'speech') return { characters: prompt.length };
  return model === 'video' ? { seconds: input.durationSeconds ?? 8 } : { images: input.count ?? 1 };
};

const succeeded = (call: Call, operation: Operation): Record<string, unknown> => ({
  outputs:
    operation.medium === 'text'
      ? [{ text: writeProse(operation.prompt) }]
      : operation.outputs.map(({ contentType }, index) => ({
          url: artifactUrl(call, operation, { index, expiresAtMs: null }),
          contentType,
        })),
  usage: operation.details['usage'],
});

const failureOf = ({ reason }: Operation): Record<string, unknown> =>
  reason === 'internal'
    ? { error: { code: 'failed', message: 'The model could not make this.' } }
    : { error: { code: 'content_rejected', message: 'The output was withheld by the content policy.' } };

const show = (call: Call, operation: Operation): Record<string, unknown> => {
  const nowMs = call.world.clock();
  const state = stateOf(operation, nowMs);
  return {
    id: operation.id,
    status: state === 'waiting' ? 'running' : state,
    progress: Math.floor(progressOf(operation, nowMs) * 100),
    model: operation.model,
    trace: operation.details['trace'],
    createdAt: new Date(operation.submittedAtMs).toISOString(),
    ...(state === 'succeeded' ? succeeded(call, operation) : {}),
    ...(state === 'failed' ? failureOf(operation) : {}),
  };
};

const submit = async (call: Call): Promise<Answer> => {
  const parsed = bodySchema.safeParse(call.body);
  if (!parsed.success) return problem(400, z.prettifyError(parsed.error));
  const body = parsed.data;
  const fate = fateOf(call, body.prompt);
  if (fate.reason === 'content') return problem(422, 'The prompt was rejected by the content policy.');
  const draft: Draft = {
    ...fate,
    model: body.model,
    medium: body.model,
    prompt: body.prompt,
    priceUsd: 0,
    durationMs: latencyMs[body.model],
    outputs: outputsOf(body),
    ...(body.model === 'text' && { tokens: countTokens(body.prompt) + countTokens(writeProse(body.prompt)) }),
    details: { trace: body.trace, usage: usageOf(body) },
  };
  const isAsynchronous = body.model === 'video' || body.model === 'image';
  if (isAsynchronous) {
    const operation = accept(call, draft);
    return jsonAnswer(202, { id: operation.id, status: 'running', progress: 0, model: body.model, trace: body.trace });
  }
  return jsonAnswer(200, show(call, await complete(call, draft)));
};

const missing = problem(404, 'No such operation.');

const poll = (call: Call): Answer => {
  const operation = findOwn(call, call.params['id'] ?? '');
  return operation === undefined ? missing : jsonAnswer(200, show(call, operation));
};

const cancel = (call: Call): Answer => {
  const operation = findOwn(call, call.params['id'] ?? '');
  if (operation === undefined) return missing;
  if (!isOver(operation, call.world.clock())) {
    withdraw(call.world, operation);
    changeOperation(call.world, operation, { canceledAtMs: call.world.clock() });
  }
  return jsonAnswer(200, show(call, operation));
};

const momentSchema = z.iso.datetime({ offset: true });

const list = (call: Call): Answer => {
  const trace = call.query.get('trace');
  const since = call.query.get('since');
  if (trace === null && since === null) return problem(400, 'The query parameter "trace" or "since" is required.');
  if (since !== null && !momentSchema.safeParse(since).success) {
    return problem(400, 'The query parameter "since" must be a time in RFC 3339.');
  }
  const sinceMs = since === null ? -Infinity : Date.parse(since);
  const found = ownOperations(call)
    .filter(({ details }) => trace === null || details['trace'] === trace)
    .filter(({ submittedAtMs }) => submittedAtMs >= sinceMs);
  return jsonAnswer(200, { data: found.reverse().map((operation) => show(call, operation)) });
};

const describeSubmit: Route['describe'] = ({ body }) => {
  const { model, prompt } = Object(body) as Record<string, unknown>;
  return { model: String(model), prompt: String(prompt) };
};

const describeOperation: Route['describe'] = (call) => ({ operation: findOwn(call, call.params['id'] ?? '') });

export const mock: EmulatedProvider = {
  id: 'mock',
  prefix: '/mock',
  overLimit: 'refuse',
  readKey: ({ authorization }) => /^Bearer (.+)$/.exec(authorization ?? '')?.[1],
  routes: [
    { method: 'post', path: '/v1/operations', kind: 'submit', describe: describeSubmit, handle: submit },
    { method: 'get', path: '/v1/operations', kind: 'other', handle: list },
    { method: 'get', path: '/v1/operations/:id', kind: 'poll', describe: describeOperation, handle: poll },
    { method: 'post', path: '/v1/operations/:id/cancel', kind: 'cancel', describe: describeOperation, handle: cancel },
  ],
  unauthorized: () => problem(401, 'The key is missing or unknown.'),
  exhausted: () => problem(402, 'The account has no credit left.'),
  fail: ({ status, retryAfterSeconds }) =>
    problem(
      status,
      `Emulated ${status}.`,
      retryAfterSeconds === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfterSeconds)) },
    ),
  notFound: ({ method, path }) => problem(404, `No route ${method} ${path}.`),
  malformed: (reason) => problem(400, reason),
};
