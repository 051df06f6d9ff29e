import type { Medium, Strategy } from '../domain/generation';
import { inTransaction, type Database } from './database';

/** What a tenant, or one of its users, wants where a request leaves it open. `null`: nothing. */
export type Preference = { model: string | null; strategy: Strategy | null };

/** `user` null: the whole tenant. */
export type Owner = { tenantId: string; user: string | null };

/** A member that is absent stays as it is; an entry that is null goes. */
export type PreferenceChange = { model?: string | null | undefined; strategy?: Strategy | null | undefined } | null;

const userColumn = ({ user }: Owner): string => user ?? '';

export const listPreferences = async (database: Database, owner: Owner): Promise<Map<Medium, Preference>> => {
  const where = { tenantId: owner.tenantId, user: userColumn(owner) };
  const rows = await database.preference.findMany({ where });
  return new Map(
    rows.map(({ medium, model, strategy }) => [medium as Medium, { model, strategy: strategy as Strategy | null }]),
  );
};

/** Of the user and of the tenant, for one medium. */
export const findPreferences = async (
  database: Database,
  { tenantId, user, medium }: Owner & { medium: Medium },
): Promise<{ user: Preference | null; tenant: Preference | null }> => {
  const users = user === null ? [''] : ['', user];
  const rows = await database.preference.findMany({ where: { tenantId, medium, user: { in: users } } });
  const of = (name: string): Preference | null => {
    const row = rows.find((one) => one.user === name);
    return row ? { model: row.model, strategy: row.strategy as Strategy | null } : null;
  };
  return { user: user === null ? null : of(user), tenant: of('') };
};

const given = <Value>(name: string, value: Value | undefined): object => (value === undefined ? {} : { [name]: value });

/** All of it or nothing. What then says nothing is not kept. */
export const changePreferences = (
  database: Database,
  owner: Owner,
  changes: ReadonlyMap<Medium, PreferenceChange>,
): Promise<void> =>
  inTransaction(database, async (transaction) => {
    const { tenantId } = owner;
    const user = userColumn(owner);
    for (const [medium, change] of changes) {
      const { model, strategy } = change ?? { model: null, strategy: null };
      const values = { ...given('model', model), ...given('strategy', strategy) };
      await transaction.preference.upsert({
        where: { tenantId_user_medium: { tenantId, user, medium } },
        create: { tenantId, user, medium, ...values },
        update: values,
      });
    }
    await transaction.preference.deleteMany({ where: { tenantId, user, model: null, strategy: null } });
  });
