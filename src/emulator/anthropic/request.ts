import { z } from 'zod';
import { findModel, type ClaudeModel } from './models';
import { imageProblem } from './pictures';
import { invalid, invalidInput, notFound, type Problem } from './problems';
import { schemaProblem } from './output-schema';

const cacheControl = z.strictObject({ type: z.literal('ephemeral'), ttl: z.enum(['5m', '1h']).optional() }).nullish();

const textBlock = z.strictObject({
  type: z.literal('text'),
  text: z.string(),
  cache_control: cacheControl,
  citations: z.array(z.unknown()).nullish(),
});

const imageBlock = z.strictObject({
  type: z.literal('image'),
  source: z.discriminatedUnion('type', [
    z.strictObject({
      type: z.literal('base64'),
      media_type: z.enum(['image/jpeg', 'image/png', 'image/gif', 'image/webp']),
      data: z.string(),
    }),
    z.strictObject({ type: z.literal('url'), url: z.string() }),
  ]),
  cache_control: cacheControl,
  transformations: z.unknown().optional(),
});

const otherBlock = (type: string): z.ZodObject<{ type: z.ZodLiteral<string> }, z.core.$loose> =>
  z.looseObject({ type: z.literal(type) });

const block = z.discriminatedUnion('type', [
  textBlock,
  imageBlock,
  otherBlock('document'),
  otherBlock('search_result'),
  otherBlock('thinking'),
  otherBlock('redacted_thinking'),
  otherBlock('tool_use'),
  otherBlock('tool_result'),
]);

const message = z.strictObject({
  role: z.enum(['user', 'assistant', 'system']),
  content: z.union([z.string(), z.array(block)]),
});

const thinking = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('enabled'),
    budget_tokens: z.int().min(1024),
    display: z.enum(['summarized', 'omitted']).nullish(),
  }),
  z.strictObject({ type: z.literal('adaptive'), display: z.enum(['summarized', 'omitted']).nullish() }),
  z.strictObject({ type: z.literal('between_tools') }),
  z.strictObject({ type: z.literal('disabled') }),
]);

const outputConfig = z.strictObject({
  effort: z.enum(['low', 'medium', 'high', 'xhigh', 'max']).nullish(),
  format: z.strictObject({ type: z.literal('json_schema'), schema: z.record(z.string(), z.unknown()) }).nullish(),
});

/** What counting takes too. */
const inputShape = {
  model: z.string().min(1).max(256),
  messages: z.array(message).min(1).max(100_000),
  system: z.union([z.string(), z.array(textBlock)]).optional(),
  output_config: outputConfig.optional(),
  thinking: thinking.optional(),
  tools: z.array(z.looseObject({ name: z.string() })).optional(),
  tool_choice: z.looseObject({ type: z.enum(['auto', 'any', 'tool', 'none']) }).optional(),
  cache_control: cacheControl,
  speed: z.enum(['standard', 'fast']).nullish(),
};

const outputShape = {
  max_tokens: z.int().min(0),
  stop_sequences: z.array(z.string().regex(/\S/, 'each stop sequence must contain non-whitespace')).optional(),
  stream: z.boolean().optional(),
  metadata: z.strictObject({ user_id: z.string().max(512).nullish() }).optional(),
  service_tier: z.enum(['auto', 'standard_only']).optional(),
  container: z.unknown().optional(),
  diagnostics: z.strictObject({ previous_message_id: z.string().nullish() }).nullish(),
  inference_geo: z.string().nullish(),
};

/** Removed by the version of 2026-10-21. */
const samplingShape = {
  temperature: z.number().min(0).max(1).optional(),
  top_p: z.number().min(0).max(1).optional(),
  top_k: z.int().min(0).optional(),
};

const countSchema = z.strictObject(inputShape);
const messageSchema = z.strictObject({ ...inputShape, ...outputShape });
const sampledSchema = z.strictObject({ ...inputShape, ...outputShape, ...samplingShape });

type Input = z.infer<typeof countSchema>;
type Message = z.infer<typeof message>;
export type MessageBody = z.infer<typeof messageSchema>;

