import type { ErrorRequestHandler, RequestHandler, Response } from 'express';
import { failures, SureshotError, type FailureCode, type Violation } from '../domain/failure';
import { isDatabaseDown } from './database-down';

type Problem = {
  status: number;
  code: FailureCode;
  detail: string;
  violations?: readonly Violation[];
  headers?: Readonly<Record<string, string>>;
};

const retryAfterSeconds = 5;

/** `caller_invalid_request` → `Invalid request`. */
const titleOf = (code: FailureCode): string => {
  const words = code.split('_').slice(1).join(' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
};

const headersOf = ({ code, headers }: Problem): Record<string, string> => ({
  ...(code === 'caller_unauthenticated' && { 'WWW-Authenticate': 'Bearer realm="sureshot"' }),
  ...(code === 'system_unavailable' && { 'Retry-After': String(retryAfterSeconds) }),
  ...headers,
});

/** RFC 9457. */
const sendProblem = (response: Response, problem: Problem): void => {
  const isPreset = response.req.originalUrl.startsWith('/api/');
  const body = {
    // what the clients of the older routes look at
    ...(isPreset && { success: false }),
    type: `urn:sureshot:problem:${problem.code}`,
    title: titleOf(problem.code),
    status: problem.status,
    detail: problem.detail,
    instance: response.req.originalUrl.split('?')[0],
    code: problem.code,
    retryable: failures[problem.code].retryable,
    requestId: response.getHeader('X-Request-Id'),
    errors: problem.violations ?? [],
  };
  response.status(problem.status).set(headersOf(problem));
  // not response.type(): it would add a charset, which this media type does not have
  response.setHeader('Content-Type', 'application/problem+json');
  response.end(JSON.stringify(body));
};

const fromSureshotError = (error: SureshotError): Problem => ({
  status: failures[error.code].httpStatus,
  code: error.code,
  detail: error.message,
  violations: error.violations,
  ...(error.retryAfterSeconds !== null && { headers: { 'Retry-After': String(error.retryAfterSeconds) } }),
});

/** What Express, body-parser and send throw (http-errors). */
type HttpError = { status: number; type?: string; message: string; headers?: Record<string, string> };

const isCallersHttpError = (error: unknown): error is HttpError => {
  const status = (error as { status?: unknown } | null)?.status;
  return error instanceof Error && typeof status === 'number' && status >= 400 && status < 500;
};

const malformedDetails: Readonly<Record<string, string>> = {
  'entity.parse.failed': 'the body is not a JSON object',
  'encoding.unsupported': 'the Content-Encoding of the body is not supported: use gzip, deflate, br or none',
  'charset.unsupported': 'the charset of the body is not supported: use UTF-8',
  'request.aborted': 'the body ended before its Content-Length',
  'request.size.invalid': 'the body is not as long as its Content-Length',
};

const fromHttpError = (error: HttpError): Problem => {
  if (error.status === 413)
    return { status: 413, code: 'caller_payload_too_large', detail: 'the body must have at most 10 MB' };
  if (error.status === 404) return { status: 404, code: 'caller_not_found', detail: 'there is nothing here' };
  if (error.status === 416) {
    const detail = 'no byte is within the Range asked for';
    return { status: 416, code: 'caller_malformed', detail, ...(error.headers && { headers: error.headers }) };
  }
  const detail = malformedDetails[error.type ?? ''] ?? 'the request cannot be read';
  return { status: 400, code: 'caller_malformed', detail };
};

const toProblem = (error: unknown): Problem => {
  if (error instanceof SureshotError) return fromSureshotError(error);
  if (isCallersHttpError(error)) return fromHttpError(error);
  if (isDatabaseDown(error))
    return { status: 503, code: 'system_unavailable', detail: 'the database cannot be reached; ask again soon' };
  return { status: 500, code: 'system_internal', detail: 'something went wrong on our side; it was logged' };
};

/** The one translation of errors into answers. */
// eslint-disable-next-line max-params -- Express knows error handlers by their four parameters
export const answerErrors: ErrorRequestHandler = (error: unknown, _request, response, next) => {
  if (response.headersSent) {
    next(error);
    return;
  }
  const problem = toProblem(error);
  // the log line of the request carries it
  if (problem.status >= 500 && error instanceof Error) response.err = error;
  sendProblem(response, problem);
};

export const refuseUnknownRoute: RequestHandler = (request) => {
  throw new SureshotError('caller_not_found', `there is no ${request.method} ${request.path}`);
};

/** Last on a route: every method it does not have. `allow` is the header: `GET, POST`. */
export const refuseMethod =
  (allow: string): RequestHandler =>
  (request, response) => {
    const detail = `${request.method} is not a method of this resource; it has ${allow}`;
    sendProblem(response, { status: 405, code: 'caller_malformed', detail, headers: { Allow: allow } });
  };
