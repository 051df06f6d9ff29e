import { typesOf, walkSchema, type SubSchema } from '../schema-walk';
import { invalid, type Problem } from './problems';

/** What constrained decoding cannot do, by type. */
const unsupported: Record<string, readonly string[]> = {
  integer: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  number: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  string: ['minLength', 'maxLength'],
  array: ['maxItems'],
};

const wrongIn = ({ schema }: SubSchema): string | undefined => {
  for (const type of typesOf(schema)) {
    if (type === 'object' && schema['additionalProperties'] !== false)
      return "For 'object' type, 'additionalProperties' must be explicitly set to false";
    const names = (unsupported[type] ?? []).filter((name) => name in schema);
    if (names.length > 0) return `For '${type}' type, properties ${names.join(', ')} are not supported`;
    if (type === 'array' && Number(schema['minItems'] ?? 0) > 1)
      return "For 'array' type, 'minItems' values other than 0 or 1 are not supported";
  }
  return undefined;
};

export const schemaProblem = (schema: unknown): Problem | undefined => {
  const wrong = walkSchema(schema)
    .map(wrongIn)
    .find((message) => message !== undefined);
  return wrong === undefined ? undefined : invalid(`output_config.format.schema: ${wrong}`);
};
