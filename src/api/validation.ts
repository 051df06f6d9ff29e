import type { z } from 'zod';
import { SureshotError, type FailureCode, type Violation } from '../domain/failure';

/** RFC 6901. */
const toPointer = (path: readonly PropertyKey[]): string =>
  path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

type RawIssue = Parameters<z.core.$ZodErrorMap>[0];

const limitOf = (issue: { origin: string }, limit: number | bigint): string => {
  if (issue.origin === 'string') return `${limit} characters`;
  if (issue.origin === 'array' || issue.origin === 'record') return `${limit} entries`;
  return String(limit);
};

const typeNames: Readonly<Record<string, string>> = {
  int: 'a whole number',
  number: 'a number',
  string: 'a text',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
};

const explain = (issue: RawIssue): string | undefined => {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'is required' : `must be ${typeNames[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `must be one of ${issue.values.join(', ')}`;
    case 'too_small':
      return `must be at least ${limitOf(issue, issue.minimum)}`;
    case 'too_big':
      return `must be at most ${limitOf(issue, issue.maximum)}`;
    default:
      return undefined;
  }
};

const toViolations = (error: z.ZodError): Violation[] =>
  error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({ pointer: toPointer([...issue.path, key]), detail: issue.message }))
      : [{ pointer: toPointer(issue.path), detail: issue.message }],
  );

const listedViolations = 20;

const refusal = (code: FailureCode, violations: Violation[]): SureshotError => {
  const [first] = violations;
  const others = violations.length > 1 ? ` (and ${violations.length - 1} more)` : '';
  const message = `${first?.pointer || 'the request'} ${first?.detail}${others}`;
  return new SureshotError(code, message, { violations: violations.slice(0, listedViolations) });
};

const parse = <Schema extends z.ZodType>(schema: Schema, value: unknown, code: FailureCode): z.output<Schema> => {
  const parsed = schema.safeParse(value, { error: explain });
  if (parsed.success) return parsed.data;
  throw refusal(code, toViolations(parsed.error));
};

/** PostgreSQL's text has neither NUL nor halves of surrogate pairs. */
const unstorable = /[\0\p{Surrogate}]/u;
const deepest = 64;
/** 10 MB hold five million ones, each of which would become an issue of zod's. */
const mostValues = 20_000;

type Place = { value: unknown; path: readonly string[] };

const sizeOf = (value: object): number => (Array.isArray(value) ? value.length : Object.keys(value).length);

/** What JSON can say and PostgreSQL or the rest of us cannot keep as it came. */
const complaintAbout = ({ value, path }: Place): string | null => {
  const name = path.at(-1) ?? '';
  if (name === '__proto__' || unstorable.test(name)) return 'has a name that cannot be kept';
  if (typeof value === 'string') return unstorable.test(value) ? 'must be text without NUL and lone surrogates' : null;
  if (typeof value === 'number') return Number.isFinite(value) ? null : 'must be a number that fits 64 bits';
  return path.length > deepest ? `must not be nested deeper than ${deepest} levels` : null;
};

/** Before zod, which must not meet too much. No recursion: the caller decides how deep it would go. */
const findUnstorable = (body: unknown): Violation[] => {
  const violations: Violation[] = [];
  const places: Place[] = [{ value: body, path: [] }];
  let count = 0;
  for (let place = places.pop(); place; place = places.pop()) {
    const { value, path } = place;
    const complaint = complaintAbout(place);
    if (complaint !== null) violations.push({ pointer: toPointer(path), detail: complaint });
    else if (value !== null && typeof value === 'object') {
      count += sizeOf(value);
      if (count > mostValues) return [{ pointer: '', detail: `must have at most ${mostValues} values` }];
      for (const [name, member] of Object.entries(value)) places.push({ value: member, path: [...path, name] });
    }
  }
  return violations;
};

/** 422 with every wrong field. */
export const parseBody = <Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> => {
  const unkept = findUnstorable(body);
  if (unkept.length > 0) throw refusal('caller_invalid_request', unkept);
  return parse(schema, body, 'caller_invalid_request');
};

/** 400 with every wrong parameter. */
export const parseQuery = <Schema extends z.ZodType>(schema: Schema, query: unknown): z.output<Schema> => {
  const unkept = findUnstorable(query);
  if (unkept.length > 0) throw refusal('caller_malformed', unkept);
  return parse(schema, query, 'caller_malformed');
};
