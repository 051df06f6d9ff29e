import { z } from 'zod';
import { emptyAnswer, jsonAnswer, type Answer } from '../answer';
import { parseMultipart } from '../multipart';
import type { Call } from '../provider';
import { findUpload, openUpload } from '../uploads';
import { invalidBody, problem } from './problems';

const bodySchema = z.strictObject({ filename: z.string().min(3).max(255), type: z.literal('ephemeral') });

/** @see https://docs.dev.runwayml.com/assets/uploads (read 2026-11-21): 24 hours, 200 MB. */
const uploadLifeMs = 86_400_000;
const prefix = 'runway://';

/** The address to send the file to needs no key but the fields told here, as with any signed form. */
export const createUpload = (call: Call): Answer => {
  const parsed = bodySchema.safeParse(call.body);
  if (!parsed.success) return invalidBody(parsed.error.issues);
  const upload = openUpload(call, {
    name: parsed.data.filename,
    contentType: 'application/octet-stream',
    expiresAtMs: call.world.clock() + uploadLifeMs,
  });
  return jsonAnswer(200, {
    uploadUrl: `${call.origin}/runway/uploads`,
    fields: { key: `ephemeral/${upload.id}`, policy: 'emulated', 'x-amz-signature': upload.id },
    runwayUri: `${prefix}${upload.id}`,
  });
};

export const receiveUpload = (call: Call): Answer => {
  const parts = parseMultipart(call.headers['content-type'], call.body) ?? [];
  const field = (name: string): string | undefined => parts.find((part) => part.name === name)?.bytes.toString('utf8');
  const upload = findUpload(call.world, 'runway', field('x-amz-signature') ?? '');
  const file = parts.find(({ name }) => name === 'file');
  if (upload === undefined || field('key') !== `ephemeral/${upload.id}`) return problem(403, 'AccessDenied');
  if (file === undefined) return problem(400, 'POST requires exactly one file upload per request.');
  upload.bytes = file.bytes;
  return emptyAnswer(204);
};

const urisIn = (value: unknown): string[] => {
  if (typeof value === 'string') return value.startsWith(prefix) ? [value] : [];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(urisIn) : [];
};

/** The first upload that a body names and that this account has not sent. */
export const findMissingUpload = (call: Call): string | undefined =>
  urisIn(call.body).find((uri) => {
    const upload = findUpload(call.world, 'runway', uri.slice(prefix.length));
    return upload?.credential !== call.credential || upload.bytes === null;
  });
