import { z } from 'zod';
import { jsonAnswer, type Answer } from '../answer';
import { withdraw } from '../lanes';
import { endsAtMs, isOver, progressOf, stateOf, type EndingReason, type Operation } from '../operations';
import { countTokens } from '../prose';
import type { Call } from '../provider';
import { accept, complete, fateOf, findOwn } from '../submit';
import { changeOperation, type Draft } from '../world';
import { invalidInput, invalidValue, modelNotFound, problem } from './problems';
import { replyTo, type Reply } from './reply';
import { streamResponse } from './response-stream';
import { checkTemperature, priceOf, textModels, type TextModel } from './texts';

const partSchema = z.looseObject({ type: z.string(), text: z.string().optional() });
const itemSchema = z.looseObject({
  role: z.string().optional(),
  content: z.union([z.string(), z.array(partSchema)]).optional(),
});

const formatSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text') }),
  z.strictObject({ type: z.literal('json_object') }),
  z.strictObject({
    type: z.literal('json_schema'),
    name: z.string().regex(/^[\w-]{1,64}$/),
    description: z.string().optional(),
    schema: z.record(z.string(), z.unknown()),
    strict: z.boolean().nullish(),
  }),
]);

const ignored = z.unknown().optional();

const bodySchema = z.strictObject({
  model: z.string(),
  input: z.union([z.string(), z.array(itemSchema)]),
  instructions: z.string().nullish(),
  background: z.boolean().nullish(),
  store: z.boolean().nullish(),
  stream: z.boolean().nullish(),
  metadata: z.record(z.string().max(64), z.string().max(512)).nullish(),
  max_output_tokens: z.int().min(16).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  text: z.strictObject({ format: formatSchema.optional(), verbosity: z.string().nullish() }).optional(),
  user: z.string().optional(),
  previous_response_id: z.string().nullish(),
  ...Object.fromEntries(
    [
      'context_management',
      'conversation',
      'include',
      'moderation',
      'parallel_tool_calls',
      'prompt',
      'prompt_cache_key',
      'prompt_cache_options',
      'prompt_cache_retention',
      'reasoning',
      'safety_identifier',
      'service_tier',
      'stream_options',
      'tool_choice',
      'tools',
      'top_logprobs',
      'truncation',
    ].map((name) => [name, ignored] as const),
  ),
});

type Body = z.infer<typeof bodySchema>;
type Item = z.infer<typeof itemSchema>;

const textOf = ({ content }: Item): string =>
  typeof content === 'string' ? content : (content ?? []).map(({ text }) => text ?? '').join(' ');

/** What the user said last; lenient, for it is read before anything is validated. */
export const lastInput = (body: unknown): string => {
  const { input } = Object(body) as Record<string, unknown>;
  if (typeof input === 'string') return input;
  const items = z.array(itemSchema).catch([]).parse(input);
  return textOf(items.findLast(({ role }) => role === 'user') ?? items.at(-1) ?? {});
};

const readReply = (body: Body, prompt: string, reason: EndingReason | null): Reply => {
  const format = body.text?.format ?? { type: 'text' };
  return replyTo({ prompt, reason, format, limit: body.max_output_tokens ?? Infinity });
};

const usageOf = (body: Body, reply: Reply): { input_tokens: number; output_tokens: number } => {
  const texts = typeof body.input === 'string' ? [body.input] : body.input.map(textOf);
  const input_tokens = countTokens([body.instructions ?? '', ...texts].join('')) + 4 * texts.length;
  const output_tokens = countTokens(reply.content ?? reply.refusal ?? '');
  return { input_tokens, output_tokens };
};

type Settings = Record<string, unknown>;

/** What an answer repeats of its question. */
const settingsOf = (body: Body): Settings => ({
  background: body.background === true,
  instructions: body.instructions ?? null,
  max_output_tokens: body.max_output_tokens ?? null,
  metadata: body.metadata ?? {},
  parallel_tool_calls: true,
  previous_response_id: body.previous_response_id ?? null,
  store: body.store !== false,
  temperature: body.temperature ?? 1,
  text: { format: body.text?.format ?? { type: 'text' } },
  tool_choice: 'auto',
  tools: [],
  top_p: body.top_p ?? 1,
  truncation: 'disabled',
});

const statusOf = (operation: Operation, nowMs: number): string => {
  const state = stateOf(operation, nowMs);
  if (state === 'canceled') return 'cancelled';
  if (state === 'failed') return 'failed';
  if (state !== 'succeeded') return progressOf(operation, nowMs) < 0.1 ? 'queued' : 'in_progress';
  return (operation.details['reply'] as Reply).finishReason === 'stop' ? 'completed' : 'incomplete';
};

const messageOf = (operation: Operation, status: string): Record<string, unknown> => {
  const { content, refusal } = operation.details['reply'] as Reply;
  const part =
    refusal === null
      ? { type: 'output_text', text: content ?? '', annotations: [], logprobs: [] }
      : { type: 'refusal', refusal };
  const id = operation.id.replace(/^resp_/, 'msg_');
  return { id, type: 'message', status, role: 'assistant', content: [part] };
};

