import { z } from 'zod';
import { noUsage } from '../../domain/generation';
import type { Outcome } from '../provider';
import { badResponse } from '../refusal';

const usageSchema = z.object({ input_tokens: z.number().nullish(), output_tokens: z.number().nullish() });

const blockSchema = z.object({ type: z.string().nullish(), text: z.string().nullish() });

/** @see https://platform.claude.com/docs/en/api/messages (2026-11-21) */
const messageSchema = z.object({
  content: z.array(blockSchema),
  stop_reason: z.string(),
  usage: usageSchema.nullish(),
});

/** Types may be added; one schema for what counts in any. @see https://platform.claude.com/docs/en/build-with-claude/streaming (2026-11-21) */
const eventSchema = z.object({
  type: z.string(),
  message: z.object({ usage: usageSchema.nullish() }).nullish(),
  content_block: blockSchema.nullish(),
  delta: blockSchema.extend({ stop_reason: z.string().nullish() }).nullish(),
  usage: usageSchema.nullish(),
});

type Event = z.infer<typeof eventSchema>;

type Message = {
  text: string;
  stopReason: string | null;
  inputTokens: number | null;
  outputTokens: number | null;
  ended: boolean;
};

const textOf = (block: z.infer<typeof blockSchema> | null | undefined, type: string): string =>
  block?.type === type ? (block.text ?? '') : '';

/** The model's refusal may quote the prompt: the row gets our words. */
const toEnd = ({ text, stopReason, inputTokens, outputTokens }: Omit<Message, 'ended'>): Outcome => {
  if (stopReason === 'refusal')
    return { state: 'failed', code: 'provider_content_rejected', message: 'the model refused to answer' };
  if (stopReason === 'model_context_window_exceeded')
    return { state: 'failed', code: 'caller_invalid_request', message: 'the text does not fit the context window' };
  // Thinking counts as well, so the limit may come before the first word.
  const cut = stopReason === 'max_tokens';
  if (text === '' && !cut) throw badResponse('a message without text');
  return {
    state: 'succeeded',
    outputs: [{ kind: 'text', text }],
    usage: { ...noUsage, inputTokens, outputTokens },
    warnings: cut ? ['the text was cut at the token limit'] : [],
  };
};

export const toOutcome = (body: unknown): Outcome => {
  const parsed = messageSchema.safeParse(body);
  if (!parsed.success) throw badResponse('not a message');
  const { content, stop_reason: stopReason, usage } = parsed.data;
  return toEnd({
    text: content.map((block) => textOf(block, 'text')).join(''),
    stopReason,
    inputTokens: usage?.input_tokens ?? null,
    outputTokens: usage?.output_tokens ?? null,
  });
};

/** `message_start` counts the input, `message_delta` the whole so far. */
const append = (message: Message, event: Event): Message => {
  const usage = event.usage ?? event.message?.usage;
  return {
    text: message.text + textOf(event.content_block, 'text') + textOf(event.delta, 'text_delta'),
    stopReason: event.delta?.stop_reason ?? message.stopReason,
    inputTokens: usage?.input_tokens ?? message.inputTokens,
    outputTokens: usage?.output_tokens ?? message.outputTokens,
    ended: message.ended || event.type === 'message_stop',
  };
};

/** Puts the events together. A stream without its last event was cut, whatever HTTP says. */
export const collectMessage = async (
  events: AsyncIterable<unknown>,
  onText: (delta: string) => void,
): Promise<Outcome> => {
  let message: Message = { text: '', stopReason: null, inputTokens: null, outputTokens: null, ended: false };
  for await (const event of events) {
    const parsed = eventSchema.safeParse(event);
    if (!parsed.success) throw badResponse('not an event of a message');
    const next = append(message, parsed.data);
    if (next.text !== message.text) onText(next.text.slice(message.text.length));
    message = next;
  }
  if (!message.ended || message.stopReason === null) throw badResponse('the stream ended before the message did');
  return toEnd(message);
};
