import { jsonAnswer, textAnswer, type Answer } from '../answer';
import type { Call, EmulatedProvider, Failure } from '../provider';

const type = (name: string): string => `type.googleapis.com/google.rpc.${name}`;

type Detail = { '@type': string } & Record<string, unknown>;

/** google.rpc codes by the HTTP status they travel with. */
const statuses: Record<number, string> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  409: 'ABORTED',
  429: 'RESOURCE_EXHAUSTED',
  499: 'CANCELLED',
  500: 'INTERNAL',
  501: 'UNIMPLEMENTED',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
};

export const reply = (status: number, value: unknown): Answer =>
  jsonAnswer(status, value, { 'content-type': 'application/json; charset=UTF-8' });

export const problem = (code: number, message: string, details: Detail[] = []): Answer =>
  reply(code, {
    error: { code, message, status: statuses[code] ?? 'UNKNOWN', ...(details.length === 0 ? {} : { details }) },
  });

export const invalidArgument = (message: string): Answer => problem(400, message);

export type Violation = { field?: string; description: string };

/** What the JSON front of the API says before the request reaches its service. */
export const badPayload = (violations: Violation[]): Answer =>
  problem(400, violations.map(({ description }) => description).join('\n'), [
    { '@type': type('BadRequest'), fieldViolations: violations },
  ]);

const errorInfo = (reason: string): Detail => ({
  '@type': type('ErrorInfo'),
  reason,
  domain: 'googleapis.com',
  metadata: { service: 'generativelanguage.googleapis.com' },
});

const localized = (message: string): Detail => ({ '@type': type('LocalizedMessage'), locale: 'en-US', message });

const keyMissing =
  "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.";
const keyInvalid = 'API key not valid. Please pass a valid API key.';

/** A missing key is 403, a wrong one 400: never 401. */
const unauthorized = (key: string | undefined): Answer =>
  key === undefined
    ? problem(403, keyMissing)
    : problem(400, keyInvalid, [errorInfo('API_KEY_INVALID'), localized(keyInvalid)]);

export const modelMissing = (model: string, method: string, version: string): Answer =>
  problem(
    404,
    `models/${model} is not found for API version ${version}, or is not supported for ${method}. Call ListModels to see the list of available models and their supported methods.`,
  );

export const modelRetired = (model: string): Answer =>
  problem(
    404,
    `This model models/${model} is no longer available. Please update your code to use a newer model for the latest features and improvements.`,
  );

export const missing = problem(404, 'Requested entity was not found.');

export const internal = problem(
  500,
  'An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting',
);

const quotaIds = {
  concurrent: 'ConcurrentRequestsPerProjectPerModel',
  minute: 'GenerateRequestsPerMinutePerProjectPerModel',
  day: 'GenerateRequestsPerDayPerProjectPerModel',
  tokens: 'GenerateContentInputTokensPerModelPerMinute',
} as const;

const modelOf = ({ params }: Call): string => params['model'] ?? 'unknown';

const retryInfo = (seconds: number): Detail => ({ '@type': type('RetryInfo'), retryDelay: `${seconds}s` });

const quotaExceeded = (
  call: Call,
  { scope = 'minute', most = 10, retryAfterSeconds = 34.4 }: Omit<Failure, 'status'>,
): Answer => {
  const counted = scope === 'tokens' ? 'generate_content_input_token_count' : 'generate_requests_per_model';
  const metric = `generativelanguage.googleapis.com/${counted}`;
  const model = modelOf(call);
  const limit = String(most);
  const message = [
    'You exceeded your current quota, please check your plan and billing details. For more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.',
    `* Quota exceeded for metric: ${metric}, limit: ${limit}, model: ${model}`,
    `Please retry in ${retryAfterSeconds}s.`,
  ].join('\n');
  const quotaDimensions = { location: 'global', model };
  const violation = { quotaMetric: metric, quotaId: quotaIds[scope], quotaDimensions, quotaValue: limit };
  const link = {
    description: 'Learn more about Gemini API quotas',
    url: 'https://ai.google.dev/gemini-api/docs/rate-limits',
  };
  // The delay is in the body only: there is no retry-after header.
  return problem(429, message, [
    { '@type': type('QuotaFailure'), violations: [violation] },
    { '@type': type('Help'), links: [link] },
    retryInfo(retryAfterSeconds),
  ]);
};

