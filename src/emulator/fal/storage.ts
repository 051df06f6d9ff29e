import { z } from 'zod';
import { bytesAnswer, emptyAnswer, jsonAnswer, textAnswer, type Answer } from '../answer';
import { readImageSize, readUriSize } from '../image-size';
import type { Call } from '../provider';
import { findUpload, openUpload } from '../uploads';
import type { ReadSize } from './plan';
import { invalidInput, platformProblem } from './problems';

const bodySchema = z.object({ file_name: z.string().min(1), content_type: z.string().min(1) });

/** `{"expiration_duration_seconds": N}`, for results and for uploads alike; anything else means the account's default. */
export const lifetimeOf = (header: string | string[] | undefined): number | null => {
  try {
    const { expiration_duration_seconds: seconds } = Object(JSON.parse(String(header))) as Record<string, unknown>;
    return typeof seconds === 'number' && seconds >= 0 ? seconds : null;
  } catch {
    return null;
  }
};

/** @see @fal-ai/client 1.10.1, storage: says where to PUT the file, and where it will be. */
export const initiateUpload = (call: Call): Answer => {
  const parsed = bodySchema.safeParse(call.body);
  if (!parsed.success) return invalidInput(parsed.error, call.body);
  const { file_name: name, content_type: contentType } = parsed.data;
  const seconds = lifetimeOf(call.headers['x-fal-object-lifecycle']);
  const expiresAtMs = seconds === null ? null : call.world.clock() + seconds * 1000;
  const upload = openUpload(call, { name, contentType, expiresAtMs });
  const url = `${call.origin}/fal/files/${upload.id}/${encodeURIComponent(name)}`;
  return jsonAnswer(200, { file_url: url, upload_url: `${url}?signature=${upload.id}` });
};

export const receiveUpload = (call: Call): Answer => {
  const upload = findUpload(call.world, 'fal', call.params['id'] ?? '');
  if (upload === undefined || call.query.get('signature') !== upload.id) return platformProblem(403, 'Forbidden');
  // A JSON file is parsed on its way here.
  upload.bytes = Buffer.isBuffer(call.body) ? call.body : Buffer.from(JSON.stringify(call.body ?? null));
  return emptyAnswer(200);
};

export const serveUpload = (call: Call): Answer => {
  const upload = findUpload(call.world, 'fal', call.params['id'] ?? '');
  if (upload === undefined || upload.bytes === null) return textAnswer(404, 'Not Found');
  return bytesAnswer(upload.bytes, { 'content-type': upload.contentType });
};

const filePath = /\/fal\/files\/([^/]+)\//;

export const sizeReader =
  ({ world }: Call): ReadSize =>
  (url) => {
    const stored = findUpload(world, 'fal', filePath.exec(url)?.[1] ?? '')?.bytes;
    return stored === undefined || stored === null ? readUriSize(url) : readImageSize(stored);
  };
