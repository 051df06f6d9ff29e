import type { Database } from './database';

/** The operator's own; it alone reaches beyond itself. */
export const defaultTenantId = 'ten_default';

export const createTenant = async (
  database: Database,
  tenant: { id: string; name: string; weight: number },
): Promise<'created' | 'name_taken'> => {
  const { count } = await database.tenant.createMany({ data: [tenant], skipDuplicates: true });
  return count === 1 ? 'created' : 'name_taken';
};

/** PostgreSQL answers and its schema is there. */
export const isDatabaseReady = async (database: Database): Promise<boolean> => {
  await database.tenant.findFirst({ select: { id: true } });
  return true;
};
