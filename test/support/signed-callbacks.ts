import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import type { Callback } from '../../src/providers/provider';

export type KeyPair = { publicKey: KeyObject; privateKey: KeyObject };

export const makeEd25519 = (): KeyPair => generateKeyPairSync('ed25519');
export const makeRsa = (): KeyPair => generateKeyPairSync('rsa', { modulusLength: 2_048 });

/** As a provider publishes its keys; `kid` is the name where one is given. */
export const toKeySet = (...keys: (KeyPair & { kid?: string })[]) => ({
  keys: keys.map(({ publicKey, kid }) => ({ ...publicKey.export({ format: 'jwk' }), ...(kid && { kid }), use: 'sig' })),
});

/** With the time at which our API took it in. */
const received = (headers: Record<string, string>, at: Date): Record<string, string> => ({
  ...headers,
  'x-sureshot-received-at': at.toISOString(),
});

/** Written from fal's description of its webhooks. */
export const signLikeFal = (
  { privateKey }: KeyPair,
  body: string,
  { sentAt, receivedAt = sentAt }: { sentAt: Date; receivedAt?: Date },
): Callback => {
  const timestamp = String(Math.floor(sentAt.getTime() / 1_000));
  const hash = createHash('sha256').update(body).digest('hex');
  const signature = sign(null, Buffer.from(['req-1', 'user-1', timestamp, hash].join('\n')), privateKey);
  const headers = {
    'x-fal-webhook-request-id': 'req-1',
    'x-fal-webhook-user-id': 'user-1',
    'x-fal-webhook-timestamp': timestamp,
    'x-fal-webhook-signature': signature.toString('hex'),
  };
  return { headers: received(headers, receivedAt), body };
};

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

export const makeToken = ({ privateKey }: KeyPair, header: object, claims: object): string => {
  const content = `${encode(header)}.${encode(claims)}`;
  return `${content}.${sign('sha256', Buffer.from(content), privateKey).toString('base64url')}`;
};

export const callLikeGoogle = (
  token: string,
  body: string,
  { sentAt, receivedAt = sentAt }: { sentAt: Date; receivedAt?: Date },
): Callback => ({
  headers: received(
    {
      'webhook-id': 'msg_1',
      'webhook-timestamp': String(Math.floor(sentAt.getTime() / 1_000)),
      'webhook-signature': token,
    },
    receivedAt,
  ),
  body,
});
