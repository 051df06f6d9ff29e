type Entry = readonly [string, unknown];

const byName = ([left]: Entry, [right]: Entry): number => (left < right ? -1 : 1);

const sortNames = (_name: string, value: unknown): unknown =>
  value !== null && typeof value === 'object' && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(byName))
    : value;

/** The same text for the same JSON value, whatever the order of its names. */
export const canonicalJson = (value: unknown): string => JSON.stringify(value, sortNames);