const outcomeOf = (operation: Operation, status: string): Record<string, unknown> => {
  if (status === 'failed') return { output: [], error: { code: 'server_error', message: 'The model failed.' } };
  if (status !== 'completed' && status !== 'incomplete') return { output: [] };
  const { finishReason } = operation.details['reply'] as Reply;
  const { input_tokens, output_tokens } = operation.details['usage'] as ReturnType<typeof usageOf>;
  return {
    output: [messageOf(operation, status)],
    usage: {
      input_tokens,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: input_tokens + output_tokens,
    },
    ...(status === 'incomplete'
      ? { incomplete_details: { reason: finishReason === 'length' ? 'max_output_tokens' : finishReason } }
      : {}),
  };
};

const show = (call: Call, operation: Operation): Record<string, unknown> => {
  const nowMs = call.world.clock();
  const status = statusOf(operation, nowMs);
  const endMs = status === 'completed' ? endsAtMs(operation) : null;
  return {
    id: operation.id,
    object: 'response',
    created_at: Math.floor(operation.submittedAtMs / 1000),
    completed_at: endMs === null ? null : Math.floor(endMs / 1000),
    status,
    model: operation.model,
    error: null,
    incomplete_details: null,
    usage: null,
    ...(operation.details['settings'] as Settings),
    ...outcomeOf(operation, status),
  };
};

const check = (body: Body, model: TextModel): Answer | undefined => {
  if (body.background === true && body.store === false) {
    return invalidValue('background', 'Background mode requires store to be true.');
  }
  return checkTemperature(model, body.temperature);
};

const draftOf = (call: Call, body: Body, model: TextModel): Draft => {
  const prompt = lastInput(body);
  const fate = fateOf(call, prompt);
  const reply = readReply(body, prompt, fate.reason);
  const usage = usageOf(body, reply);
  return {
    // A refusal is an answer like any other, and charged like one.
    ending: fate.ending === 'failed' && fate.reason !== 'internal' ? 'succeeded' : fate.ending,
    reason: fate.reason,
    id: `resp_${crypto.randomUUID().replaceAll('-', '')}`,
    model: body.model,
    medium: 'text',
    prompt,
    priceUsd: priceOf(model, usage.input_tokens, usage.output_tokens),
    tokens: usage.input_tokens + usage.output_tokens,
    durationMs: body.background === true ? 10_000 : 1_000,
    outputs: [],
    details: { reply, usage, settings: settingsOf(body) },
  };
};

/** However fast it will be: nothing is done in the answer to its creation. */
const begun = {
  status: 'queued',
  output: [],
  usage: null,
  completed_at: null,
  error: null,
  incomplete_details: null,
};

/** A failed synchronous response is a 200 too: its `status` tells. */
const respond = async (call: Call, body: Body, draft: Draft): Promise<Answer> => {
  if (body.background === true) return jsonAnswer(200, { ...show(call, accept(call, draft)), ...begun });
  const operation = await complete(call, draft);
  const response = show(call, operation);
  return body.stream === true
    ? streamResponse(response, operation.details['reply'] as Reply)
    : jsonAnswer(200, response);
};

export const createResponse = (call: Call): Answer | Promise<Answer> => {
  const parsed = bodySchema.safeParse(call.body);
  if (!parsed.success) return invalidInput(parsed.error);
  const body = parsed.data;
  const model = textModels[body.model];
  if (model === undefined) return modelNotFound(body.model);
  const stream = body.stream === true && body.background === true;
  if (stream) return invalidValue('stream', 'Streaming a background response is not emulated.');
  return check(body, model) ?? respond(call, body, draftOf(call, body, model));
};

const isStored = (operation: Operation): boolean => (operation.details['settings'] as Settings)['store'] === true;

export const findResponse = (call: Call): Operation | undefined => {
  const operation = findOwn(call, call.params['id'] ?? '');
  return operation?.id.startsWith('resp_') === true && isStored(operation) ? operation : undefined;
};

const missing = ({ params }: Call): Answer =>
  problem(404, { message: `Response with id '${params['id'] ?? ''}' not found.` });

export const showResponse = (call: Call): Answer => {
  const operation = findResponse(call);
  return operation === undefined ? missing(call) : jsonAnswer(200, show(call, operation));
};

/** Only background responses; one that is over stays what it is. */
export const cancelResponse = (call: Call): Answer => {
  const operation = findResponse(call);
  if (operation === undefined) return missing(call);
  if ((operation.details['settings'] as Settings)['background'] !== true) {
    return problem(400, { message: 'Cannot cancel a synchronous response.' });
  }
  if (!isOver(operation, call.world.clock())) {
    withdraw(call.world, operation);
    changeOperation(call.world, operation, { canceledAtMs: call.world.clock() });
  }
  return jsonAnswer(200, show(call, operation));
};
