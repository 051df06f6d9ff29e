import type { z } from 'zod';
import { jsonAnswer, type Answer } from '../answer';

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

/** Chat completions word it their own way, and name no parameter. */
export const unrecognizedArgument = (error: z.ZodError): Answer | undefined => {
  const issue = error.issues[0];
  return issue?.code === 'unrecognized_keys' && issue.path.length === 0
    ? problem(400, { message: `Unrecognized request argument supplied: ${issue.keys[0] ?? ''}` })
    : undefined;
};

export const missingParameter = (param: string): Answer =>
  problem(400, { message: `Missing required parameter: '${param}'.`, param, code: 'missing_required_parameter' });

export const invalidValue = (param: string, message: string): Answer =>
  problem(400, { message: `Invalid value: ${message}`, param, code: 'invalid_value' });

export const unauthorized = (key: string | undefined): Answer =>
  key === undefined
    ? problem(401, { message: "You didn't provide an API key." })
    : problem(401, { message: 'Incorrect API key provided.', code: 'invalid_api_key' });

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

export const modelRetired = (model: string): Answer =>
  problem(404, {
    message: `The model \`${model}\` has been deprecated, learn more here: https://platform.openai.com/docs/deprecations`,
    param: 'model',
    code: 'model_not_found',
  });

export const multipartExpected = problem(400, {
  message: 'Invalid Content-Type: expected multipart/form-data.',
  code: 'unsupported_content_type',
});

const tooLong = (param: string, maximum: number | bigint): Answer =>
  problem(400, {
    message: `Invalid '${param}': string too long. Expected a string with maximum length ${maximum}.`,
    param,
    code: 'string_above_max_length',
  });

/** OpenAI names the first thing that is wrong. */
export const invalidInput = (error: z.ZodError): Answer => {
  const issue = error.issues[0];
  if (issue === undefined) return invalidValue('', 'unreadable');
  if (issue.code === 'unrecognized_keys') return unknownParameter([...issue.path, issue.keys[0]].join('.'));
  const param = issue.path.join('.');
  if (issue.code === 'too_big' && issue.origin === 'string') return tooLong(param, issue.maximum);
  const isMissing = issue.code === 'invalid_type' && issue.message.includes('undefined');
  return isMissing ? missingParameter(param) : invalidValue(param, issue.message);
};
