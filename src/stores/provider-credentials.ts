import { inTransaction, type Database, type Transaction } from './database';
import type { ProviderCredential } from './generated/client';
import { appendProviderEvent } from './provider-events';
import { wakeQueue } from './turns';

export type CredentialSource = 'environment' | 'api';

/** One key of a provider: which one, and how it fares. Its secret is in the vault, under the print. */
export type ProviderCredentialRow = Omit<ProviderCredential, 'source'> & {
  source: CredentialSource;
  /** By the database's clock: nothing is sent before `pausedUntil`. */
  isPaused: boolean;
};

/** Which key has this name. */
export type NamedKey = { provider: string; alias: string; print: string };

export const defaultKeyPriority = 100;
export const defaultKeyWeight = 1;

/** All of them, or one provider's: those that come first in front. */
export const listProviderCredentials = (
  database: Database | Transaction,
  provider: string | null = null,
): Promise<ProviderCredentialRow[]> =>
  database.$queryRaw`
    SELECT provider, alias, source, print, priority, weight, disabled_by AS "disabledBy", disabled_at AS "disabledAt",
      paused_until AS "pausedUntil", coalesce(paused_until > clock_timestamp(), false) AS "isPaused", failures,
      last_error_code AS "lastErrorCode", last_error_at AS "lastErrorAt", last_used_at AS "lastUsedAt",
      created_at AS "createdAt"
    FROM provider_credentials WHERE ${provider}::text IS NULL OR provider = ${provider}::text
    ORDER BY provider, priority, alias COLLATE "C"`;

const unique = ({ provider, alias }: { provider: string; alias: string }) => ({ provider_alias: { provider, alias } });

const namesLock = 7_236_502;

/** Names are given by one at a time: two that come together must not both have one, nor a key two. */
const lockNames = async (transaction: Transaction): Promise<void> => {
  await transaction.$executeRaw`SELECT pg_advisory_xact_lock(${namesLock}::bigint)`;
};

const isSame = (left: NamedKey, right: NamedKey): boolean =>
  left.provider === right.provider && left.alias === right.alias;

const untried = {
  disabledBy: null,
  disabledAt: null,
  pausedUntil: null,
  failures: 0,
  lastErrorCode: null,
  lastErrorAt: null,
  lastUsedAt: null,
} as const;

type KeyState = Pick<ProviderCredentialRow, keyof typeof untried | 'priority' | 'weight'>;

const stateOf = (row: ProviderCredentialRow): KeyState => ({
  priority: row.priority,
  weight: row.weight,
  disabledBy: row.disabledBy,
  disabledAt: row.disabledAt,
  pausedUntil: row.pausedUntil,
  failures: row.failures,
  lastErrorCode: row.lastErrorCode,
  lastErrorAt: row.lastErrorAt,
  lastUsedAt: row.lastUsedAt,
});

/**
 * How a key stands that the environment names. What it went through belongs to the secret, which may have got another
 * name: numbers move up when a key in front of it leaves. A new secret has gone through nothing.
 */
const stateFor = (key: NamedKey, rows: readonly ProviderCredentialRow[]): KeyState => {
  const holder = rows.find((row) => row.provider === key.provider && row.print === key.print);
  if (holder) return stateOf(holder);
  const namesake = rows.find((row) => isSame(row, key));
  return {
    ...untried,
    priority: namesake?.priority ?? defaultKeyPriority,
    weight: namesake?.weight ?? defaultKeyWeight,
  };
};

export type KeyChange = { provider: string; alias: string; change: 'added' | 'changed' | 'removed' };

const writeKey = async (
  transaction: Transaction,
  key: NamedKey,
  rows: readonly ProviderCredentialRow[],
): Promise<KeyChange | null> => {
  const { provider, alias, print } = key;
  const namesake = rows.find((row) => isSame(row, key));
  if (namesake?.print === print && namesake.source === 'environment') return null;
  const state = stateFor(key, rows);
  await transaction.providerCredential.upsert({
    where: unique(key),
    create: { provider, alias, print, source: 'environment', ...state },
    update: { print, source: 'environment', ...state },
  });
  const wasDisabled = namesake !== undefined && namesake.disabledBy !== null;
  if (wasDisabled && state.disabledBy === null)
    await appendProviderEvent(transaction, {
      provider,
      credential: alias,
      type: 'key.enabled',
      data: { by: 'environment' },
    });
  return { provider, alias, change: namesake === undefined ? 'added' : 'changed' };
};

/** Left the environment, or was given by API and stands in the environment now, under another name. */
const isOutdated = (row: ProviderCredentialRow, keys: readonly NamedKey[]): boolean =>
  !keys.some((key) => isSame(key, row)) &&
  (row.source === 'environment' ||
    keys.some(({ provider, print }) => provider === row.provider && print === row.print));

