import { z } from 'zod';
import { jsonAnswer, type Answer } from './answer';
import { isOver, type Operation } from './operations';
import { invalidInput, modelFailed, modelNotFound, problem } from './openai-problems';
import { countTokens, writeProse } from './prose';
import type { Call } from './provider';
import { fitSchema } from './schema-example';
import { complete, fateOf, findOwn, ownOperations } from './submit';

const partSchema = z.looseObject({ type: z.string(), text: z.string().optional() });

const messageSchema = z.looseObject({
  role: z.enum(['system', 'developer', 'user', 'assistant', 'tool', 'function']),
  content: z.union([z.string(), z.array(partSchema)]).nullish(),
});

const formatSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text') }),
  z.strictObject({ type: z.literal('json_object') }),
  z.strictObject({
    type: z.literal('json_schema'),
    json_schema: z.strictObject({
      name: z.string().regex(/^[\w-]{1,64}$/),
      description: z.string().optional(),
      schema: z.record(z.string(), z.unknown()).optional(),
      strict: z.boolean().nullish(),
    }),
  }),
]);

const ignored = z.unknown().optional();

const bodySchema = z.strictObject({
  model: z.string(),
  messages: z.array(messageSchema).min(1),
  max_tokens: z.int().min(1).nullish(),
  max_completion_tokens: z.int().min(1).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  n: z.literal(1).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z
    .strictObject({ include_usage: z.boolean().optional(), include_obfuscation: z.boolean().optional() })
    .nullish(),
  response_format: formatSchema.optional(),
  store: z.boolean().nullish(),
  metadata: z.record(z.string().max(64), z.string().max(512)).nullish(),
  seed: z.int().nullish(),
  stop: z.union([z.string(), z.array(z.string()).max(4)]).nullish(),
  user: z.string().optional(),
  safety_identifier: z.string().nullish(),
  ...Object.fromEntries(
    [
      'frequency_penalty',
      'presence_penalty',
      'logit_bias',
      'logprobs',
      'top_logprobs',
      'modalities',
      'parallel_tool_calls',
      'prediction',
      'prompt_cache_key',
      'prompt_cache_retention',
      'reasoning_effort',
      'service_tier',
      'tool_choice',
      'tools',
      'verbosity',
      'web_search_options',
      'audio',
      'moderation',
    ].map((name) => [name, ignored] as const),
  ),
});

type Body = z.infer<typeof bodySchema>;

type ChatModel = {
  /** USD per million tokens: in, out. */
  rates: readonly [number, number];
  /** Takes max_completion_tokens only, and no temperature. */
  reasons: boolean;
};

export const chatModels: Record<string, ChatModel> = {
  'gpt-4o-mini': { rates: [0.15, 0.6], reasons: false },
  'gpt-4o': { rates: [2.5, 10], reasons: false },
  'gpt-5.5': { rates: [5, 30], reasons: true },
};

const checkReasoning = (body: Body): Answer | undefined => {
  if (typeof body.max_tokens === 'number') {
    const message =
      "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
    return problem(400, { message, param: 'max_tokens', code: 'unsupported_parameter' });
  }
  if (typeof body.temperature !== 'number' || body.temperature === 1) return undefined;
  const message = `Unsupported value: 'temperature' does not support ${body.temperature} with this model. Only the default (1) value is supported.`;
  return problem(400, { message, param: 'temperature', code: 'unsupported_value' });
};

const textOf = ({ content }: z.infer<typeof messageSchema>): string =>
  typeof content === 'string' ? content : (content ?? []).map(({ text }) => text ?? '').join(' ');

/** What the user said last; lenient, for it is read before anything is validated. */
export const lastPrompt = (body: unknown): string => {
  const messages = z
    .array(messageSchema)
    .catch([])
    .parse((Object(body) as Record<string, unknown>)['messages']);
  return textOf(messages.findLast(({ role }) => role === 'user') ?? messages.at(-1) ?? { role: 'user', content: '' });
};

type Reply = {
  content: string | null;
  refusal: string | null;
  finishReason: 'stop' | 'length' | 'content_filter';
};

const write = (body: Body, prompt: string): string => {
  const format = body.response_format;
  if (format?.type === 'json_schema') return JSON.stringify(fitSchema(format.json_schema.schema, prompt));
  return format?.type === 'json_object' ? JSON.stringify({ answer: writeProse(prompt) }) : writeProse(prompt);
};

const replyTo = (body: Body, operation: Pick<Operation, 'prompt' | 'reason'>): Reply => {
  if (operation.reason === 'content') {
    return { content: null, refusal: "I'm sorry, but I can't assist with that request.", finishReason: 'stop' };
  }
  if (operation.reason === 'filtered') return { content: '', refusal: null, finishReason: 'content_filter' };
  const content = write(body, operation.prompt);
  const limit = body.max_completion_tokens ?? body.max_tokens ?? Infinity;
  return countTokens(content) > limit
    ? { content: content.slice(0, limit * 4), refusal: null, finishReason: 'length' }
    : { content, refusal: null, finishReason: 'stop' };
};

