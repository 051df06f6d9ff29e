import { z } from 'zod';
import { isTimely, sha256Hex, type SigningKey } from '../callback-signatures';
import type { Callback, Operation } from '../provider';
import { readJson } from '../refusal';

/** Of the four headers none is missing in a message of fal's. The signature is in hexadecimal. */
const headersSchema = z.object({
  'x-fal-webhook-request-id': z.string().min(1),
  'x-fal-webhook-user-id': z.string().min(1),
  'x-fal-webhook-timestamp': z.string().min(1),
  'x-fal-webhook-signature': z.string().regex(/^[0-9a-f]{128}$/i),
});

/** The result itself is not read here: a look fetches it. */
const bodySchema = z.object({ request_id: z.guid(), status: z.enum(['OK', 'ERROR']) });

export type Announcement = { operation: Operation; isSignedBy: (key: SigningKey) => boolean };

/**
 * `null` where it cannot be fal's, whatever its signature says. The endpoint is not told; looks need only the owner and
 * the app of it, which the model knows. @see https://fal.ai/docs/documentation/model-apis/inference/webhooks (2026-11-21)
 */
export const readAnnouncement = (callback: Callback): Announcement | null => {
  const headers = headersSchema.safeParse(callback.headers).data;
  const body = bodySchema.safeParse(readJson(callback.body)).data;
  if (headers === undefined || body === undefined) return null;
  if (!isTimely(callback, headers['x-fal-webhook-timestamp'])) return null;
  const message = [
    headers['x-fal-webhook-request-id'],
    headers['x-fal-webhook-user-id'],
    headers['x-fal-webhook-timestamp'],
    sha256Hex(callback.body),
  ].join('\n');
  const signature = Buffer.from(headers['x-fal-webhook-signature'], 'hex');
  return { operation: { id: body.request_id }, isSignedBy: (key) => key.signed(message, signature) };
};
