import { z } from 'zod';
import type { Answer } from '../answer';
import type { Call } from '../provider';
import { typesOf, walkSchema } from '../schema-walk';
import { findChatModel, type ChatModel } from './models';
import { invalid, invalidInput, modelNotFound, tooLarge } from './problems';

const name = z.string().optional();

const textPart = z.strictObject({ type: z.literal('text'), text: z.string() });
const imagePart = z.strictObject({
  type: z.literal('image_url'),
  image_url: z.strictObject({ url: z.string(), detail: z.enum(['auto', 'low', 'high']).optional() }),
});

const texts = z.union([z.string(), z.array(textPart)]);

const message = z.discriminatedUnion('role', [
  z.strictObject({ role: z.literal('system'), content: texts, name }),
  z.strictObject({ role: z.literal('developer'), content: texts, name }),
  z.strictObject({
    role: z.literal('user'),
    content: z.union([z.string(), z.array(z.discriminatedUnion('type', [textPart, imagePart]))]),
    name,
  }),
  z.strictObject({
    role: z.literal('assistant'),
    content: texts.nullish(),
    name,
    reasoning: z.string().nullish(),
    tool_calls: z.array(z.unknown()).optional(),
    function_call: z.unknown().optional(),
  }),
  z.strictObject({ role: z.literal('tool'), content: texts, tool_call_id: z.string(), name }),
  z.strictObject({ role: z.literal('function'), content: z.string().nullable(), name: z.string() }),
]);

