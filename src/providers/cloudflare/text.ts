import { z } from 'zod';
import { usualTextLength } from '../../domain/adapted-input';
import { noUsage } from '../../domain/generation';
import type { Model } from '../../domain/model';
import type { Outcome, ReadyInput } from '../provider';
import { badResponse, readJson } from '../refusal';
import { withoutNulls } from '../request-values';
import { readResult } from './envelope';

export type TextRequest = Record<string, unknown>;

const maxTokensOf = (model: Model, input: ReadyInput): number =>
  input.maxTokens ?? model.capabilities.maxTokens?.default ?? usualTextLength;

const toMessages = ({ system, messages, prompt }: ReadyInput): { role: string; content: string }[] => [
  ...(system === null ? [] : [{ role: 'system', content: system }]),
  ...messages,
  ...(prompt === null || prompt === '' ? [] : [{ role: 'user', content: prompt }]),
];

export const toTextRequest = (model: Model, input: ReadyInput): TextRequest =>
  withoutNulls({
    messages: toMessages(input),
    max_tokens: maxTokensOf(model, input),
    temperature: input.temperature,
    seed: input.seed,
    response_format: input.schema === null ? null : { type: 'json_schema', json_schema: input.schema },
  });

const usageSchema = z
  .object({ prompt_tokens: z.number().nullish(), completion_tokens: z.number().nullish() })
  .nullish();

/**
 * Two forms: Workers AI's own `response`, which in JSON mode is an object and not a text, and OpenAI's `choices` of the
 * newer models. @see https://developers.cloudflare.com/workers-ai/models/ (2026-11-21)
 */
const resultSchema = z.object({
  response: z.union([z.string(), z.record(z.string(), z.unknown()), z.array(z.unknown())]).nullish(),
  choices: z
    .array(
      z.object({
        message: z.object({ content: z.string().nullish() }).nullish(),
        delta: z.object({ content: z.string().nullish() }).nullish(),
        finish_reason: z.string().nullish(),
      }),
    )
    .nullish(),
  usage: usageSchema,
});

type Result = z.infer<typeof resultSchema>;

type Answered = { text: string; finishReason: string | null; usage: Result['usage'] };

const choiceText = (choices: Result['choices']): string => {
  const choice = choices?.[0];
  return choice?.message?.content ?? choice?.delta?.content ?? '';
};

const textOf = ({ response, choices }: Result): string => {
  if (typeof response === 'string') return response;
  return response === null || response === undefined ? choiceText(choices) : JSON.stringify(response);
};

const readAnswered = (result: unknown): Answered => {
  const parsed = resultSchema.safeParse(result);
  if (!parsed.success) throw badResponse('not a text');
  const finishReason = parsed.data.choices?.[0]?.finish_reason ?? null;
  return { text: textOf(parsed.data), finishReason, usage: parsed.data.usage };
};

/** The form without `choices` does not say why it ended; as many tokens as were allowed are a cut. */
const isCut = ({ finishReason, usage }: Answered, maxTokens: number): boolean =>
  finishReason === 'length' || (usage?.completion_tokens ?? 0) >= maxTokens;

const toOutcome = (answered: Answered, maxTokens: number): Outcome => {
  const { text, usage } = answered;
  const cut = isCut(answered, maxTokens);
  if (text === '' && !cut) throw badResponse('an answer without text');
  return {
    state: 'succeeded',
    outputs: [{ kind: 'text', text }],
    usage: { ...noUsage, inputTokens: usage?.prompt_tokens ?? null, outputTokens: usage?.completion_tokens ?? null },
    warnings: cut ? ['the text was cut at the token limit'] : [],
  };
};

export const toTextOutcome = (body: unknown, model: Model, input: ReadyInput): Outcome =>
  toOutcome(readAnswered(readResult(body)), maxTokensOf(model, input));

/** The `data:` lines of an event stream; their SDK reads none. */
async function* readEvents(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split(/\r?\n/);
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.startsWith('data:')) yield line.slice('data:'.length).trim();
  }
}

const lastEvent = '[DONE]';

export type Listening = { model: Model; input: ReadyInput; onText: (delta: string) => void };

/** Puts the pieces together. A stream without its last event was cut, whatever HTTP says. */
export const collectText = async (
  chunks: AsyncIterable<Uint8Array>,
  { model, input, onText }: Listening,
): Promise<Outcome> => {
  let answered: Answered = { text: '', finishReason: null, usage: null };
  let ended = false;
  for await (const event of readEvents(chunks)) {
    // To the end all the same: what is left unread counts as an exchange that broke.
    ended ||= event === lastEvent;
    if (ended) continue;
    const piece = readAnswered(readJson(event));
    if (piece.text !== '') onText(piece.text);
    answered = {
      text: answered.text + piece.text,
      finishReason: piece.finishReason ?? answered.finishReason,
      usage: piece.usage ?? answered.usage,
    };
  }
  if (!ended) throw badResponse('the stream ended before the text did');
  return toOutcome(answered, maxTokensOf(model, input));
};
