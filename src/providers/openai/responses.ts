import type OpenAI from 'openai';
import { z } from 'zod';
import type { FailureCode } from '../../domain/failure';
import { noUsage, type Usage } from '../../domain/generation';
import type { Model } from '../../domain/model';
import type { Cancellation, Outcome, ReadyInput } from '../provider';
import { badResponse } from '../refusal';
import { toDataUri, withoutNulls } from '../request-values';
import { scrub } from '../scrub';

type ResponseRequest = Omit<OpenAI.Responses.ResponseCreateParams, 'stream'>;
type Item = OpenAI.Responses.ResponseInputItem;

const toUserItem = (input: ReadyInput): Item[] => {
  const images = [...(input.image === null ? [] : [input.image]), ...input.referenceImages];
  if (input.prompt === null && images.length === 0) return [];
  const text = input.prompt === null ? [] : [{ type: 'input_text', text: input.prompt } as const];
  const pictures = images.map(
    (media) => ({ type: 'input_image', image_url: toDataUri(media), detail: 'auto' }) as const,
  );
  return [{ role: 'user', content: [...text, ...pictures] }];
};

/** `strict`: a schema OpenAI cannot hold itself to is refused there, instead of answered with something else. */
const toFormat = (schema: Record<string, unknown>) => ({
  format: { type: 'json_schema', name: 'answer', schema, strict: true } as const,
});

/**
 * In the background the work has a handle and outlives the connection; OpenAI then has to store it, and so can also
 * show our trace. Otherwise nothing is stored.
 */
const toKeeping = (isBackground: boolean, trace: string) =>
  isBackground ? ({ background: true, metadata: { trace } } as const) : ({ store: false } as const);

export const toResponseRequest = (
  model: Model,
  input: ReadyInput,
  { isBackground, trace }: { isBackground: boolean; trace: string },
): ResponseRequest => ({
  ...withoutNulls({
    model: model.providerModel,
    instructions: input.system,
    max_output_tokens: input.maxTokens,
    temperature: input.temperature,
    text: input.schema === null ? null : toFormat(input.schema),
  }),
  input: [...input.messages, ...toUserItem(input)],
  ...toKeeping(isBackground, trace),
});

const partSchema = z.object({ type: z.string(), text: z.string().nullish() });
type Part = z.infer<typeof partSchema>;

/** @see openai 6.49.0, Response (2026-11-21) */
const responseSchema = z.object({
  id: z.string().min(1),
  status: z.enum(['queued', 'in_progress', 'completed', 'incomplete', 'failed', 'cancelled']),
  output: z.array(z.object({ type: z.string(), content: z.array(partSchema).nullish() })).nullish(),
  incomplete_details: z.object({ reason: z.string().nullish() }).nullish(),
  error: z.object({ code: z.string().nullish(), message: z.string().nullish() }).nullish(),
  usage: z.object({ input_tokens: z.number(), output_tokens: z.number() }).nullish(),
});

type Reply = z.infer<typeof responseSchema>;

/** The model's refusal is its answer to the prompt and may quote it: the row gets our words. */
const refused: Outcome = {
  state: 'failed',
  code: 'provider_content_rejected',
  message: 'the model refused to answer',
};

const toUsage = ({ usage }: Reply): Usage => ({
  ...noUsage,
  inputTokens: usage?.input_tokens ?? null,
  outputTokens: usage?.output_tokens ?? null,
});

const isRefusal = ({ status, incomplete_details: details }: Reply, parts: Part[]): boolean =>
  (status === 'incomplete' && details?.reason === 'content_filter') || parts.some(({ type }) => type === 'refusal');

/** `incomplete` for any other reason than content: the limit of tokens. */
const toText = (reply: Reply): Outcome => {
  const parts = (reply.output ?? []).filter(({ type }) => type === 'message').flatMap(({ content }) => content ?? []);
  if (isRefusal(reply, parts)) return refused;
  const cut = reply.status === 'incomplete';
  const text = parts.map((part) => (part.type === 'output_text' ? (part.text ?? '') : '')).join('');
  if (text === '' && !cut) throw badResponse('a response without text');
  const warnings = cut ? ['the text was cut at the token limit'] : [];
  return { state: 'succeeded', outputs: [{ kind: 'text', text }], usage: toUsage(reply), warnings };
};

/** @see openai 6.49.0, ResponseError (2026-11-21) */
const toFailureCode = (code: string): FailureCode => {
  if (/^(invalid_prompt|bio_policy|image_content_policy_violation)$/.test(code)) return 'provider_content_rejected';
  return /image|base64/.test(code) ? 'caller_invalid_request' : 'provider_failed';
};

const toFailure = ({ error }: Reply): Outcome => ({
  state: 'failed',
  code: toFailureCode(error?.code ?? ''),
  message: scrub(error?.message ?? 'the provider gave no reason'),
});

const parse = (body: unknown): Reply => {
  const parsed = responseSchema.safeParse(body);
  if (!parsed.success) throw badResponse('not a response');
  return parsed.data;
};

/** The answer of a submit and of a look are the same. */
export const toResponseOutcome = (body: unknown): Outcome => {
  const reply = parse(body);
  switch (reply.status) {
    case 'queued':
    case 'in_progress':
      return { state: 'pending', operation: { id: reply.id } };
    case 'completed':
    case 'incomplete':
      return toText(reply);
    case 'cancelled':
      return { state: 'canceled' };
    case 'failed':
      return toFailure(reply);
  }
};

export const toResponseCancellation = (body: unknown): Cancellation => {
  const { status } = parse(body);
  if (status === 'cancelled') return 'confirmed';
  return status === 'queued' || status === 'in_progress' ? 'requested' : 'too_late';
};

/** @see https://platform.openai.com/docs/api-reference/responses-streaming (2026-11-21) */
const eventSchema = z.object({ type: z.string(), delta: z.string().nullish(), response: z.unknown().optional() });

const endings: readonly string[] = ['response.completed', 'response.incomplete', 'response.failed'];

/** The last event holds the whole answer; a stream that ends without it was cut, whatever HTTP says. */
export const collectResponse = async (
  events: AsyncIterable<unknown>,
  onText: (delta: string) => void,
): Promise<Outcome> => {
  let ending: unknown;
  for await (const event of events) {
    const parsed = eventSchema.safeParse(event);
    if (!parsed.success) throw badResponse('not an event of a response');
    const { type, delta, response } = parsed.data;
    if (type === 'response.output_text.delta' && delta) onText(delta);
    if (endings.includes(type)) ending = response;
  }
  if (ending === undefined) throw badResponse('the stream ended before the text did');
  return toResponseOutcome(ending);
};
