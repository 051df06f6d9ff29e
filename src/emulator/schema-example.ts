import { topicOf } from './prose';

type Schema = Record<string, unknown>;

/** What the example is made of: the document for `$ref`, the prompt for the words. */
type Source = {
  root: Schema;
  prompt: string;
};

const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const resolve = (schema: Schema, root: Schema): Schema => {
  const reference = schema['$ref'];
  if (typeof reference !== 'string') return schema;
  const target = reference
    .replace(/^#\/?/, '')
    .split('/')
    .filter((part) => part !== '')
    .reduce<unknown>((value, part) => (isSchema(value) ? value[part] : undefined), root);
  return isSchema(target) ? target : {};
};

const firstType = (schema: Schema): string => {
  const { type } = schema;
  if (typeof type === 'string') return type;
  if (Array.isArray(type)) return String(type.find((name) => name !== 'null') ?? 'null');
  return isSchema(schema['properties']) ? 'object' : 'string';
};

const formats: Record<string, string> = {
  'date-time': '2026-01-01T12:00:00Z',
  date: '2026-01-01',
  time: '12:00:00Z',
  email: 'someone@example.com',
  uri: 'https://example.com/',
  uuid: '00000000-0000-4000-8000-000000000000',
};

const exampleText = (schema: Schema, { prompt }: Source, name: string): string => {
  const format = formats[String(schema['format'])];
  if (format !== undefined) return format;
  const text = /lang/i.test(name) ? 'en' : `${name || 'text'}: ${topicOf(prompt)}`;
  const padded = text.padEnd(Number(schema['minLength'] ?? 0), '.');
  return padded.slice(0, Number(schema['maxLength'] ?? Infinity));
};

const exampleNumber = (schema: Schema): number => {
  const step = Number(schema['multipleOf'] ?? 1);
  const above = schema['exclusiveMinimum'] === undefined ? -Infinity : Number(schema['exclusiveMinimum']) + step;
  const least = Math.max(Number(schema['minimum'] ?? -Infinity), above);
  const most = Math.min(Number(schema['maximum'] ?? Infinity), Number(schema['exclusiveMaximum'] ?? Infinity) - step);
  const wanted = Math.min(Math.max(step * Math.ceil(1 / step), least), Math.max(most, least));
  return Number.isFinite(wanted) ? wanted : step;
};

const exampleObject = (schema: Schema, source: Source): Record<string, unknown> => {
  const properties = isSchema(schema['properties']) ? schema['properties'] : {};
  return Object.fromEntries(
    Object.entries(properties).map(([name, part]) => [name, isSchema(part) ? exampleOf(part, source, name) : null]),
  );
};

const exampleArray = (schema: Schema, source: Source, name: string): unknown[] => {
  const items = isSchema(schema['items']) ? schema['items'] : {};
  const count = Math.min(Math.max(1, Number(schema['minItems'] ?? 1)), Number(schema['maxItems'] ?? Infinity));
  return Array.from({ length: count }, () => exampleOf(items, source, name));
};

const typed: Record<string, (schema: Schema, source: Source, name: string) => unknown> = {
  object: exampleObject,
  array: exampleArray,
  string: exampleText,
  number: exampleNumber,
  integer: exampleNumber,
  boolean: () => false,
  null: () => null,
};

const choicesOf = (schema: Schema): unknown[] =>
  [schema['anyOf'], schema['oneOf'], schema['allOf']].flatMap((list) =>
    Array.isArray(list) ? (list as unknown[]) : [],
  );

const exampleOf = (unresolved: Schema, source: Source, name: string): unknown => {
  const schema = resolve(unresolved, source.root);
  if ('const' in schema) return schema['const'];
  if (Array.isArray(schema['enum'])) return schema['enum'][0] as unknown;
  const choice = choicesOf(schema).find((candidate) => isSchema(candidate) && candidate['type'] !== 'null');
  if (isSchema(choice)) return exampleOf(choice, source, name);
  return typed[firstType(schema)]?.(schema, source, name) ?? null;
};

/** A value that fits a JSON schema, with the prompt's words where it has room for words. */
export const fitSchema = (schema: unknown, prompt: string): unknown =>
  isSchema(schema) ? exampleOf(schema, { root: schema, prompt }, '') : {};
