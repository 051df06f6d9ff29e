import { afterTrouble, isNewPause, type KeyHealth, type Trouble } from '../domain/key-health';
import { inTransaction, type Database, type Transaction } from './database';
import { appendProviderEvent } from './provider-events';

/** One key. `print` tells it from others that had its name: what an old one hears is not said of the new one. */
export type KeyName = { provider: string; alias: string; print: string };

export type KeyNews = {
  trouble: Trouble;
  code: string;
  /** `null`: it was no send. */
  sentAt: Date | null;
  cooldownSeconds: number;
};

const lockKey = async (
  transaction: Transaction,
  { provider, alias, print }: KeyName,
): Promise<(KeyHealth & { now: Date }) | null> => {
  const rows = await transaction.$queryRaw<(KeyHealth & { now: Date })[]>`
    SELECT failures, paused_until AS "pausedUntil", disabled_by AS "disabledBy", last_error_at AS "lastErrorAt",
      clock_timestamp() AS now
    FROM provider_credentials WHERE provider = ${provider} AND alias = ${alias} AND print = ${print} FOR UPDATE`;
  return rows[0] ?? null;
};

const announce = async (
  transaction: Transaction,
  { provider, alias }: KeyName,
  { before, after, code, now }: { before: KeyHealth; after: KeyHealth; code: string; now: Date },
): Promise<void> => {
  const subject = { provider, credential: alias };
  if (isNewPause(before, after, now)) {
    const data = { code, until: after.pausedUntil?.toISOString(), failures: after.failures };
    await appendProviderEvent(transaction, { ...subject, type: 'key.paused', data });
  }
  if (before.disabledBy === null && after.disabledBy !== null)
    await appendProviderEvent(transaction, { ...subject, type: 'key.disabled', data: { by: after.disabledBy } });
};

/** The key was refused, limited or let down: pauses it or switches it off. Nothing for a key that has gone. */
export const recordTrouble = (
  database: Database,
  key: KeyName,
  { trouble, code, sentAt, cooldownSeconds }: KeyNews,
): Promise<void> =>
  inTransaction(database, async (transaction) => {
    const before = await lockKey(transaction, key);
    if (!before) return;
    const { now } = before;
    const after = afterTrouble(before, trouble, { now, sentAt, cooldownSeconds });
    await transaction.$executeRaw`
      UPDATE provider_credentials SET failures = ${after.failures}, paused_until = ${after.pausedUntil},
        disabled_at = CASE WHEN disabled_by IS NULL AND ${after.disabledBy}::text IS NOT NULL
          THEN ${now}::timestamptz ELSE disabled_at END,
        disabled_by = ${after.disabledBy}, last_error_code = ${code}, last_error_at = ${now}
      WHERE provider = ${key.provider} AND alias = ${key.alias}`;
    await announce(transaction, key, { before, after, code, now });
  });

/** The key did what was asked of it: the row of its failures is over. A pause the provider asked for is not. */
export const endTrouble = async (database: Database, { provider, alias, print }: KeyName): Promise<void> => {
  await database.$executeRaw`
    UPDATE provider_credentials SET failures = 0
    WHERE provider = ${provider} AND alias = ${alias} AND print = ${print} AND failures > 0`;
};
