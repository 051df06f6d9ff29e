import { z } from 'zod';
import { jsonAnswer, type Answer } from '../answer';
import { dataEvent, doneEvent, eventStream, splitWords } from '../event-stream';
import { isOver, type EndingReason, type Operation } from '../operations';
import { pageOf } from './pages';
import { invalidInput, modelFailed, modelNotFound, problem, unrecognizedArgument } from './problems';
import { replyTo, type Reply } from './reply';
import { checkTemperature, priceOf, textModels, type TextModel } from './texts';
import { countTokens } from '../prose';
import type { Call } from '../provider';
import { complete, fateOf, findOwn, ownOperations } from '../submit';

const partSchema = z.looseObject({
  type: z.enum(['text', 'image_url', 'input_audio', 'file', 'refusal']),
  text: z.string().optional(),
  image_url: z.strictObject({ url: z.string(), detail: z.enum(['auto', 'low', 'high']).optional() }).optional(),
});

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
  // Several choices are not emulated, and refused rather than ignored.
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

const checkReasoning = (body: Body, model: TextModel): Answer | undefined => {
  if (model.reasons && typeof body.max_tokens === 'number') {
    const message =
      "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
    return problem(400, { message, param: 'max_tokens', code: 'unsupported_parameter' });
  }
  return checkTemperature(model, body.temperature);
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

const isImage = (url: string): boolean => /^(https?:\/\/|data:image\/(png|jpe?g|webp|gif);base64,)/.test(url);

const checkImages = ({ messages }: Body): Answer | undefined => {
  const parts = messages.flatMap(({ content }) => (Array.isArray(content) ? content : []));
  const images = parts.filter(({ type }) => type === 'image_url');
  if (images.every(({ image_url: image }) => image !== undefined && isImage(image.url))) return undefined;
  const message = 'Invalid image URL: expected a http(s) address or a base64 data URI of a png, jpeg, gif or webp.';
  return problem(400, { message, param: 'messages', code: 'invalid_image_url' });
};

const readReply = (body: Body, prompt: string, reason: EndingReason | null): Reply => {
  const format = body.response_format ?? { type: 'text' };
  return replyTo({
    prompt,
    reason,
    format: format.type === 'json_schema' ? { type: 'json_schema', schema: format.json_schema.schema } : format,
    limit: body.max_completion_tokens ?? body.max_tokens ?? Infinity,
  });
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

const streamOf = (operation: Operation, body: Body): Answer => {
  const reply = operation.details['reply'] as Reply;
  const withUsage = body.stream_options?.include_usage === true;
  const head = headOf(operation, 'chat.completion.chunk');
  const chunk = (choices: unknown[], usage: unknown = null): string =>
    dataEvent({ ...head, choices, ...(withUsage ? { usage } : {}) });
  const delta = (value: Record<string, unknown>, finish: string | null = null): string =>
    chunk([{ index: 0, delta: value, logprobs: null, finish_reason: finish }]);
  return eventStream([
    delta({ role: 'assistant', content: '', refusal: null }),
    ...splitWords(reply.content ?? '').map((content) => delta({ content })),
    ...(reply.refusal === null ? [] : [delta({ refusal: reply.refusal })]),
    delta({}, reply.finishReason),
    ...(withUsage ? [chunk([], operation.details['usage'])] : []),
    doneEvent,
  ]);
};

const answerChat = async (call: Call, body: Body, model: TextModel): Promise<Answer> => {
  const prompt = lastPrompt(body);
  const fate = fateOf(call, prompt);
  const reply = readReply(body, prompt, fate.reason);
  const usage = usageOf(body, reply);
  const operation = await complete(call, {
    // A refusal is an answer like any other, and charged like one.
    ending: fate.ending === 'failed' && fate.reason !== 'internal' ? 'succeeded' : fate.ending,
    reason: fate.reason,
    id: `chatcmpl-${crypto.randomUUID().replaceAll('-', '').slice(0, 29)}`,
    model: body.model,
    medium: 'text',
    prompt,
    priceUsd: priceOf(model, usage.prompt_tokens, usage.completion_tokens),
    tokens: usage.prompt_tokens + usage.completion_tokens,
    durationMs: 1_000,
    outputs: [],
    details: { store: body.store === true, metadata: body.metadata ?? {}, reply, usage },
  });
  if (operation.ending === 'failed') return modelFailed;
  return body.stream === true ? streamOf(operation, body) : jsonAnswer(200, completionOf(operation));
};

export const completeChat = (call: Call): Answer | Promise<Answer> => {
  const parsed = bodySchema.safeParse(call.body);
  if (!parsed.success) return unrecognizedArgument(parsed.error) ?? invalidInput(parsed.error);
  const body = parsed.data;
  const model = textModels[body.model];
  if (model === undefined) return modelNotFound(body.model);
  return checkImages(body) ?? checkReasoning(body, model) ?? answerChat(call, body, model);
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
  const found = ownOperations(call)
    .filter((operation) => isStored(call, operation) && fitsMetadata(call, operation))
    .filter((operation) => model === null || operation.model === model);
  return pageOf(call, call.query.get('order') === 'desc' ? found.reverse() : found, completionOf);
};

export const retrieveChat = (call: Call): Answer => {
  const operation = findOwn(call, call.params['id'] ?? '');
  return operation !== undefined && isStored(call, operation)
    ? jsonAnswer(200, completionOf(operation))
    : problem(404, { message: `No chat completion found with id '${call.params['id'] ?? ''}'.`, code: 'not_found' });
};