/**
 * The environment's keys are those of whoever started last. Returns what is another now. What is taken out is sent with no
 * more; it stays in the vault for the work that is out.
 */
export const syncEnvironmentKeys = async (database: Database, keys: readonly NamedKey[]): Promise<KeyChange[]> => {
  const changes = await inTransaction(database, async (transaction): Promise<KeyChange[]> => {
    await lockNames(transaction);
    const rows = await listProviderCredentials(transaction);
    const outdated = rows.filter((row) => isOutdated(row, keys));
    for (const row of outdated) await transaction.providerCredential.delete({ where: unique(row) });
    const done: KeyChange[] = outdated.map(({ provider, alias }) => ({ provider, alias, change: 'removed' }));
    for (const key of keys) {
      const change = await writeKey(transaction, key, rows);
      if (change) done.push(change);
    }
    return done;
  });
  // not before the commit: whoever gives turns holds the queue and wants the keys
  const fresh = changes.filter(({ change }) => change !== 'removed').map(({ provider }) => provider);
  for (const provider of new Set(fresh)) await wakeQueue(database, provider);
  return changes;
};

/** Who has the name, or the key under another name. */
export type KeyConflict = { of: 'alias' | 'key'; alias: string; source: CredentialSource };

export const findKeyConflict = async (
  database: Database | Transaction,
  { provider, alias, print }: NamedKey,
): Promise<KeyConflict | null> => {
  const rows = await listProviderCredentials(database, provider);
  const namesake = rows.find((row) => row.alias === alias);
  if (namesake) return { of: 'alias', alias, source: namesake.source };
  const holder = rows.find((row) => row.print === print);
  return holder ? { of: 'key', alias: holder.alias, source: holder.source } : null;
};

export type Preference = { priority: number; weight: number };

/** Of a key that is in the vault already. `null`: it is in use from now on. */
export const addApiKey = async (database: Database, key: NamedKey & Preference): Promise<KeyConflict | null> => {
  const conflict = await inTransaction(database, async (transaction) => {
    await lockNames(transaction);
    const found = await findKeyConflict(transaction, key);
    if (!found) await transaction.providerCredential.create({ data: { ...key, source: 'api' } });
    return found;
  });
  if (!conflict) await wakeQueue(database, key.provider);
  return conflict;
};

/** It stays in the vault, for the work that is out. */
export const removeApiKey = async (
  database: Database,
  provider: string,
  alias: string,
): Promise<'removed' | 'unknown' | 'environment'> => {
  const { count } = await database.providerCredential.deleteMany({ where: { provider, alias, source: 'api' } });
  if (count > 0) return 'removed';
  const row = await database.providerCredential.findUnique({ where: unique({ provider, alias }) });
  return row ? 'environment' : 'unknown';
};

/** `false`: there is no such key. */
export const adjustKey = async (
  database: Database,
  { provider, alias }: { provider: string; alias: string },
  preference: Partial<Preference>,
): Promise<boolean> => {
  const { count } = await database.providerCredential.updateMany({ where: { provider, alias }, data: preference });
  return count > 0;
};

type Switch = { provider: string; alias: string; enabled: boolean };

/** Whoever switches a key on wants it used now: that ends a pause too. Returns whether it was the other way round before. */
const turnSwitch = async (transaction: Transaction, { provider, alias, enabled }: Switch): Promise<boolean> => {
  const turned = enabled
    ? await transaction.$executeRaw`
        UPDATE provider_credentials SET disabled_by = NULL, disabled_at = NULL, failures = 0, paused_until = NULL
        WHERE provider = ${provider} AND alias = ${alias}
          AND (disabled_by IS NOT NULL OR paused_until > clock_timestamp())`
    : await transaction.$executeRaw`
        UPDATE provider_credentials SET disabled_by = 'operator', disabled_at = clock_timestamp()
        WHERE provider = ${provider} AND alias = ${alias} AND disabled_by IS NULL`;
  return turned > 0;
};

/** A person's switch, for keys of either source. `false`: there is no such key. */
export const setEnabled = async (
  database: Database,
  key: Omit<Switch, 'enabled'>,
  enabled: boolean,
): Promise<boolean> => {
  const { provider, alias } = key;
  const found = await inTransaction(database, async (transaction) => {
    if (await turnSwitch(transaction, { provider, alias, enabled })) {
      const type = enabled ? 'key.enabled' : 'key.disabled';
      await appendProviderEvent(transaction, { provider, credential: alias, type, data: { by: 'operator' } });
      return true;
    }
    return (await transaction.providerCredential.findUnique({ where: unique(key) })) !== null;
  });
  if (found && enabled) await wakeQueue(database, provider);
  return found;
};
