import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import type { Database } from './database';

/** 32 bytes, and the name it goes by in front of what it sealed. */
export type EncryptionKey = { id: string; key: Buffer };

type Sealable = { alias: string; secret: string };

type Place = { provider: string; alias: string; print: string };

const cipherName = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;

const printOf = (secret: string): string => createHash('sha256').update(secret).digest('hex').slice(0, 16);

const nameOf = ({ provider, alias, print }: Place): string => `${provider}/${alias}/${print}`;

const seal = ({ id, key }: EncryptionKey, place: Place, text: string): string => {
  const nonce = randomBytes(nonceBytes);
  // what is sealed for one place opens in no other
  const cipher = createCipheriv(cipherName, key, nonce).setAAD(Buffer.from(nameOf(place)));
  const hidden = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return `${id}.${Buffer.concat([nonce, hidden, cipher.getAuthTag()]).toString('base64')}`;
};

const decrypt = (key: Buffer, place: Place, bytes: Buffer): string => {
  const decipher = createDecipheriv(cipherName, key, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes });
  decipher.setAAD(Buffer.from(nameOf(place))).setAuthTag(bytes.subarray(-tagBytes));
  const hidden = bytes.subarray(nonceBytes, -tagBytes);
  return Buffer.concat([decipher.update(hidden), decipher.final()]).toString('utf8');
};

/** `null`: sealed by a key that we do not have, or for another place, or altered. */
const unseal = (keys: readonly EncryptionKey[], place: Place, sealed: string): string | null => {
  const [id = '', encoded = ''] = sealed.split('.');
  const found = keys.find((key) => key.id === id);
  if (!found) return null;
  try {
    return decrypt(found.key, place, Buffer.from(encoded, 'base64'));
  } catch {
    return null;
  }
};

const readText = async (database: Database, keys: readonly EncryptionKey[], place: Place): Promise<string | null> => {
  const row = await database.keptCredential.findUnique({ where: { provider_alias_print: place } });
  return row && unseal(keys, place, row.sealed);
};

/** What nobody can open any more is replaced: the key is at hand now. What can be opened stays as it is. */
const writeOnce = async (
  database: Database,
  keys: readonly [EncryptionKey, ...EncryptionKey[]],
  { place, text }: { place: Place; text: string },
): Promise<void> => {
  if ((await readText(database, keys, place)) !== null) return;
  const { provider, alias, print } = place;
  const sealed = seal(keys[0], place, text);
  await database.$executeRaw`
    INSERT INTO kept_credentials (provider, alias, print, sealed) VALUES (${provider}, ${alias}, ${print}, ${sealed})
    ON CONFLICT (provider, alias, print) DO UPDATE SET sealed = excluded.sealed`;
};

const batchSize = 100;

/** One batch of what an older key sealed. Returns how many were looked at and how many are sealed anew. */
const rewrapBatch = async (database: Database, keys: readonly [EncryptionKey, ...EncryptionKey[]]) => {
  const [first, ...older] = keys;
  const rows = await database.$queryRaw<(Place & { sealed: string })[]>`
    SELECT provider, alias, print, sealed FROM kept_credentials
    WHERE split_part(sealed, '.', 1) = ANY(${older.map(({ id }) => id)}) LIMIT ${batchSize}`;
  const changed = await Promise.all(
    rows.map(async ({ sealed, ...place }) => {
      const text = unseal(keys, place, sealed);
      if (text === null) return 0;
      const renewed = await database.keptCredential.updateMany({
        where: { ...place, sealed },
        data: { sealed: seal(first, place, text) },
      });
      return renewed.count;
    }),
  );
  return { seen: rows.length, renewed: changed.reduce((sum, count) => sum + count, 0) };
};

/**
 * Keeps credentials encrypted in the database. The first key seals, every one opens. Each credential is written once
 * in the life of a process, so that keeping it before every send costs nothing.
 */
export const createVault = <Credential extends Sealable>(database: Database, keys: readonly EncryptionKey[]) => {
  const [first, ...older] = keys;
  if (!first) throw new Error('a vault needs a key');
  const all = [first, ...older] as const;
  const kept = new Map<string, Promise<void>>();

  const keep = async (provider: string, credential: Credential): Promise<string> => {
    const place = { provider, alias: credential.alias, print: printOf(credential.secret) };
    const name = nameOf(place);
    const work = kept.get(name) ?? writeOnce(database, all, { place, text: JSON.stringify(credential) });
    kept.set(name, work);
    try {
      await work;
    } catch (error) {
      kept.delete(name);
      throw error;
    }
    return place.print;
  };

  const open = async (provider: string, alias: string, print: string): Promise<Credential | null> => {
    const text = await readText(database, all, { provider, alias, print });
    return text === null ? null : (JSON.parse(text) as Credential);
  };

  /** After a change of keys: seals anew what an older one sealed, so that it can be given up. Returns how many. */
  const rewrap = async (): Promise<number> => {
    let total = 0;
    for (;;) {
      const { seen, renewed } = await rewrapBatch(database, all);
      total += renewed;
      if (seen < batchSize || renewed === 0) return total;
    }
  };

  return { keep, open, rewrap, printOf: ({ secret }: Credential): string => printOf(secret) };
};
