import type OpenAI from 'openai';
import { z } from 'zod';
import { noUsage } from '../../domain/generation';
import type { Model } from '../../domain/model';
import type { Operation, Outcome, ReadyInput } from '../provider';
import { badResponse } from '../refusal';
import { toDataUri, withoutNulls } from '../request-values';

type ChatRequest = OpenAI.Chat.ChatCompletionCreateParamsNonStreaming;
type ChatMessage = OpenAI.Chat.ChatCompletionMessageParam;

const toUserMessage = (input: ReadyInput): ChatMessage[] => {
  const images = [...(input.image === null ? [] : [input.image]), ...input.referenceImages];
  if (images.length === 0) return input.prompt === null ? [] : [{ role: 'user', content: input.prompt }];
  const text = input.prompt === null || input.prompt === '' ? [] : [{ type: 'text', text: input.prompt } as const];
  const pictures = images.map((media) => ({ type: 'image_url', image_url: { url: toDataUri(media) } }) as const);
  return [{ role: 'user', content: [...text, ...pictures] }];
};

const toMessages = (input: ReadyInput): ChatMessage[] => [
  ...(input.system === null ? [] : [{ role: 'system', content: input.system } as const]),
  ...input.messages,
  ...toUserMessage(input),
];

/** `strict`: a schema OpenAI cannot hold itself to is refused there, instead of answered with something else. */
const toResponseFormat = (schema: Record<string, unknown>): NonNullable<ChatRequest['response_format']> => ({
  type: 'json_schema',
  json_schema: { name: 'answer', schema, strict: true },
});

/** OpenAI takes metadata only together with `store`, which keeps the caller's text there. */
const toKeeping = (trace: string | null) => (trace === null ? {} : ({ store: true, metadata: { trace } } as const));

/** With a trace the completion is kept at OpenAI, to be found by it. */
export const toChatRequest = (model: Model, input: ReadyInput, trace: string | null): ChatRequest => ({
  ...withoutNulls({
    model: model.providerModel,
    messages: toMessages(input),
    max_completion_tokens: input.maxTokens,
    temperature: input.temperature,
    seed: input.seed,
    response_format: input.schema === null ? null : toResponseFormat(input.schema),
  }),
  ...toKeeping(trace),
});

/** The model is left out: a completion is kept under the name of the snapshot that wrote it. */
export const toChatSearch = (trace: string): OpenAI.Chat.ChatCompletionListParams => ({
  metadata: { trace },
  order: 'desc',
  limit: 1,
});

/** @see https://platform.openai.com/docs/api-reference/chat/list (2026-11-21), as the SDK hands it over */
const listSchema = z.object({ data: z.array(z.object({ id: z.string().min(1) })) });

export const toFoundChat = (body: unknown): Operation | null => {
  const parsed = listSchema.safeParse(body);
  if (!parsed.success) throw badResponse('not a list of completions');
  const [completion] = parsed.data.data;
  return completion === undefined ? null : { id: completion.id };
};

const usageSchema = z.object({ prompt_tokens: z.number(), completion_tokens: z.number() }).nullish();

/** @see https://platform.openai.com/docs/api-reference/chat/object (2026-11-21) */
const completionSchema = z.object({
  choices: z
    .array(
      z.object({
        message: z.object({ content: z.string().nullish(), refusal: z.string().nullish() }),
        finish_reason: z.string().nullish(),
      }),
    )
    .min(1),
  usage: usageSchema,
});

/** @see https://platform.openai.com/docs/api-reference/chat-streaming/streaming (2026-11-21) */
const chunkSchema = z.object({
  choices: z.array(
    z.object({
      delta: z.object({ content: z.string().nullish(), refusal: z.string().nullish() }).nullish(),
      finish_reason: z.string().nullish(),
    }),
  ),
  usage: usageSchema,
});

type Completion = {
  content: string;
  refusal: string;
  finishReason: string | null;
  usage: z.infer<typeof usageSchema>;
};

/** The model's refusal is its answer to the prompt and may quote it: the row gets our words. */
const toOutcome = ({ content, refusal, finishReason, usage }: Completion): Outcome => {
  if (refusal !== '' || finishReason === 'content_filter')
    return { state: 'failed', code: 'provider_content_rejected', message: 'the model refused to answer' };
  const cut = finishReason === 'length';
  if (content === '' && !cut) throw badResponse('a completion without content');
  return {
    state: 'succeeded',
    outputs: [{ kind: 'text', text: content }],
    usage: { ...noUsage, inputTokens: usage?.prompt_tokens ?? null, outputTokens: usage?.completion_tokens ?? null },
    warnings: cut ? ['the text was cut at the token limit'] : [],
  };
};

export const toChatOutcome = (body: unknown): Outcome => {
  const choice = completionSchema.safeParse(body).data?.choices[0];
  if (choice === undefined) throw badResponse('not a completion');
  return toOutcome({
    content: choice.message.content ?? '',
    refusal: choice.message.refusal ?? '',
    finishReason: choice.finish_reason ?? null,
    usage: completionSchema.parse(body).usage,
  });
};

const append = (completion: Completion, chunk: unknown): Completion => {
  const parsed = chunkSchema.safeParse(chunk);
  if (!parsed.success) throw badResponse('not a piece of a completion');
  const { choices, usage } = parsed.data;
  const [choice] = choices;
  const { content = '', refusal = '' } = withoutNulls({ ...choice?.delta });
  return {
    content: completion.content + content,
    refusal: completion.refusal + refusal,
    finishReason: choice?.finish_reason ?? completion.finishReason,
    usage: usage ?? completion.usage,
  };
};

/** Puts the pieces together. A stream that ends without a finish reason was cut, whatever HTTP says. */
export const collectChat = async (
  chunks: AsyncIterable<unknown>,
  onText: (delta: string) => void,
): Promise<Outcome> => {
  let completion: Completion = { content: '', refusal: '', finishReason: null, usage: null };
  for await (const chunk of chunks) {
    const next = append(completion, chunk);
    if (next.content !== completion.content) onText(next.content.slice(completion.content.length));
    completion = next;
  }
  if (completion.finishReason === null) throw badResponse('the stream ended before the text did');
  return toOutcome(completion);
};
