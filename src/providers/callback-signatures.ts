import { createHash, createPublicKey, verify, type JsonWebKey, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import type { Call, Callback } from './provider';
import { badResponse } from './refusal';

/** One of a provider's public keys. */
export type SigningKey = { id: string | null; signed(message: string, signature: Uint8Array): boolean };

/** Whether one of the keys at hand has signed it, or one of those the provider has by now. */
export type SigningKeys = (call: Call, isSignedBy: (key: SigningKey) => boolean) => Promise<boolean>;

const keySetSchema = z.object({ keys: z.array(z.looseObject({ kty: z.string(), kid: z.string().nullish() })) });

const readKey = (jwk: JsonWebKey): KeyObject | null => {
  try {
    return createPublicKey({ key: jwk, format: 'jwk' });
  } catch {
    return null;
  }
};

const digests: Record<string, string | null> = { ed25519: null, rsa: 'sha256' };

const toSigningKey = ({ kid, ...jwk }: z.infer<typeof keySetSchema>['keys'][number]): SigningKey[] => {
  const key = readKey(jwk);
  const digest = digests[key?.asymmetricKeyType ?? ''];
  if (key === null || digest === undefined) return [];
  const signed = (message: string, signature: Uint8Array): boolean =>
    verify(digest, Buffer.from(message), key, signature);
  return [{ id: kid ?? null, signed }];
};

/** @see https://www.rfc-editor.org/rfc/rfc7517, Ed25519 keys and RSA keys for RS256; others are passed over. */
const readKeys = (body: unknown): SigningKey[] => {
  const parsed = keySetSchema.safeParse(body);
  if (!parsed.success) throw badResponse('not a set of keys');
  return parsed.data.keys.flatMap(toSigningKey);
};

const keptForMs = 3_600_000;
/** Nobody who sends forgeries decides how often the provider is asked. */
const askedEveryMs = 60_000;

/** Keeps what `fetchKeys` brings for an hour, and asks once more before it calls a signature wrong. */
export const createSigningKeys = (fetchKeys: (call: Call) => Promise<unknown>, clock = Date.now): SigningKeys => {
  const kept = new Map<string | null, { keys: SigningKey[]; atMs: number }>();
  return async (call, isSignedBy) => {
    const { baseUrl } = call.credential;
    const known = kept.get(baseUrl);
    const ageMs = known === undefined ? Infinity : clock() - known.atMs;
    if (ageMs < keptForMs && known?.keys.some(isSignedBy) === true) return true;
    if (ageMs < askedEveryMs) return false;
    const keys = readKeys(await fetchKeys(call));
    kept.set(baseUrl, { keys, atMs: clock() });
    return keys.some(isSignedBy);
  };
};

const toleranceMs = 300_000;

/**
 * When it came, in ms. Callbacks are looked at long after they came, so our API notes the time; the sender cannot, a
 * header of this name from outside is replaced.
 */
export const receivedAt = ({ headers }: Callback, now = Date.now()): number => {
  const told = Date.parse(headers['x-sureshot-received-at'] ?? '');
  return Number.isNaN(told) ? now : told;
};

/** Older ones are repetitions by somebody who has seen it. Both providers allow five minutes. */
export const isTimely = (callback: Callback, sentSeconds: string | undefined): boolean =>
  /^\d{1,12}$/.test(sentSeconds ?? '') && Math.abs(receivedAt(callback) - Number(sentSeconds) * 1_000) <= toleranceMs;

export const sha256Hex = (text: string): string => createHash('sha256').update(text).digest('hex');
