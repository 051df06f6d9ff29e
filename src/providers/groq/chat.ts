import type {
  ChatCompletionCreateParamsNonStreaming,
  ChatCompletionMessageParam,
} from 'groq-sdk/resources/chat/completions';
import { z } from 'zod';
import { noUsage, type Usage } from '../../domain/generation';
import type { Model } from '../../domain/model';
import type { Outcome, ReadyInput } from '../provider';
import { badResponse } from '../refusal';
import { toDataUri, withoutNulls } from '../request-values';

export type ChatRequest = ChatCompletionCreateParamsNonStreaming;
type ChatMessage = ChatCompletionMessageParam;

const toUserMessage = ({ prompt, image }: ReadyInput): ChatMessage[] => {
  const text = prompt ?? '';
  if (image === null) return text === '' ? [] : [{ role: 'user', content: text }];
  const picture = { type: 'image_url', image_url: { url: toDataUri(image) } } as const;
  return [{ role: 'user', content: text === '' ? [picture] : [{ type: 'text', text }, picture] }];
};

const toMessages = (input: ReadyInput): ChatMessage[] => [
  ...(input.system === null ? [] : [{ role: 'system', content: input.system } as const]),
  ...input.messages,
  ...toUserMessage(input),
];

/** `strict` holds the model to the schema; a schema it cannot be held to is refused. */
const toResponseFormat = (schema: Record<string, unknown>): NonNullable<ChatRequest['response_format']> => ({
  type: 'json_schema',
  json_schema: { name: 'answer', schema, strict: true },
});

/** No trace: `user` is for telling one end user from another, and `metadata` is not supported. */
export const toChatRequest = (model: Model, input: ReadyInput): ChatRequest =>
  withoutNulls({
    model: model.providerModel,
    messages: toMessages(input),
    max_completion_tokens: input.maxTokens,
    temperature: input.temperature,
    seed: input.seed,
    response_format: input.schema === null ? null : toResponseFormat(input.schema),
    reasoning_format: model.api === 'thinking-chat' ? ('hidden' as const) : null,
  });

const usageSchema = z.object({ prompt_tokens: z.number(), completion_tokens: z.number() }).nullish();

/** @see https://console.groq.com/docs/api-reference#chat-create (2026-11-21) */
const completionSchema = z.object({
  choices: z
    .array(z.object({ message: z.object({ content: z.string().nullish() }), finish_reason: z.string().nullish() }))
    .min(1),
  usage: usageSchema,
});

/** The usage of a stream stands in `x_groq` of its last piece. @see https://console.groq.com/docs/text-chat#streaming (2026-11-21) */
const chunkSchema = z.object({
  choices: z.array(
    z.object({ delta: z.object({ content: z.string().nullish() }).nullish(), finish_reason: z.string().nullish() }),
  ),
  usage: usageSchema,
  x_groq: z.object({ error: z.string().nullish(), usage: usageSchema }).nullish(),
});

type Completion = { content: string; finishReason: string | null; usage: z.infer<typeof usageSchema> };

const toUsage = (usage: Completion['usage']): Usage => ({
  ...noUsage,
  inputTokens: usage?.prompt_tokens ?? null,
  outputTokens: usage?.completion_tokens ?? null,
});

/** Thinking counts as well, so the limit may come before the first word. */
const toOutcome = ({ content, finishReason, usage }: Completion): Outcome => {
  const cut = finishReason === 'length';
  if (content === '' && !cut) throw badResponse('a completion without content');
  return {
    state: 'succeeded',
    outputs: [{ kind: 'text', text: content }],
    usage: toUsage(usage),
    warnings: cut ? ['the text was cut at the token limit'] : [],
  };
};

export const toChatOutcome = (body: unknown): Outcome => {
  const parsed = completionSchema.safeParse(body).data;
  const choice = parsed?.choices[0];
  if (choice === undefined) throw badResponse('not a completion');
  return toOutcome({
    content: choice.message.content ?? '',
    finishReason: choice.finish_reason ?? null,
    usage: parsed?.usage,
  });
};

const readPiece = (chunk: unknown): z.infer<typeof chunkSchema> => {
  const parsed = chunkSchema.safeParse(chunk);
  if (!parsed.success) throw badResponse('not a piece of a completion');
  // Why a stream was stopped early; the words may quote anything.
  if (typeof parsed.data.x_groq?.error === 'string') throw badResponse('the stream was stopped early');
  return parsed.data;
};

const append = (completion: Completion, chunk: unknown): Completion => {
  const { choices, usage, x_groq: extra } = readPiece(chunk);
  const [choice] = choices;
  return {
    content: completion.content + (choice?.delta?.content ?? ''),
    finishReason: choice?.finish_reason ?? completion.finishReason,
    usage: extra?.usage ?? usage ?? completion.usage,
  };
};

/** Puts the pieces together. A stream that ends without a finish reason was cut, whatever HTTP says. */
export const collectChat = async (
  chunks: AsyncIterable<unknown>,
  onText: (delta: string) => void,
): Promise<Outcome> => {
  let completion: Completion = { content: '', finishReason: null, usage: null };
  for await (const chunk of chunks) {
    const next = append(completion, chunk);
    if (next.content !== completion.content) onText(next.content.slice(completion.content.length));
    completion = next;
  }
  if (completion.finishReason === null) throw badResponse('the stream ended before the text did');
  return toOutcome(completion);
};
