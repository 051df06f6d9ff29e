import { createPrivateKey, createPublicKey, generateKeyPairSync, type JsonWebKey, type KeyObject } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { hashOf } from './operations';

type SigningKey = { id: string; key: KeyObject };

type Algorithm = 'ed25519' | 'rsa';

/** The private keys that providers sign with. Receivers cache the public ones, so they outlive a restart. */
export type SigningKeys = {
  /** Made when first asked for: an RSA key takes a moment. */
  of: (provider: string, algorithm: Algorithm) => SigningKey;
  /** Of the same name, and not the one in the provider's key set. */
  forge: (provider: string, algorithm: Algorithm) => SigningKey;
};

const generate = (algorithm: Algorithm): KeyObject =>
  algorithm === 'rsa'
    ? generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
    : generateKeyPairSync('ed25519').privateKey;

const readKeys = (path: string | undefined): Map<string, KeyObject> => {
  if (path === undefined || !existsSync(path)) return new Map();
  const stored = JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>;
  return new Map(Object.entries(stored).map(([name, pem]) => [name, createPrivateKey(pem)]));
};

const writeKeys = (path: string, keys: Map<string, KeyObject>): void => {
  const stored = [...keys].map(([name, key]) => [name, key.export({ type: 'pkcs8', format: 'pem' })]);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, JSON.stringify(Object.fromEntries(stored)), { mode: 0o600 });
  renameSync(`${path}.new`, path);
};

const publicJwk = (key: KeyObject): JsonWebKey => createPublicKey(key).export({ format: 'jwk' });

const idOf = (key: KeyObject): string => hashOf(publicJwk(key)).slice(0, 16);

export const openSigningKeys = (statePath: string | undefined): SigningKeys => {
  const path = statePath === undefined ? undefined : `${statePath}.keys`;
  const keys = readKeys(path);
  const forgeries = new Map<string, KeyObject>();
  const of = (provider: string, algorithm: Algorithm): SigningKey => {
    const known = keys.get(provider);
    const key = known ?? generate(algorithm);
    if (known === undefined) {
      keys.set(provider, key);
      if (path !== undefined) writeKeys(path, keys);
    }
    return { id: idOf(key), key };
  };
  const forge = (provider: string, algorithm: Algorithm): SigningKey => {
    const key = forgeries.get(provider) ?? generate(algorithm);
    forgeries.set(provider, key);
    return { id: of(provider, algorithm).id, key };
  };
  return { of, forge };
};

/** A key set as providers publish it. */
export const publicKeySet = ({ id, key }: SigningKey, algorithm: string): Record<string, unknown> => ({
  keys: [{ ...publicJwk(key), kid: id, use: 'sig', alg: algorithm }],
});
