import type { z } from 'zod';
import { jsonAnswer, type Answer } from '../answer';
import { firstIssue, type Issue } from '../issues';

export const envelope = (result: unknown, more: Record<string, unknown> = {}): Answer =>
  jsonAnswer(200, { result, success: true, errors: [], messages: [], ...more });

type Complaint = readonly [code: number, message: string];

/** The code tells what is wrong; several share a status. */
export const problem = (status: number, [code, message]: Complaint, headers: Record<string, string> = {}): Answer =>
  jsonAnswer(status, { result: null, success: false, errors: [{ code, message }], messages: [] }, headers);

const aiError = (status: number, code: number, message: string): Answer =>
  problem(status, [code, `AiError: ${message} (${crypto.randomUUID()})`]);

export const noRoute = problem(400, [7000, 'No route for that URI']);

export const noAccount = (path: string): Answer =>
  problem(404, [7003, `Could not route to ${path}, perhaps your object identifier is invalid?`]);

export const unauthorized = problem(401, [10000, 'Authentication error']);

export const noModel = (model: string): Answer => aiError(400, 5007, `No such model ${model} or task`);

export const invalidModel = problem(404, [3042, 'The model name is invalid']);

export const deprecated = (day: string): Answer =>
  aiError(400, 5028, `This model was deprecated on ${day}. Please use an alternative model.`);

export const badInput = (detail: string): Answer => aiError(400, 5006, `Bad input: Error: ${detail}`);

export const badBase64 = (type: string): Answer => aiError(400, 5004, `Invalid data type for base64 input: ${type}`);

export const noBody = (what: string): Answer => aiError(400, 3003, `Request is missing headers or body: ${what}`);

export const tooLarge = problem(413, [3006, 'Request is too large']);

export const nsfwPrompt = (): Answer => aiError(400, 3030, 'Input prompt contains NSFW content.');

export const nsfwOutput = (): Answer => aiError(400, 3030, 'Output image contains NSFW content.');

export const jsonFailed = (): Answer => aiError(400, 5024, "JSON Mode couldn't be met");

export const modelFailed = (): Answer => aiError(500, 3043, 'Internal server error');

const typeAt = (body: unknown, path: string[]): string => {
  const value = path.reduce<unknown>((inner, key) => (Object(inner) as Record<string, unknown>)[key], body);
  return Array.isArray(value) ? 'array' : typeof value;
};

const detailOf = (issue: Issue, body: unknown): string => {
  const place = `/${issue.path.join('/')}`;
  if (issue.isMissing) {
    return `required properties at '/${issue.path.slice(0, -1).join('/')}' are '${issue.path.at(-1) ?? ''}'`;
  }
  if (issue.limit !== undefined) {
    const what = issue.origin === 'string' ? `Length of '${place}'` : `'${place}'`;
    return `${what} must be ${issue.code === 'too_big' ? '<=' : '>='} ${issue.limit}`;
  }
  return `Type mismatch of '${place}', '${typeAt(body, issue.path)}' not in '${issue.expected ?? issue.message}'`;
};

export const invalidInput = (error: z.ZodError, body: unknown): Answer => badInput(detailOf(firstIssue(error), body));
