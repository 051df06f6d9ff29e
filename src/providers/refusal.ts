import type { FailureCode } from '../domain/failure';
import { ProviderError, type Call } from './provider';
import { scrub } from './scrub';
import type { Answer, Line, Purpose, TransportError } from './transport';

/** What an adapter makes of an answer that is not a result. `message` need not be scrubbed yet. */
export type Refusal = {
  code: FailureCode;
  accepted: 'no' | 'unknown';
  scope: ProviderError['scope'];
  message: string;
  retryAfterMs?: number | null;
};

/** One conversation with a provider through its SDK. `hidden`: what its messages must not repeat. */
export type Conversation = {
  call: Call;
  line: Line;
  purpose: Purpose;
  hidden?: readonly (string | null)[];
  readRefusal: (answer: Answer, purpose: Purpose) => Refusal;
};

/**
 * A 2xx without what was agreed. On a submit the work may be running and charged for all that.
 * Said by adapters after their schema check, and of every answer an SDK chokes on.
 */
export const badResponse = (detail: string, httpStatus: number | null = null): ProviderError =>
  new ProviderError('provider_bad_response', `The provider's answer is not what it documents: ${detail}`, {
    accepted: 'unknown',
    scope: 'provider',
    httpStatus,
  });

const fromFailure = (failure: TransportError): ProviderError => {
  const code: FailureCode =
    failure.reason === 'deadline' || failure.reason === 'aborted'
      ? 'provider_timeout'
      : failure.reason === 'too_large'
        ? 'provider_bad_response'
        : 'provider_server_error';
  const accepted = failure.sent === 'not_sent' ? 'no' : 'unknown';
  return new ProviderError(code, `No answer from the provider: ${failure.message}`, { accepted, scope: 'provider' });
};

const fromRefusal = (refusal: Refusal, answer: Answer, conversation: Conversation): ProviderError =>
  new ProviderError(
    refusal.code,
    scrub(refusal.message, [conversation.call.credential.secret, ...(conversation.hidden ?? [])]),
    {
      accepted: refusal.accepted,
      scope: refusal.scope,
      retryAfterMs: refusal.retryAfterMs ?? null,
      httpStatus: answer.status,
    },
  );

/**
 * SDKs wrap, retype or swallow what happened on the wire, each in its own way; the line remembers it. The SDK's error
 * only counts where the wire was fine, and is then its complaint about a body: never shown, it may quote anything.
 */
const classify = (error: unknown, conversation: Conversation): ProviderError => {
  if (error instanceof ProviderError) return error;
  const failure = conversation.line.failure();
  if (failure !== null) return fromFailure(failure);
  const answer = conversation.line.answer();
  if (answer === null) {
    // Nothing went out: the SDK refused its arguments.
    const message = 'the request could not be built';
    return new ProviderError('system_internal', message, { accepted: 'no', scope: 'request', cause: error });
  }
  if (answer.status < 300) return badResponse('the body could not be read', answer.status);
  return fromRefusal(conversation.readRefusal(answer, conversation.purpose), answer, conversation);
};

/** Runs the SDK call and translates whatever comes of it into a ProviderError. */
export const converse = async <Result>(conversation: Conversation, talk: () => Promise<Result>): Promise<Result> => {
  try {
    return await talk();
  } catch (error) {
    throw classify(error, conversation);
  }
};

/** Seconds, milliseconds or an HTTP date. */
export const readRetryAfter = (headers: Record<string, string>, now = Date.now()): number | null => {
  const exact = Number(headers['retry-after-ms'] ?? Number.NaN);
  if (Number.isFinite(exact)) return Math.max(0, exact);
  const text = headers['retry-after'];
  if (text === undefined) return null;
  const seconds = Number(text);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const date = Date.parse(text);
  return Number.isNaN(date) ? null : Math.max(0, date - now);
};

export const readJson = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
};

type Verdict = Pick<Refusal, 'code' | 'accepted' | 'scope'>;

const verdicts: Record<number, Verdict> = {
  400: { code: 'caller_invalid_request', accepted: 'no', scope: 'request' },
  401: { code: 'provider_auth', accepted: 'no', scope: 'credential' },
  402: { code: 'provider_insufficient_funds', accepted: 'no', scope: 'credential' },
  403: { code: 'provider_auth', accepted: 'no', scope: 'credential' },
  404: { code: 'provider_model_not_found', accepted: 'no', scope: 'model' },
  405: { code: 'caller_invalid_request', accepted: 'no', scope: 'request' },
  408: { code: 'provider_timeout', accepted: 'unknown', scope: 'provider' },
  413: { code: 'caller_invalid_request', accepted: 'no', scope: 'request' },
  415: { code: 'caller_invalid_request', accepted: 'no', scope: 'request' },
  422: { code: 'caller_invalid_request', accepted: 'no', scope: 'request' },
  429: { code: 'provider_rate_limited', accepted: 'no', scope: 'credential' },
  503: { code: 'provider_overloaded', accepted: 'unknown', scope: 'provider' },
  504: { code: 'provider_timeout', accepted: 'unknown', scope: 'provider' },
};

/** Where a 404 speaks of accepted work. */
const aboutWork: readonly Purpose[] = ['check', 'cancel', 'find'];

const verdictOn = (status: number, purpose: Purpose): Verdict => {
  if (status === 404 && aboutWork.includes(purpose))
    return { code: 'provider_result_lost', accepted: 'no', scope: 'request' };
  const verdict = verdicts[status];
  if (verdict !== undefined) return verdict;
  const code = status >= 500 ? 'provider_server_error' : 'provider_bad_response';
  return { code, accepted: 'unknown', scope: 'provider' };
};

/**
 * What a status means where the body does not say more; adapters put their own codes first. Of the 5xx only those in
 * `notAccepted` (documented by the provider) are certain not to have started paid work.
 */
export const refuseByStatus = (
  answer: Answer,
  purpose: Purpose,
  told: { message: string | null; notAccepted?: readonly number[] },
): Refusal => {
  const verdict = verdictOn(answer.status, purpose);
  const accepted = told.notAccepted?.includes(answer.status) === true ? 'no' : verdict.accepted;
  const message = told.message ?? `HTTP ${answer.status} without a readable error`;
  return { ...verdict, accepted, message, retryAfterMs: readRetryAfter(answer.headers) };
};
