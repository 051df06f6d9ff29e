import { hkdfSync } from 'node:crypto';
import type { EncryptionKey } from './stores/vault';

/** Of the key that `SURESHOT_SECRET` gives. */
const derivedId = 'secret';
const keyBytes = 32;

const named = /^([A-Za-z][\w-]{0,31})=(.*)$/s;
const base64 = /^[A-Za-z0-9+/]{43}=?$/;

/** An entry is told by its place or its name, never by its text: it may be nothing but a key. */
const readEntry = (entry: string, place: number): EncryptionKey | string => {
  const [, id, encoded = ''] = named.exec(entry) ?? [];
  if (id === undefined) return `entry ${place} must be id=base64`;
  if (id === derivedId) return `entry ${place} cannot have the id ${derivedId}`;
  return base64.test(encoded)
    ? { id, key: Buffer.from(encoded, 'base64') }
    : `entry ${place} must have ${keyBytes} bytes in base64`;
};

/** `id=base64,…`: what there is, and what is wrong with it. */
export const readEncryptionKeys = (text: string): { keys: EncryptionKey[]; problems: string[] } => {
  const entries = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  const read = entries.map((entry, index) => readEntry(entry, index + 1));
  const keys = read.filter((entry) => typeof entry !== 'string');
  const repeated = keys.filter(({ id }, index) => keys.findIndex((key) => key.id === id) < index);
  return {
    keys,
    problems: [
      ...read.filter((entry) => typeof entry === 'string'),
      ...repeated.map(({ id }) => `uses the id ${id} twice`),
    ].map((problem) => `SURESHOT_ENCRYPTION_KEYS ${problem}`),
  };
};

/** What seals where no key is set, and opens afterwards what it sealed until then. */
export const deriveEncryptionKey = (secret: string): EncryptionKey => ({
  id: derivedId,
  key: Buffer.from(hkdfSync('sha256', secret, '', 'sureshot kept credentials', keyBytes)),
});
