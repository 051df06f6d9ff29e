import type { Violation } from './problems';

/**
 * Protocol buffer messages as Google's JSON front reads them: names in camelCase or snake_case alike, unknown names
 * refused with the path in snake_case, the wrong kind of value refused with the name of the right one.
 */
export type Shape =
  | { kind: 'string' | 'bool' | 'int32' | 'float' | 'bytes' | 'value' | 'struct' }
  | { kind: 'enum'; name: string; values: readonly string[] }
  | { kind: 'list'; of: Shape }
  | { kind: 'message'; fields: Record<string, Shape> };

export const text: Shape = { kind: 'string' };
export const bool: Shape = { kind: 'bool' };
export const int32: Shape = { kind: 'int32' };
export const float: Shape = { kind: 'float' };
export const bytes: Shape = { kind: 'bytes' };
/** Anything at all: checked later, or taken and ignored. */
export const anyValue: Shape = { kind: 'value' };
export const struct: Shape = { kind: 'struct' };
export const list = (of: Shape): Shape => ({ kind: 'list', of });
export const message = (fields: Record<string, Shape>): Shape => ({ kind: 'message', fields });
export const oneOf = (name: string, values: readonly string[]): Shape => ({ kind: 'enum', name, values });

const snakeCase = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const camelCase = (name: string): string =>
  name.replaceAll(/(?!^)_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

type Reader = {
  violations: Violation[];
};

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isNumber = (value: unknown): boolean =>
  (typeof value === 'number' && Number.isFinite(value)) ||
  (typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value)));

const typeNames: Record<Shape['kind'], string> = {
  string: 'TYPE_STRING',
  bool: 'TYPE_BOOL',
  int32: 'TYPE_INT32',
  float: 'TYPE_FLOAT',
  bytes: 'TYPE_BYTES',
  value: 'type.googleapis.com/google.protobuf.Value',
  struct: 'type.googleapis.com/google.protobuf.Struct',
  enum: 'TYPE_ENUM',
  list: 'TYPE_MESSAGE',
  message: 'TYPE_MESSAGE',
};

const invalidValue = (shape: Shape, path: string, value: unknown): Violation => {
  const name = shape.kind === 'enum' ? `type.googleapis.com/${shape.name}` : typeNames[shape.kind];
  return { field: path, description: `Invalid value at '${path}' (${name}), ${JSON.stringify(value)}` };
};

const unknownName = (path: string, name: string): Violation => {
  const description = `Invalid JSON payload received. Unknown name "${name}"${path === '' ? '' : ` at '${path}'`}: Cannot find field.`;
  return path === '' ? { description } : { field: path, description };
};

const base64Pattern = /^[A-Za-z0-9+/_-]*={0,2}$/;

const fits: Record<'string' | 'bool' | 'int32' | 'float' | 'bytes' | 'value' | 'struct', (value: unknown) => boolean> =
  {
    string: (value) => typeof value === 'string',
    bool: (value) => typeof value === 'boolean',
    int32: (value) => isNumber(value) && Number.isInteger(Number(value)),
    float: isNumber,
    bytes: (value) => typeof value === 'string' && base64Pattern.test(value),
    value: () => true,
    struct: isRecord,
  };

const readFields = (
  reader: Reader,
  value: Record<string, unknown>,
  { fields, path }: { fields: Record<string, Shape>; path: string },
): Record<string, unknown> => {
  const read: Record<string, unknown> = {};
  for (const [given, part] of Object.entries(value)) {
    const name = given in fields ? given : camelCase(given);
    const shape = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (shape === undefined) reader.violations.push(unknownName(path, given));
    else if (part !== null)
      read[name] = readPart(reader, part, { shape, path: `${path}${path === '' ? '' : '.'}${snakeCase(name)}` });
  }
  return read;
};

const readPart = (reader: Reader, value: unknown, { shape, path }: { shape: Shape; path: string }): unknown => {
  if (shape.kind === 'message' && isRecord(value)) return readFields(reader, value, { fields: shape.fields, path });
  if (shape.kind === 'list') {
    // A single value where a list belongs is taken for a list of one.
    const items: unknown[] = Array.isArray(value) ? (value as unknown[]) : [value];
    return items.map((item, index) => readPart(reader, item, { shape: shape.of, path: `${path}[${index}]` }));
  }
  const isFit =
    shape.kind === 'enum' ? shape.values.includes(String(value)) : shape.kind !== 'message' && fits[shape.kind](value);
  if (!isFit) reader.violations.push(invalidValue(shape, path, value));
  return shape.kind === 'int32' || shape.kind === 'float' ? Number(value) : value;
};

/** The body in camelCase, and everything that is wrong with it. */
export const readMessage = (
  body: unknown,
  fields: Record<string, Shape>,
): { value: Record<string, unknown>; violations: Violation[] } => {
  const reader: Reader = { violations: [] };
  if (!isRecord(body)) {
    return { value: {}, violations: [{ description: 'Invalid JSON payload received. Unexpected token.' }] };
  }
  const value = readFields(reader, body, { fields, path: '' });
  return { value, violations: reader.violations };
};

/** Google reads JSON whatever the content-type says; no body is an empty message. */
export const jsonOf = (body: unknown): unknown => {
  if (body === undefined) return {};
  if (!Buffer.isBuffer(body)) return body;
  try {
    return body.length === 0 ? {} : (JSON.parse(body.toString('utf8')) as unknown);
  } catch {
    return undefined;
  }
};
