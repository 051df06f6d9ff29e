import { z } from 'zod';
import type { FailureCode } from '../../domain/failure';
import { ProviderError } from '../provider';
import { readJson, refuseByStatus, type Refusal } from '../refusal';
import type { Answer, Purpose } from '../transport';

/** Google's own host, whatever base URL is configured. */
export const defaultBaseUrl = 'https://generativelanguage.googleapis.com';

export const invalid = (message: string): ProviderError =>
  new ProviderError('caller_invalid_request', message, { accepted: 'no', scope: 'request' });

const rejectionPhrase =
  /responsible ai|usage guidelines|prohibited use|violat\w+ (our|the|google)|safety (filter|reason|polic)|blocked (for|due to|by)\b.*\b(safety|polic|content)/i;

/** Where only the words tell. */
export const soundsRejected = (message: string): boolean => rejectionPhrase.test(message);

/** @see https://ai.google.dev/gemini-api/docs/api-errors (2026-11-21): what may block an interaction */
const blockingCodes: readonly string[] = [
  'safety',
  'recitation',
  'language',
  'prohibited_content',
  'spii',
  'blocklist',
  'image_safety',
  'image_prohibited_content',
  'image_recitation',
  'content_blocked',
];

/** The same reasons are written large in a finish reason. */
export const isBlockingCode = (code: string): boolean => blockingCodes.includes(code.toLowerCase());

/** `google.rpc.Status`, or the Interactions API's own two members; the front end wraps either in a list. */
const errorSchema = z.object({
  error: z.object({
    code: z.union([z.number(), z.string()]).nullish(),
    message: z.string().nullish(),
    status: z.string().nullish(),
    details: z
      .array(
        z.object({
          reason: z.string().nullish(),
          retryDelay: z.string().nullish(),
          violations: z.array(z.object({ quotaId: z.string().nullish() })).nullish(),
        }),
      )
      .nullish(),
  }),
});

type Told = {
  /** In small letters: `RESOURCE_EXHAUSTED`, or an interaction's `rate_limit_exceeded`. */
  code: string;
  message: string | null;
  reasons: string[];
  quotaIds: string[];
  retryDelay: string | null;
};

const textOf = (value: number | string | null | undefined): string => (typeof value === 'string' ? value : '');

const readTold = (text: string): Told => {
  const body = readJson(text);
  const { data } = errorSchema.safeParse(Array.isArray(body) ? (body as unknown[])[0] : body);
  const { code, status, message = null, details } = data?.error ?? {};
  const all = details ?? [];
  return {
    code: (status ?? textOf(code)).toLowerCase(),
    message,
    reasons: all.flatMap(({ reason }) => reason ?? []),
    quotaIds: all.flatMap(({ violations }) => violations ?? []).flatMap(({ quotaId }) => quotaId ?? []),
    retryDelay: all.map((detail) => detail.retryDelay).find((delay) => typeof delay === 'string') ?? null,
  };
};

/** Quotas of a day begin anew at midnight in California. */
export const untilQuotaDay = (now = Date.now()): number => {
  const clock = new Intl.DateTimeFormat('en-GB', {
    timeZone: 'America/Los_Angeles',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
  }).format(now);
  const [hours = 0, minutes = 0, seconds = 0] = clock.split(':').map(Number);
  return (24 * 3_600 - (hours * 3_600 + minutes * 60 + seconds)) * 1_000;
};

/** `34.4s`, in the body only; the Interactions API has it in its words. */
const readDelay = ({ retryDelay, message }: Told): number | null => {
  const seconds = Number.parseFloat(retryDelay ?? /retry in ([\d.]+)\s?s/i.exec(message ?? '')?.[1] ?? '');
  return Number.isFinite(seconds) ? Math.ceil(seconds * 1_000) : null;
};

type Verdict = Partial<Pick<Refusal, 'code' | 'accepted' | 'scope' | 'retryAfterMs'>>;

const badKey: Verdict = { code: 'provider_auth', scope: 'credential' };
const noMoney: Verdict = { code: 'provider_insufficient_funds', scope: 'credential' };
const badRequest: Verdict = { code: 'caller_invalid_request', accepted: 'no', scope: 'request' };

/** Codes that mean something else than their status does. */
const verdicts: Record<string, Verdict> = {
  unauthenticated: badKey,
  out_of_range: badRequest,
  already_exists: badRequest,
  aborted: { code: 'provider_overloaded', accepted: 'no', scope: 'provider' },
  cancelled: { code: 'provider_timeout', accepted: 'unknown', scope: 'provider' },
};

const exhausted: readonly string[] = [
  'resource_exhausted',
  'rate_limit_exceeded',
  'quota_exceeded',
  'too_many_requests',
];

/** A bad key is 400 INVALID_ARGUMENT: only the reason below it tells. */
const judgeReason = ({ reasons }: Told): Verdict | undefined => {
  if (reasons.includes('BILLING_DISABLED')) return noMoney;
  return reasons.some((reason) => /^(API_KEY_|CONSUMER_|SERVICE_DISABLED)/.test(reason)) ? badKey : undefined;
};

/** The project's country or billing: another key may do, unless it is our own country. */
const judgePrecondition = (message: string): Verdict => {
  if (/location/i.test(message)) return { code: 'provider_auth', scope: 'provider' };
  return /billing|free tier|\bpaid\b|\bplan\b/i.test(message) ? noMoney : badKey;
};

const judgeExhausted = (told: Told): Verdict => {
  // `limit: 0`: the free tier has none of this model.
  if (/prepay|credits are depleted|spend(ing)? cap|limit: 0\b/i.test(told.message ?? '')) return noMoney;
  const isOfDay = told.code === 'quota_exceeded' || told.quotaIds.some((id) => id.includes('PerDay'));
  const limited: Verdict = { code: 'provider_rate_limited', scope: 'credential' };
  // What Google asks to wait is as short after a day's quota: it would be used up all the same.
  return isOfDay ? { ...limited, retryAfterMs: untilQuotaDay() } : limited;
};

const rejected: Verdict = { code: 'provider_content_rejected', accepted: 'no', scope: 'request' };

const judge = (told: Told, answer: Answer): Verdict => {
  const byReason = judgeReason(told);
  if (byReason !== undefined) return byReason;
  if (told.code === 'failed_precondition') return judgePrecondition(told.message ?? '');
  if (exhausted.includes(told.code)) return judgeExhausted(told);
  const saysSo = answer.status === 400 && soundsRejected(told.message ?? '');
  if (isBlockingCode(told.code) || saysSo) return rejected;
  return verdicts[told.code] ?? {};
};

/** Seen of the live API for an interaction it does not know. */
const isUnknownWork = ({ message }: Told, purpose: Purpose): boolean =>
  purpose !== 'submit' && /invalid interaction name/i.test(message ?? '');

const lost: { code: FailureCode; scope: Refusal['scope'] } = { code: 'provider_result_lost', scope: 'request' };

/** @see https://ai.google.dev/gemini-api/docs/troubleshooting and /api-errors (2026-11-21) */
export const readRefusal = (answer: Answer, purpose: Purpose): Refusal => {
  const told = readTold(answer.text);
  const refusal = refuseByStatus(answer, purpose, { message: told.message, notAccepted: [503] });
  if (isUnknownWork(told, purpose)) return { ...refusal, ...lost };
  return { ...refusal, retryAfterMs: refusal.retryAfterMs ?? readDelay(told), ...judge(told, answer) };
};
