import type { z } from 'zod';

export type Issue = {
  path: string[];
  code: z.core.$ZodIssue['code'];
  message: string;
  isMissing: boolean;
  /** Of unrecognized_keys. */
  key: string | undefined;
  /** The bound that was broken. */
  limit: number | undefined;
  /** What is measured: `string`, `number`, `array`… */
  origin: string | undefined;
  expected: string | undefined;
};

type RawIssue = z.core.$ZodIssue;

const depthOf = (issues: readonly RawIssue[]): number => Math.max(...issues.map(({ path }) => path.length));

/** A union complains about every branch; the one that came furthest is the one that was meant. */
const unfold = (issue: RawIssue): RawIssue => {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return issue;
  const branches = issue.errors.filter((branch) => branch.length > 0);
  const [first] = branches.sort((left, right) => depthOf(right) - depthOf(left))[0] ?? [];
  return first === undefined ? issue : unfold({ ...first, path: [...issue.path, ...first.path] });
};

const limitOf = (issue: RawIssue): number | undefined => {
  if (issue.code === 'too_big') return Number(issue.maximum);
  return issue.code === 'too_small' ? Number(issue.minimum) : undefined;
};

/** What is wrong first, for providers that name one thing at a time. */
export const firstIssue = (error: z.ZodError): Issue => {
  const raw = error.issues[0];
  if (raw === undefined) throw new RangeError('an error without an issue');
  const issue = unfold(raw);
  return {
    path: issue.path.map(String),
    code: issue.code,
    message: issue.message,
    isMissing: issue.code === 'invalid_type' && issue.message.includes('received undefined'),
    key: issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined,
    limit: limitOf(issue),
    origin: 'origin' in issue ? issue.origin : undefined,
    expected: issue.code === 'invalid_type' ? issue.expected : undefined,
  };
};
