import type Groq from 'groq-sdk';
import { z } from 'zod';
import { noUsage } from '../../domain/generation';
import type { Model } from '../../domain/model';
import type { Outcome, ReadyInput } from '../provider';
import { badResponse, readJson, refuseByStatus, type Refusal } from '../refusal';
import type { Answer, Purpose } from '../transport';

export { collectChat, toChatOutcome, toChatRequest, type ChatRequest } from './chat';

const firstVoice = ({ voices }: Model['capabilities']): string => (Array.isArray(voices) ? String(voices[0]) : '');

export const toSpeechRequest = (model: Model, input: ReadyInput): Groq.Audio.SpeechCreateParams => ({
  model: model.providerModel,
  input: input.prompt ?? '',
  voice: input.voice ?? firstVoice(model.capabilities),
  response_format: 'wav',
});

export type Spoken = { bytes: Uint8Array; contentType: string | null };

/** Nothing is told of the costs: Groq charges by the characters sent. */
export const toSpeechOutcome = ({ bytes, contentType }: Spoken, input: ReadyInput): Outcome => {
  if (!/^(audio\/|application\/octet-stream)/.test(contentType ?? '')) throw badResponse('not audio');
  if (!/^RIFF....WAVE/s.test(Buffer.from(bytes.subarray(0, 12)).toString('latin1')))
    throw badResponse('not a WAV file');
  return {
    state: 'succeeded',
    outputs: [{ kind: 'bytes', bytes, contentType: 'audio/wav' }],
    usage: { ...noUsage, characters: (input.prompt ?? '').length },
    warnings: [],
  };
};

/** @see https://console.groq.com/docs/api-reference#models-list (2026-11-21) */
const modelsSchema = z.object({ data: z.array(z.object({ id: z.string().min(1) })) });

export const checkModels = (body: unknown): void => {
  if (!modelsSchema.safeParse(body).success) throw badResponse('not a list of models');
};

/** @see https://console.groq.com/docs/errors (2026-11-21) */
const errorSchema = z.object({
  error: z.object({ message: z.string().nullish(), type: z.string().nullish(), code: z.string().nullish() }),
});

type Verdict = Pick<Refusal, 'code' | 'scope'>;

const outOfMoney: Verdict = { code: 'provider_insufficient_funds', scope: 'credential' };
const noSuchModel: Verdict = { code: 'provider_model_not_found', scope: 'model' };
const overloaded: Verdict = { code: 'provider_overloaded', scope: 'provider' };

/**
 * `rate_limit_exceeded` is not among them: as 413 it says that one request alone is over the limit, and waiting never
 * helps. Nor is `json_validate_failed`: the model ran and missed the schema, which is a 400, charged or not; as the
 * caller's fault it goes to the next candidate, while a failure of the provider would be tried again and paid again.
 */
const verdictsByCode: Record<string, Verdict> = {
  // The spend limit: documented, and as it was seen.
  blocked_api_access: outOfMoney,
  insufficient_quota: outOfMoney,
  model_not_found: noSuchModel,
  model_decommissioned: noSuchModel,
  // The owner of the organization has to agree to the model's terms first.
  model_terms_required: { code: 'provider_auth', scope: 'model' },
  invalid_api_key: { code: 'provider_auth', scope: 'credential' },
  capacity_exceeded: overloaded,
  // Groq documents no filter of its own; should OpenAI's code come, it means what it says.
  content_policy_violation: { code: 'provider_content_rejected', scope: 'request' },
};

/** 424: something Groq itself asked failed; 499: cancelled, nobody says how far it had come. */
const verdictsByStatus: Record<number, Verdict> = {
  424: { code: 'provider_server_error', scope: 'provider' },
  498: overloaded,
  499: { code: 'provider_timeout', scope: 'provider' },
};

type ErrorBody = z.infer<typeof errorSchema>['error'];

const judge = ({ code, type }: ErrorBody, status: number): Verdict | undefined =>
  verdictsByCode[code ?? ''] ??
  verdictsByCode[type ?? ''] ??
  ((code ?? '').startsWith('spend_') ? outOfMoney : verdictsByStatus[status]);

const unitMs: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Durations as in `x-ratelimit-reset-tokens: 2m59.56s`. */
export const parseDuration = (text: string): number | null => {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)];
  if (parts.length === 0) return null;
  return Math.ceil(parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (unitMs[unit ?? ''] ?? 0), 0));
};

/** Without retry-after, the window that is used up tells: of requests it is the day, of tokens the minute. */
const readReset = (headers: Record<string, string>): number | null => {
  const resets = ['requests', 'tokens']
    .filter((kind) => headers[`x-ratelimit-remaining-${kind}`] === '0')
    .map((kind) => parseDuration(headers[`x-ratelimit-reset-${kind}`] ?? ''))
    .filter((value) => value !== null);
  return resets.length === 0 ? null : Math.max(...resets);
};

export const readRefusal = (answer: Answer, purpose: Purpose): Refusal => {
  const error: ErrorBody = errorSchema.safeParse(readJson(answer.text)).data?.error ?? {};
  const refusal = refuseByStatus(answer, purpose, { message: error.message ?? null, notAccepted: [498, 503] });
  const verdict = judge(error, answer.status);
  if (verdict !== undefined) return { ...refusal, ...verdict };
  if (answer.status !== 429) return refusal;
  return { ...refusal, retryAfterMs: refusal.retryAfterMs ?? readReset(answer.headers) };
};