const messages: Record<number, string> = {
  400: 'Request contains an invalid argument.',
  401: 'Request had invalid authentication credentials.',
  403: 'The caller does not have permission',
  404: 'Requested entity was not found.',
  503: 'The model is overloaded. Please try again later.',
  504: 'Deadline expired before operation could complete.',
};

const fail = (failure: Failure, call: Call): Answer => {
  const { status, retryAfterSeconds } = failure;
  if (status === 429) return quotaExceeded(call, failure);
  const details = retryAfterSeconds === undefined ? [] : [retryInfo(retryAfterSeconds)];
  return problem(status, messages[status] ?? 'Internal error encountered.', details);
};

const depleted =
  'Your prepayment credits are depleted. Please go to AI Studio at https://ai.studio/projects to manage your project and billing.';

/** @see https://ai.google.dev/gemini-api/docs/api-errors: the Interactions API has a table of its own. */
export const interactionProblem = (status: number, code: string, message: string): Answer =>
  reply(status, { error: { message, code } });

const interactionCodes: Record<number, string> = {
  400: 'invalid_request',
  401: 'authentication',
  402: 'payment_required',
  403: 'permission_denied',
  404: 'not_found',
  409: 'aborted',
  499: 'cancelled',
  500: 'api_error',
  501: 'unimplemented',
  503: 'service_unavailable',
  504: 'deadline_exceeded',
};

const rateCodes = {
  concurrent: 'too_many_requests',
  minute: 'rate_limit_exceeded',
  day: 'quota_exceeded',
  tokens: 'rate_limit_exceeded',
} as const;

const failInteraction = ({ status, scope = 'minute', retryAfterSeconds = 34.4 }: Failure): Answer =>
  status === 429
    ? interactionProblem(
        429,
        rateCodes[scope],
        `You exceeded your current quota, please check your plan and billing details. Please retry in ${retryAfterSeconds}s.`,
      )
    : interactionProblem(
        status,
        interactionCodes[status] ?? 'api_error',
        messages[status] ?? 'Internal error encountered.',
      );

const isInteraction = ({ path }: Pick<Call, 'path'>): boolean => /^\/google\/v1(beta)?\/interactions/.test(path);

const notFoundPage = (path: string): string =>
  `<!DOCTYPE html>\n<html lang=en>\n  <title>Error 404 (Not Found)!!1</title>\n  <p><b>404.</b> <ins>That’s an error.</ins>\n  <p>The requested URL <code>${path.replaceAll(/[&<>]/g, '')}</code> was not found on this server.`;

type Words = Pick<EmulatedProvider, 'unauthorized' | 'exhausted' | 'fail' | 'notFound' | 'malformed'>;

/** Two dialects of one host: google.rpc.Status, and the Interactions API's own. */
export const words: Words = {
  unauthorized: (key, call) =>
    isInteraction(call)
      ? interactionProblem(401, 'authentication', key === undefined ? keyMissing : keyInvalid)
      : unauthorized(key),
  exhausted: (call) =>
    isInteraction(call) ? interactionProblem(402, 'payment_required', depleted) : problem(429, depleted),
  fail: (failure, call) => (isInteraction(call) ? failInteraction(failure) : fail(failure, call)),
  notFound: ({ path }) =>
    textAnswer(404, notFoundPage(path.replace(/^\/google/, '')), { 'content-type': 'text/html; charset=UTF-8' }),
  malformed: (reason, call) =>
    isInteraction(call)
      ? interactionProblem(400, 'invalid_request', `Invalid JSON payload received. ${reason}`)
      : badPayload([{ description: `Invalid JSON payload received. ${reason}` }]),
};