const format = z.discriminatedUnion('type', [
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

/** Known, and without effect on what is emulated. */
const ignored = [
  'citation_options',
  'compound_custom',
  'disable_tool_validation',
  'documents',
  'exclude_domains',
  'function_call',
  'functions',
  'include_domains',
  'parallel_tool_calls',
  'search_settings',
  'tool_choice',
  'tools',
  'user',
] as const;

/** Named in the documents as not supported yet: null passes. */
const unsupported = z.null('not yet supported').optional();

const bodySchema = z.strictObject({
  model: z.string(),
  messages: z.array(message).min(1, 'minimum number of items is 1'),
  max_tokens: z.int().min(1).nullish(),
  max_completion_tokens: z.int().min(1).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  n: z.literal(1).nullish(),
  seed: z.int().nullish(),
  stop: z.union([z.string(), z.array(z.string()).max(4)]).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.strictObject({ include_usage: z.boolean().optional() }).nullish(),
  response_format: format.nullish(),
  reasoning_effort: z.enum(['none', 'default', 'low', 'medium', 'high']).nullish(),
  reasoning_format: z.enum(['hidden', 'raw', 'parsed']).nullish(),
  include_reasoning: z.boolean().nullish(),
  service_tier: z.enum(['auto', 'on_demand', 'flex', 'performance']).nullish(),
  logit_bias: unsupported,
  logprobs: z.literal(false).nullish(),
  top_logprobs: unsupported,
  metadata: unsupported,
  store: z.literal(false).nullish(),
  ...Object.fromEntries(ignored.map((property) => [property, z.unknown().optional()] as const)),
});

export type ChatBody = z.infer<typeof bodySchema>;
type Content = ChatBody['messages'][number]['content'];

export const textOf = (content: Content): string =>
  typeof content === 'string'
    ? content
    : (content ?? []).map((part) => (part.type === 'text' ? part.text : '')).join(' ');

const lenientMessages = z
  .array(z.looseObject({ role: z.string(), content: z.union([z.string(), z.array(z.looseObject({}))]).nullish() }))
  .catch([]);

/** What the user said last; lenient, for it is read before anything is validated. */
export const lastPrompt = (body: unknown): string => {
  const messages = lenientMessages.parse((Object(body) as Record<string, unknown>)['messages']);
  const last = messages.findLast(({ role }) => role === 'user') ?? messages.at(-1);
  return textOf(last?.content as Content);
};

const imagesIn = (body: ChatBody): string[] =>
  body.messages.flatMap(({ content }) =>
    Array.isArray(content) ? content.flatMap((part) => (part.type === 'image_url' ? [part.image_url.url] : [])) : [],
  );

export const countImages = (body: ChatBody): number => imagesIn(body).length;

// Requests with pictures inside: 4 MB, as documented for vision.
const maxInlineBytes = 4 * 2 ** 20;

const imageProblem = (call: Call, body: ChatBody, model: ChatModel): Answer | undefined => {
  const images = imagesIn(body);
  if (images.length === 0) return undefined;
  if (!model.seesImages) {
    const index = body.messages.findIndex(({ content }) => Array.isArray(content));
    return invalid(`messages[${index}].content must be a string`);
  }
  const isInline = images.some((url) => url.startsWith('data:'));
  return isInline && Number(call.headers['content-length'] ?? 0) > maxInlineBytes ? tooLarge : undefined;
};

/** Strict decoding wants every object closed and every property required. */
const strictProblem = (schema: unknown): string | undefined => {
  for (const { schema: part, path } of walkSchema(schema)) {
    if (!typesOf(part).includes('object')) continue;
    if (part['additionalProperties'] !== false) return `${path || '/'}: \`additionalProperties:false\` must be set`;
    const required = Array.isArray(part['required']) ? part['required'] : [];
    const missing = Object.keys(Object(part['properties']) as object).find((key) => !required.includes(key));
    if (missing !== undefined) return `${path || '/'}: \`required\` must include every property, missing '${missing}'`;
  }
  return undefined;
};

const formatProblem = (body: ChatBody, model: ChatModel): Answer | undefined => {
  const wanted = body.response_format;
  if (wanted?.type === 'json_object') {
    return body.messages.some(({ content }) => /json/i.test(textOf(content)))
      ? undefined
      : invalid(
          "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
        );
  }
  if (wanted?.type !== 'json_schema') return undefined;
  if (model.schemas === 'none') {
    return invalid(
      'This model does not support response format `json_schema`. See supported models at https://console.groq.com/docs/structured-outputs#supported-models',
    );
  }
  if (body.stream === true) return invalid('response format `json_schema` does not support streaming');
  const wrong = wanted.json_schema.strict === true ? strictProblem(wanted.json_schema.schema) : undefined;
  return wrong === undefined
    ? undefined
    : invalid(`invalid JSON schema for response_format: '${wanted.json_schema.name}': ${wrong}`);
};

const isJson = ({ response_format }: ChatBody): boolean => (response_format?.type ?? 'text') !== 'text';

const thoughtProblem = (body: ChatBody, model: ChatModel): string | undefined => {
  const { reasoning_effort: effort, reasoning_format: place } = body;
  if (place != null && body.include_reasoning != null)
    return 'cannot specify both `reasoning_format` and `include_reasoning`';
  if (place != null && model.reasoning !== 'raw') return '`reasoning_format` is not supported with this model';
  if (place === 'raw' && isJson(body)) return '`reasoning_format` must be `parsed` or `hidden` with JSON mode';
  if (effort == null || model.efforts.includes(effort)) return undefined;
  return model.efforts.length === 0
    ? '`reasoning_effort` is not supported with this model'
    : `\`reasoning_effort\` must be one of ${model.efforts.map((known) => `\`${known}\``).join(', ')}`;
};

const reasoningProblem = (body: ChatBody, model: ChatModel): Answer | undefined => {
  const wrong = thoughtProblem(body, model);
  return wrong === undefined ? undefined : invalid(wrong);
};

export const readChat = (call: Call): { body: ChatBody; model: ChatModel } | Answer => {
  const parsed = bodySchema.safeParse(call.body);
  if (!parsed.success) return invalidInput(parsed.error, call.body);
  const body = parsed.data;
  const model = findChatModel(call, body.model);
  if (model === undefined) return modelNotFound(body.model);
  return (
    imageProblem(call, body, model) ?? formatProblem(body, model) ?? reasoningProblem(body, model) ?? { body, model }
  );
};
