import { usageError } from './failure';

export type Json = Record<string, unknown>;

/** Names that would reach into every object. */
const forbidden = new Set(['__proto__', 'constructor', 'prototype']);

/** `8`, `true`, `null`, `["a"]` and `"8"` are what they are in JSON; everything else is a text. */
const readValue = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
};

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The same, with `value` at `path`; what is there already stays. */
export const withMember = (body: Json, path: readonly string[], value: unknown): Json => {
  const [name = '', ...rest] = path;
  const inner = body[name];
  return { ...body, [name]: rest.length === 0 ? value : withMember(isObject(inner) ? inner : {}, rest, value) };
};

/** `key=value` into the body below `prefix`; dots lead deeper. */
export const assign = (body: Json, assignment: string, prefix: readonly string[] = []): Json => {
  const [, key = '', value = ''] = /^([^=]+)=(.*)$/s.exec(assignment) ?? [];
  const path = key.split('.');
  if (key === '' || path.some((name) => name === '' || forbidden.has(name)))
    throw usageError(`${assignment} is no key=value`);
  return withMember(body, [...prefix, ...path], readValue(value));
};
