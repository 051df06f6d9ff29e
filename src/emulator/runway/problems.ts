import { jsonAnswer, type Answer } from '../answer';

export const problem = (status: number, error: string, more: Record<string, unknown> = {}): Answer =>
  jsonAnswer(status, { error, ...more });

type Issue = { code?: string | undefined; message: string; path: PropertyKey[] };

/** All that is wrong as a list, the first of it as a sentence. */
export const invalidBody = (issues: Issue[]): Answer => {
  const first = issues[0];
  return problem(400, `Validation of body failed: ${first?.path.join('.') ?? ''} ${first?.message ?? ''}`, {
    issues: issues.map(({ code, message, path }) => ({ code, message, path })),
    docUrl: 'https://docs.dev.runwayml.com/api',
  });
};

export const missing = problem(404, 'Not found');