export const textOf = (content: Message['content'] | Input['system']): string => {
  if (typeof content === 'string') return content;
  const texts = (content ?? []).map((part) => ('text' in part && typeof part.text === 'string' ? part.text : ''));
  return texts.filter((text) => text !== '').join(' ');
};

export const countImages = ({ messages }: Input): number =>
  messages.flatMap(({ content }) => (typeof content === 'string' ? [] : content)).filter(({ type }) => type === 'image')
    .length;

/** What the user said last; lenient, for it is read before anything is validated. */
export const lastPrompt = (body: unknown): string => {
  const messages = z
    .array(z.looseObject({ role: z.string(), content: z.union([z.string(), z.array(z.looseObject({}))]) }))
    .catch([])
    .parse((Object(body) as Record<string, unknown>)['messages']);
  const last = messages.findLast(({ role }) => role === 'user') ?? messages.at(-1);
  return last === undefined ? '' : textOf(last.content as Message['content']);
};

const isEmpty = (content: Message['content']): boolean => content.length === 0;

const blockProblem = (content: Message['content'], path: string): Problem | undefined => {
  if (typeof content === 'string') return undefined;
  for (const [index, part] of content.entries()) {
    if (part.type === 'text' && 'text' in part && part.text === '')
      return invalid(`${path}.${index}: text content blocks must be non-empty`);
    const wrong = part.type === 'image' ? imageProblem(part, `${path}.${index}`) : undefined;
    if (wrong !== undefined) return wrong;
  }
  return undefined;
};

const contentProblem = ({ messages }: Input): Problem | undefined => {
  for (const [index, { role, content }] of messages.entries()) {
    const isFinal = index === messages.length - 1 && role === 'assistant';
    if (isEmpty(content) && !isFinal) {
      return invalid(`messages.${index}: all messages must have non-empty content except for the optional final one`);
    }
    const wrong = blockProblem(content, `messages.${index}.content`);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
};

const turnProblem = ({ messages }: Input, model: ClaudeModel): Problem | undefined => {
  if (messages[0]?.role !== 'user') return invalid('messages: first message must use the "user" role');
  const last = messages.at(-1);
  if (last?.role !== 'assistant') return undefined;
  if (!model.takesPrefill) {
    return invalid(
      'This model does not support assistant message prefill. The conversation must end with a user message.',
    );
  }
  return /\s$/.test(textOf(last.content))
    ? invalid('messages: final assistant content cannot end with trailing whitespace')
    : undefined;
};

const outputProblem = (body: MessageBody, model: ClaudeModel): Problem | undefined => {
  if (body.max_tokens > model.outputTokens) {
    const most = `${body.max_tokens} > ${model.outputTokens}`;
    return invalid(`max_tokens: ${most}, which is the maximum allowed number of output tokens for ${model.id}`);
  }
  const isCramped = body.thinking?.type === 'enabled' && body.thinking.budget_tokens >= body.max_tokens;
  return isCramped ? invalid('`max_tokens` must be greater than `thinking.budget_tokens`') : undefined;
};

const inputProblem = (input: Input, model: ClaudeModel): Problem | undefined =>
  contentProblem(input) ?? turnProblem(input, model) ?? schemaProblem(input.output_config?.format?.schema);

export type Version = '2023-06-01' | '2026-10-21';

type Checked<Body> = { body: Body; model: ClaudeModel };

export const readCount = (value: unknown): Checked<Input> | Problem => {
  const parsed = countSchema.safeParse(value);
  if (!parsed.success) return invalidInput(parsed.error);
  const model = findModel(parsed.data.model);
  if (model === undefined) return notFound(`model: ${parsed.data.model}`);
  return inputProblem(parsed.data, model) ?? { body: parsed.data, model };
};

export const readMessage = (value: unknown, version: Version): Checked<MessageBody> | Problem => {
  const parsed = (version === '2023-06-01' ? sampledSchema : messageSchema).safeParse(value);
  if (!parsed.success) return invalidInput(parsed.error);
  const body: MessageBody = parsed.data;
  const model = findModel(body.model);
  if (model === undefined) return notFound(`model: ${body.model}`);
  return inputProblem(body, model) ?? outputProblem(body, model) ?? { body, model };
};
