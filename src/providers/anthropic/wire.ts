import type Anthropic from '@anthropic-ai/sdk';
import { z } from 'zod';
import type { Model } from '../../domain/model';
import type { Media, ReadyInput } from '../provider';
import { badResponse, readJson, readRetryAfter, refuseByStatus, type Refusal } from '../refusal';
import { toBase64, withoutNulls } from '../request-values';
import type { Answer, Purpose } from '../transport';
import { defaultMaxTokens } from './models';

export { collectMessage, toOutcome } from './message';

export type MessageRequest = Anthropic.MessageCreateParamsNonStreaming;

type Block = Anthropic.ImageBlockParam | Anthropic.TextBlockParam;

const toImageBlock = (image: Media): Block => ({
  type: 'image',
  source: {
    type: 'base64',
    // The catalogue holds images to what the SDK's type lists.
    media_type: image.contentType as Anthropic.Base64ImageSource['media_type'],
    data: toBase64(image),
  },
});

/** The image comes first: Anthropic's advice. An empty text block is refused. */
const toContent = ({ image, prompt }: ReadyInput): Block[] => [
  ...(image === null ? [] : [toImageBlock(image)]),
  ...(prompt === null || prompt === '' ? [] : [{ type: 'text', text: prompt } as const]),
];

const toMessages = (input: ReadyInput): Anthropic.MessageParam[] => {
  const content = toContent(input);
  return [
    ...input.messages.flatMap(({ role, content: text }) => (role === 'system' ? [] : [{ role, content: text }])),
    ...(content.length === 0 ? [] : [{ role: 'user', content } as const]),
  ];
};

/** One place for all of it: system messages between the turns are not for every model. */
const toSystem = ({ system, messages }: ReadyInput): string | null => {
  const texts = [system, ...messages.filter(({ role }) => role === 'system').map(({ content }) => content)];
  const told = texts.filter((text) => text !== null && text !== '');
  return told.length === 0 ? null : told.join('\n\n');
};

/** No trace: `user_id` is for telling one end user from another, and nothing shows it again. */
export const toMessageRequest = (model: Model, input: ReadyInput): MessageRequest =>
  withoutNulls({
    model: model.providerModel,
    max_tokens: input.maxTokens ?? defaultMaxTokens,
    system: toSystem(input),
    messages: toMessages(input),
    output_config: input.schema === null ? null : { format: { type: 'json_schema' as const, schema: input.schema } },
  });

/** @see https://platform.claude.com/docs/en/api/models-list (2026-11-21) */
const modelsSchema = z.object({ data: z.array(z.object({ id: z.string().min(1) })) });

export const checkModels = (body: unknown): void => {
  if (!modelsSchema.safeParse(body).success) throw badResponse('not a list of models');
};

/** @see https://platform.claude.com/docs/en/api/errors (2026-11-21) */
const errorSchema = z.object({
  error: z.object({
    message: z.string().nullish(),
    type: z.string().nullish(),
    details: z.object({ error_code: z.string().nullish() }).nullish(),
  }),
});

type Verdict = Pick<Refusal, 'code' | 'scope'>;

const outOfMoney: Verdict = { code: 'provider_insufficient_funds', scope: 'credential' };
const unauthorized: Verdict = { code: 'provider_auth', scope: 'credential' };
const overloaded: Verdict = { code: 'provider_overloaded', scope: 'provider' };

const verdictsByCode: Record<string, Verdict> = {
  enforced_spend_limit_reached: outOfMoney,
  contract_spend_limit_reached: outOfMoney,
  linked_organization_spend_limit_reached: outOfMoney,
  linked_organization_billing_unavailable: outOfMoney,
  organization_on_hold: unauthorized,
};

const verdictsByType: Record<string, Verdict> = {
  authentication_error: unauthorized,
  billing_error: outOfMoney,
  permission_error: unauthorized,
  overloaded_error: overloaded,
};

/** A used-up balance and a limit one has set come as 400 `invalid_request_error`, a tier's spend cap as 429. */
const moneyWords = /credit balance|usage limits?|spend(ing)? limit/i;
const policyWords = /content filtering policy/i;

type ErrorBody = z.infer<typeof errorSchema>['error'];

const judgeByWords = ({ message }: ErrorBody, status: number): Verdict | undefined => {
  if (status !== 400 && status !== 429) return undefined;
  if (moneyWords.test(message ?? '')) return outOfMoney;
  return policyWords.test(message ?? '') ? { code: 'provider_content_rejected', scope: 'request' } : undefined;
};

const judge = (error: ErrorBody, status: number): Verdict | undefined =>
  verdictsByCode[error.details?.error_code ?? ''] ??
  verdictsByType[error.type ?? ''] ??
  judgeByWords(error, status) ??
  (status === 529 ? overloaded : undefined);

const windows = ['requests', 'tokens', 'input-tokens', 'output-tokens'];

/** Without retry-after, the windows that are used up tell when to come back, by their own clock. */
const readReset = (headers: Record<string, string>, now: number): number | null => {
  const server = Date.parse(headers['date'] ?? '');
  const from = Number.isNaN(server) ? now : server;
  const resets = windows
    .filter((window) => headers[`anthropic-ratelimit-${window}-remaining`] === '0')
    .map((window) => Date.parse(headers[`anthropic-ratelimit-${window}-reset`] ?? ''))
    .filter((reset) => !Number.isNaN(reset));
  return resets.length === 0 ? null : Math.max(0, Math.max(...resets) - from);
};

export const readRefusal = (answer: Answer, purpose: Purpose, now = Date.now()): Refusal => {
  const error: ErrorBody = errorSchema.safeParse(readJson(answer.text)).data?.error ?? {};
  const refusal = refuseByStatus(answer, purpose, { message: error.message ?? null, notAccepted: [503, 529] });
  const verdict = judge(error, answer.status);
  const limited = answer.status === 429 && verdict === undefined;
  return {
    ...refusal,
    ...verdict,
    retryAfterMs: readRetryAfter(answer.headers, now) ?? (limited ? readReset(answer.headers, now) : null),
  };
};
