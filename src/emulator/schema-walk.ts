type Schema = Record<string, unknown>;

export type SubSchema = {
  schema: Schema;
  path: string;
};

const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const entriesOf = (value: unknown): [string, unknown][] => (isSchema(value) ? Object.entries(value) : []);

const listOf = (value: unknown): [string, unknown][] =>
  Array.isArray(value) ? value.map((item: unknown, index) => [String(index), item]) : [];

const childrenOf = (schema: Schema): [string, unknown][] => [
  ...['properties', '$defs', 'definitions'].flatMap((key) =>
    entriesOf(schema[key]).map(([name, child]): [string, unknown] => [`${key}/${name}`, child]),
  ),
  ...['anyOf', 'oneOf', 'allOf', 'prefixItems'].flatMap((key) =>
    listOf(schema[key]).map(([name, child]): [string, unknown] => [`${key}/${name}`, child]),
  ),
  ...(isSchema(schema['items']) ? ([['items', schema['items']]] satisfies [string, unknown][]) : []),
];

/** A JSON schema and every schema inside of it. */
export const walkSchema = (root: unknown, path = ''): SubSchema[] =>
  isSchema(root)
    ? [{ schema: root, path }, ...childrenOf(root).flatMap(([name, child]) => walkSchema(child, `${path}/${name}`))]
    : [];

export const typesOf = ({ type, properties }: Schema): string[] => {
  if (typeof type === 'string') return [type];
  if (Array.isArray(type)) return type.map(String);
  return isSchema(properties) ? ['object'] : [];
};
