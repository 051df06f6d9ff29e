import { z } from 'zod';
import { badResponse, readJson, refuseByStatus, type Refusal } from '../refusal';
import type { Answer, Purpose } from '../transport';

/** @see https://platform.openai.com/docs/api-reference/models/object (2026-11-21) */
const modelSchema = z.object({ id: z.string().min(1) });

export const checkModel = (body: unknown): void => {
  if (!modelSchema.safeParse(body).success) throw badResponse('not a model');
};

/** @see https://platform.openai.com/docs/guides/error-codes (2026-11-21) */
const errorSchema = z.object({
  error: z.object({ message: z.string().nullish(), type: z.string().nullish(), code: z.string().nullish() }),
});

type Verdict = Pick<Refusal, 'code' | 'scope'>;

const outOfMoney: Verdict = { code: 'provider_insufficient_funds', scope: 'credential' };
const contentRejected: Verdict = { code: 'provider_content_rejected', scope: 'request' };

/** The code counts before the status: `insufficient_quota` comes as 429 and is money, not rate. */
const verdicts: Record<string, Verdict> = {
  insufficient_quota: outOfMoney,
  billing_hard_limit_reached: outOfMoney,
  billing_not_active: outOfMoney,
  moderation_blocked: contentRejected,
  content_policy_violation: contentRejected,
  content_filter: contentRejected,
  model_not_found: { code: 'provider_model_not_found', scope: 'model' },
  invalid_api_key: { code: 'provider_auth', scope: 'credential' },
};

const unitMs: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Go's durations, as in `x-ratelimit-reset-requests: 6m0s` or `120ms`. */
export const parseGoDuration = (text: string): number | null => {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.length === 0) return null;
  return Math.ceil(parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (unitMs[unit ?? ''] ?? 0), 0));
};

/** Without retry-after, the window that is used up tells when to come back. */
const readReset = (headers: Record<string, string>): number | null => {
  const resets = ['requests', 'tokens']
    .filter((kind) => headers[`x-ratelimit-remaining-${kind}`] === '0')
    .map((kind) => parseGoDuration(headers[`x-ratelimit-reset-${kind}`] ?? ''))
    .filter((value) => value !== null);
  return resets.length === 0 ? null : Math.max(...resets);
};

type ErrorBody = z.infer<typeof errorSchema>['error'];

const judge = ({ code, type }: ErrorBody): Verdict | undefined => verdicts[code ?? ''] ?? verdicts[type ?? ''];

export const readRefusal = (answer: Answer, purpose: Purpose): Refusal => {
  const error: ErrorBody = errorSchema.safeParse(readJson(answer.text)).data?.error ?? {};
  const refusal = refuseByStatus(answer, purpose, { message: error.message ?? null, notAccepted: [503] });
  const verdict = judge(error);
  if (verdict !== undefined) return { ...refusal, ...verdict };
  if (answer.status !== 429) return refusal;
  return { ...refusal, retryAfterMs: refusal.retryAfterMs ?? readReset(answer.headers) };
};
