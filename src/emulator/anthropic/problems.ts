import type { z } from 'zod';
import { jsonAnswer, type Answer } from '../answer';
import { firstIssue } from '../issues';

export type Problem = {
  status: number;
  type: string;
  message: string;
};

export const newId = (prefix: string): string => `${prefix}_01${crypto.randomUUID().replaceAll('-', '').slice(0, 22)}`;

export const invalid = (message: string): Problem => ({ status: 400, type: 'invalid_request_error', message });

export const notFound = (message: string): Problem => ({ status: 404, type: 'not_found_error', message });

export const tooLarge: Problem = {
  status: 413,
  type: 'request_too_large',
  message: 'Request exceeds the maximum size',
};

export const modelFailed: Problem = { status: 500, type: 'api_error', message: 'Internal server error' };

export const errorBody = ({ type, message }: Problem, requestId: string | null): Record<string, unknown> => ({
  type: 'error',
  error: { type, message },
  request_id: requestId,
});

/** The body names the request like the header does. */
export const problemAnswer = (problem: Problem, headers: Record<string, string> = {}): Answer => {
  const requestId = newId('req');
  return jsonAnswer(problem.status, errorBody(problem, requestId), { 'request-id': requestId, ...headers });
};

export const invalidInput = (error: z.ZodError): Problem => {
  const { path, key, isMissing, message } = firstIssue(error);
  if (key !== undefined) return invalid(`${[...path, key].join('.')}: Extra inputs are not permitted`);
  const place = path.length === 0 ? '' : `${path.join('.')}: `;
  return invalid(`${place}${isMissing ? 'Field required' : message}`);
};