const usageOf = (
  body: Body,
  reply: Reply,
): Record<string, unknown> & { prompt_tokens: number; completion_tokens: number } => {
  const images = body.messages
    .flatMap(({ content }) => (Array.isArray(content) ? content : []))
    .filter(({ type }) => type === 'image_url');
  const prompt_tokens =
    countTokens(body.messages.map(textOf).join('')) + 4 * body.messages.length + 255 * images.length;
  const completion_tokens = countTokens(reply.content ?? reply.refusal ?? '');
  return {
    prompt_tokens,
    completion_tokens,
    total_tokens: prompt_tokens + completion_tokens,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: 0,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
};

const headOf = (operation: Operation, object: string): Record<string, unknown> => ({
  id: operation.id,
  object,
  created: Math.floor(operation.submittedAtMs / 1000),
  model: operation.model,
});

const completionOf = (operation: Operation): Record<string, unknown> => {
  const { content, refusal, finishReason } = operation.details['reply'] as Reply;
  const message = { role: 'assistant', content, refusal, annotations: [] };
  return {
    ...headOf(operation, 'chat.completion'),
    choices: [{ index: 0, message, logprobs: null, finish_reason: finishReason }],
    usage: operation.details['usage'],
    service_tier: 'default',
    system_fingerprint: 'fp_emulator',
    metadata: operation.details['metadata'] ?? {},
  };
};

/** Server-sent events, a word or so in each, as the real one streams. */
const streamOf = (operation: Operation, body: Body): Answer => {
  const reply = operation.details['reply'] as Reply;
  const withUsage = body.stream_options?.include_usage === true;
  const head = headOf(operation, 'chat.completion.chunk');
  const chunk = (choices: unknown[], usage: unknown = null): string =>
    `data: ${JSON.stringify({ ...head, choices, ...(withUsage ? { usage } : {}) })}\n\n`;
  const delta = (value: Record<string, unknown>, finish: string | null = null): string =>
    chunk([{ index: 0, delta: value, logprobs: null, finish_reason: finish }]);
  const words = (reply.content ?? '').match(/\s*\S+|\s+$/g) ?? [];
  const parts = [
    delta({ role: 'assistant', content: '', refusal: null }),
    ...words.map((content) => delta({ content })),
    ...(reply.refusal === null ? [] : [delta({ refusal: reply.refusal })]),
    delta({}, reply.finishReason),
    ...(withUsage ? [chunk([], operation.details['usage'])] : []),
    'data: [DONE]\n\n',
  ];
  return { status: 200, headers: { 'content-type': 'text/event-stream; charset=utf-8' }, parts, paceMs: 5 };
};

export const completeChat = async (call: Call): Promise<Answer> => {
  const parsed = bodySchema.safeParse(call.body);
  if (!parsed.success) return invalidInput(parsed.error);
  const body = parsed.data;
  const model = chatModels[body.model];
  if (model === undefined) return modelNotFound(body.model);
  const refusal = model.reasons ? checkReasoning(body) : undefined;
  if (refusal !== undefined) return refusal;
  const prompt = lastPrompt(body);
  const fate = fateOf(call, prompt);
  const reply = replyTo(body, { prompt, reason: fate.reason });
  const usage = usageOf(body, reply);
  const operation = await complete(call, {
    // A refusal is an answer like any other, and charged like one.
    ending: fate.ending === 'failed' && fate.reason !== 'internal' ? 'succeeded' : fate.ending,
    reason: fate.reason,
    id: `chatcmpl-${crypto.randomUUID().replaceAll('-', '').slice(0, 29)}`,
    model: body.model,
    medium: 'text',
    prompt,
    priceUsd: (usage.prompt_tokens * model.rates[0] + usage.completion_tokens * model.rates[1]) / 1e6,
    durationMs: 1_000,
    outputs: [],
    details: { store: body.store === true, metadata: body.metadata ?? {}, reply, usage },
  });
  if (operation.ending === 'failed') return modelFailed;
  return body.stream === true ? streamOf(operation, body) : jsonAnswer(200, completionOf(operation));
};

const isStored = (call: Call, operation: Operation): boolean =>
  operation.details['store'] === true && operation.ending === 'succeeded' && isOver(operation, call.world.clock());

const fitsMetadata = (call: Call, operation: Operation): boolean => {
  const metadata = Object(operation.details['metadata']) as Record<string, unknown>;
  return [...call.query].every(([name, value]) => {
    const key = /^metadata\[(.+)\]$/.exec(name)?.[1];
    return key === undefined || metadata[key] === value;
  });
};

/** The recovery door: completions that were stored, found by the caller's metadata. */
export const listChats = (call: Call): Answer => {
  const model = call.query.get('model');
  const limit = Math.min(100, Number(call.query.get('limit') ?? 20));
  const found = ownOperations(call)
    .filter((operation) => isStored(call, operation) && fitsMetadata(call, operation))
    .filter((operation) => model === null || operation.model === model);
  if (call.query.get('order') === 'desc') found.reverse();
  const after = found.findIndex(({ id }) => id === call.query.get('after'));
  const page = found.slice(after + 1, after + 1 + limit).map(completionOf);
  return jsonAnswer(200, {
    object: 'list',
    data: page,
    first_id: page[0]?.['id'] ?? null,
    last_id: page.at(-1)?.['id'] ?? null,
    has_more: found.length > after + 1 + limit,
  });
};

export const retrieveChat = (call: Call): Answer => {
  const operation = findOwn(call, call.params['id'] ?? '');
  return operation !== undefined && isStored(call, operation)
    ? jsonAnswer(200, completionOf(operation))
    : problem(404, { message: `No chat completion found with id '${call.params['id'] ?? ''}'.`, code: 'not_found' });
};
