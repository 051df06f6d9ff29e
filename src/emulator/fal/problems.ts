import type { z } from 'zod';
import { jsonAnswer, type Answer } from '../answer';

/** The two shapes of fal's errors: a list for what the model says, a string for what the platform says. */
type Detail = {
  loc: (string | number)[];
  msg: string;
  type: string;
  url?: string;
  ctx?: Record<string, unknown>;
  input?: unknown;
};

const quoted = (values: readonly unknown[]): string => {
  const words = values.map((value) => `'${String(value)}'`);
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1) ?? ''}`;
};

/** pydantic's words for zod's finding. */
const wordIssue = (issue: z.core.$ZodIssue): Pick<Detail, 'msg' | 'type' | 'ctx'> => {
  if (issue.code === 'invalid_type' && issue.input === undefined) return { msg: 'Field required', type: 'missing' };
  if (issue.code === 'invalid_value') {
    const expected = quoted(issue.values);
    return { msg: `Input should be ${expected}`, type: 'literal_error', ctx: { expected } };
  }
  if (issue.code === 'too_small') {
    return {
      msg: `Input should be greater than or equal to ${issue.minimum}`,
      type: 'greater_than_equal',
      ctx: { ge: issue.minimum },
    };
  }
  if (issue.code === 'too_big') {
    return {
      msg: `Input should be less than or equal to ${issue.maximum}`,
      type: 'less_than_equal',
      ctx: { le: issue.maximum },
    };
  }
  if (issue.code === 'invalid_type')
    return { msg: `Input should be a valid ${issue.expected}`, type: `${issue.expected}_type` };
  return { msg: issue.message, type: 'value_error' };
};

const valueAt = (body: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((value, key) => (Object(value) as Record<PropertyKey, unknown>)[key], body);

const modelProblem = (status: number, detail: Detail[]): Answer =>
  jsonAnswer(status, { detail }, { 'x-fal-retryable': status >= 500 ? 'true' : 'false' });

export const invalidInput = (error: z.ZodError, body: unknown): Answer =>
  modelProblem(
    422,
    error.issues.map((issue) => {
      const path = issue.path.map((key) => (typeof key === 'symbol' ? String(key) : key));
      const input = valueAt(body, issue.path);
      return { loc: ['body', ...path], ...wordIssue({ ...issue, input } as z.core.$ZodIssue), input: input ?? body };
    }),
  );

export const contentRefused = (prompt: string): Answer =>
  modelProblem(422, [
    {
      loc: ['body', 'prompt'],
      msg: 'The content could not be processed because it contained material flagged by a content checker.',
      type: 'content_policy_violation',
      url: 'https://docs.fal.ai/errors#content_policy_violation',
      ctx: { extra_info: {} },
      input: prompt,
    },
  ]);

export const modelFailed = modelProblem(500, [
  {
    loc: ['body'],
    msg: 'Internal server error',
    type: 'internal_server_error',
    url: 'https://docs.fal.ai/errors#internal_server_error',
  },
]);

export const platformProblem = (status: number, detail: string, errorType?: string): Answer =>
  errorType === undefined
    ? jsonAnswer(status, { detail })
    : jsonAnswer(status, { detail, error_type: errorType }, { 'x-fal-error-type': errorType });

/** The caller's own deadline, not the platform's: the header tells the two apart. */
export const startTimedOut = jsonAnswer(
  504,
  { detail: 'Request timed out', error_type: 'request_timeout' },
  { 'x-fal-error-type': 'request_timeout', 'x-fal-request-timeout-type': 'user' },
);
