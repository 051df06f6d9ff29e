import type { LimitKind, LimitOverride } from '../domain/limits';
import { parseMoney } from '../domain/money';
import { inTransaction, type Database, type Statements, type Transaction } from './database';
import { Prisma } from './generated/client';
import { appendProviderEvent } from './provider-events';
import { wakeQueue } from './turns';

/** A limit set at run time, and since when. */
export type SetLimit = LimitOverride & { provider: string; changedAt: Date };

/** Which one. `credential`, `model` null: every key, the whole key. */
export type LimitName = { provider: string } & Omit<LimitOverride, 'most'>;

/** As it is read: empty for `null`. */
export type OverrideRow = Record<'provider' | 'credential' | 'model' | 'kind', string> & {
  most: string | null;
  changedAt: Date;
};

export const toOverride = ({ credential, model, kind, most }: Omit<OverrideRow, 'changedAt'>): LimitOverride => ({
  credential: credential || null,
  model: model || null,
  kind: kind as LimitKind,
  most: most === null ? null : parseMoney(most),
});

/** Of one provider, or of all, as a query for `OverrideRow`. */
export const overridesOf = (provider: string | null): Prisma.Sql => Prisma.sql`
  SELECT provider, credential, model, kind, most::text, changed_at AS "changedAt" FROM limit_overrides
  WHERE ${provider}::text IS NULL OR provider = ${provider}::text ORDER BY provider, credential, model, kind`;

/** Of one provider, or of all. */
export const readOverrides = async (database: Statements, provider: string | null = null): Promise<SetLimit[]> => {
  const rows = await database.$queryRaw<OverrideRow[]>(overridesOf(provider));
  return rows.map((row) => ({ ...toOverride(row), provider: row.provider, changedAt: row.changedAt }));
};

/** As it is told: money as a decimal text, the rest as numbers. */
export const tellAmount = (kind: LimitKind, amount: string | number): string | number =>
  kind === 'spend_per_month' ? parseMoney(amount) : Number(amount);

export type LimitSource = 'configuration' | 'run_time';

/** Whoever waits is looked at again: there may be room now. */
const announce = async (
  transaction: Transaction,
  { provider, credential, model, kind }: LimitName,
  change: { source: LimitSource; limit?: string | number | null },
): Promise<void> => {
  const data = { kind, ...change };
  await appendProviderEvent(transaction, { provider, credential, model, type: 'limit.changed', data });
  await wakeQueue(transaction, provider);
};

/** Stands above the configuration from the commit on. `false`: it was so already. */
export const setOverride = (database: Database, { most, ...name }: Omit<SetLimit, 'changedAt'>): Promise<boolean> =>
  inTransaction(database, async (transaction) => {
    const { provider, credential, model, kind } = name;
    const changed = await transaction.$executeRaw`
      INSERT INTO limit_overrides AS o (provider, credential, model, kind, most)
      VALUES (${provider}, ${credential ?? ''}, ${model ?? ''}, ${kind}, ${most}::numeric)
      ON CONFLICT (provider, credential, model, kind)
      DO UPDATE SET most = excluded.most, changed_at = clock_timestamp() WHERE o.most IS DISTINCT FROM excluded.most`;
    const limit = most === null ? null : tellAmount(kind, most);
    if (changed === 1) await announce(transaction, name, { source: 'run_time', limit });
    return changed === 1;
  });

/** What the configuration says holds again. `false`: it does already. */
export const deleteOverride = (database: Database, name: LimitName): Promise<boolean> =>
  inTransaction(database, async (transaction) => {
    const { provider, credential, model, kind } = name;
    const { count } = await transaction.limitOverride.deleteMany({
      where: { provider, credential: credential ?? '', model: model ?? '', kind },
    });
    if (count === 1) await announce(transaction, name, { source: 'configuration' });
    return count === 1;
  });
