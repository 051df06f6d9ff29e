import { parseMultipart } from '../multipart';
import type { Call } from '../provider';

export type Form = {
  fields: Record<string, string>;
  /** By field name without `[]`. */
  files: { name: string; bytes: Buffer }[];
};

const plain = (name: string): string => name.replace(/\[\]$/, '');

/** undefined: not multipart. */
export const readForm = (call: Call): Form | undefined => {
  const parts = parseMultipart(call.headers['content-type'], call.body);
  if (parts === undefined) return undefined;
  const files = parts.filter(({ fileName }) => fileName !== undefined);
  const texts = parts.filter(({ fileName }) => fileName === undefined);
  return {
    fields: Object.fromEntries(texts.map(({ name, bytes }) => [plain(name), bytes.toString('utf8')])),
    files: files.map(({ name, bytes }) => ({ name: plain(name), bytes })),
  };
};

/** What a body is about, read before anything is validated. */
export const describeBody = (call: Call, textField: string): { model?: string; prompt: string } => {
  const fields = readForm(call)?.fields ?? (Object(call.body) as Record<string, unknown>);
  const { model, [textField]: text } = fields;
  return { ...(typeof model === 'string' ? { model } : {}), prompt: typeof text === 'string' ? text : '' };
};
