import type { z } from 'zod';
import { jsonAnswer, type Answer } from '../answer';
import { firstIssue, type Issue } from '../issues';

type Problem = {
  message: string;
  type?: string;
  code?: string;
  /** What the model wrote instead of JSON. */
  failed_generation?: string;
};

/** `code` only where there is one. */
export const problem = (
  status: number,
  { message, type, ...rest }: Problem,
  headers: Record<string, string> = {},
): Answer => jsonAnswer(status, { error: { message, type: type ?? 'invalid_request_error', ...rest } }, headers);

export const invalid = (message: string): Answer => problem(400, { message });

export const modelNotFound = (model: string): Answer =>
  problem(404, {
    message: `The model \`${model}\` does not exist or you do not have access to it.`,
    code: 'model_not_found',
  });

export const modelFailed = problem(500, {
  message: 'Internal Server Error',
  type: 'internal_server_error',
});

export const jsonFailed = (message: string, written: string): Answer =>
  problem(400, { message, code: 'json_validate_failed', failed_generation: written });

export const tooLarge = problem(413, { message: 'Request Entity Too Large', code: 'request_too_large' });

const complaint = ({ key, isMissing, path, message }: Issue): string => {
  if (key !== undefined) return `property '${key}' is unsupported`;
  return isMissing ? `property '${path.at(-1) ?? ''}' is missing` : message;
};

/** Messages are judged by their role, and say so. */
export const invalidInput = (error: z.ZodError, body: unknown): Answer => {
  const issue = firstIssue(error);
  const [field, index] = issue.path;
  const inside = complaint(issue);
  if (field !== 'messages' || index === undefined) {
    const place = issue.path.join('.');
    return invalid(issue.key !== undefined && place === '' ? inside : `'${place}' : ${inside}`);
  }
  const messages = (body as { messages: Record<string, unknown>[] }).messages;
  const role = String(messages[Number(index)]?.['role']);
  const place = issue.path.join('.');
  return invalid(`'messages.${index}' : for 'role:${role}' the following must be satisfied[('${place}' : ${inside})]`);
};
