import type { z } from 'zod';
import { jsonAnswer, type Answer } from './answer';

type Problem = {
  message: string;
  type?: string;
  param?: string | null;
  code?: string | null;
};

/** All four members are always there. */
export const problem = (
  status: number,
  { message, type, param, code }: Problem,
  headers: Record<string, string> = {},
): Answer =>
  jsonAnswer(
    status,
    { error: { message, type: type ?? 'invalid_request_error', param: param ?? null, code: code ?? null } },
    headers,
  );

const unknownParameter = (param: string): Answer =>
  problem(400, { message: `Unknown parameter: '${param}'.`, param, code: 'unknown_parameter' });

export const missingParameter = (param: string): Answer =>
  problem(400, { message: `Missing required parameter: '${param}'.`, param, code: 'missing_required_parameter' });

export const invalidValue = (param: string, message: string): Answer =>
  problem(400, { message: `Invalid value: ${message}`, param, code: 'invalid_value' });

export const modelNotFound = (model: string): Answer =>
  problem(404, {
    message: `The model \`${model}\` does not exist or you do not have access to it.`,
    param: 'model',
    code: 'model_not_found',
  });

export const modelFailed = problem(500, {
  message: 'The server had an error while processing your request. Sorry about that!',
  type: 'server_error',
});

export const moderationBlocked = problem(400, {
  message: 'Your request was rejected by the safety system.',
  type: 'image_generation_user_error',
  code: 'moderation_blocked',
});

/** OpenAI names the first thing that is wrong. */
export const invalidInput = (error: z.ZodError): Answer => {
  const issue = error.issues[0];
  if (issue === undefined) return invalidValue('', 'unreadable');
  if (issue.code === 'unrecognized_keys') return unknownParameter([...issue.path, issue.keys[0]].join('.'));
  const param = issue.path.join('.');
  const isMissing = issue.code === 'invalid_type' && issue.message.includes('undefined');
  return isMissing ? missingParameter(param) : invalidValue(param, issue.message);
};
