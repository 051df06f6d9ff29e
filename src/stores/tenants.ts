import type { Database } from './database';

/** The operator's own; it alone reaches beyond itself. */
export const defaultTenantId = 'ten_default';

export type Tenant = { id: string; name: string; weight: number };

export const createTenant = async (database: Database, tenant: Tenant): Promise<'created' | 'name_taken'> => {
  const { count } = await database.tenant.createMany({ data: [tenant], skipDuplicates: true });
  return count === 1 ? 'created' : 'name_taken';
};

const refusals: Readonly<Record<string, 'name_taken' | 'missing'>> = { P2002: 'name_taken', P2025: 'missing' };

/** A weight holds from the next attempt that asks for its turn. */
export const changeTenant = async (
  database: Database,
  id: string,
  change: Partial<Omit<Tenant, 'id'>>,
): Promise<Tenant | 'name_taken' | 'missing'> => {
  try {
    return await database.tenant.update({
      where: { id },
      data: change,
      select: { id: true, name: true, weight: true },
    });
  } catch (error) {
    const refusal = refusals[String((error as { code?: unknown }).code)];
    if (refusal === undefined) throw error;
    return refusal;
  }
};

/** PostgreSQL answers and its schema is there. */
export const isDatabaseReady = async (database: Database): Promise<boolean> => {
  await database.tenant.findFirst({ select: { id: true } });
  return true;
};
