import { createHmac, timingSafeEqual } from 'node:crypto';

/** Whose message it is: the attempt it was asked for, at the provider that was asked. */
export type CallbackAddress = { provider: string; generationId: string; number: number };

const sign = (secret: string, { provider, generationId, number }: CallbackAddress): Buffer =>
  createHmac('sha256', secret).update(`callback/${provider}/${generationId}/${number}`).digest();

/** The last part of the address that a provider calls: only we can have written it. */
export const writeCallbackToken = (secret: string, address: CallbackAddress): string =>
  `${address.generationId}.${address.number}.${sign(secret, address).toString('base64url')}`;

const shape = /^(gen_[0-9A-Z]{26})\.([1-9]\d{0,5})\.([\w-]{43})$/;

/** The attempt of `writeCallbackToken`; `null`: not ours, or another provider's. */
export const readCallbackToken = (
  secret: string,
  { provider, token }: { provider: string; token: string },
): CallbackAddress | null => {
  const [, generationId = '', number = '', signature = ''] = shape.exec(token) ?? [];
  const address = { provider, generationId, number: Number(number) };
  const offered = Buffer.from(signature, 'base64url');
  const expected = sign(secret, address);
  return offered.length === expected.length && timingSafeEqual(offered, expected) ? address : null;
};

/** Where a provider calls us about an attempt; `null` while nobody outside can reach us. */
export const callbackUrl = (
  { publicUrl, secret }: { publicUrl: string | null; secret: string },
  address: CallbackAddress,
): string | null =>
  publicUrl === null
    ? null
    : `${publicUrl}/webhooks/providers/${address.provider}/${writeCallbackToken(secret, address)}`;
