import { createHash } from 'node:crypto';
import { inTransaction, type Database } from './database';
import { defaultTenantId } from './tenants';

export const scopes = ['submit', 'read', 'operate', 'admin'] as const;
/** `admin` implies all. */
export type Scope = (typeof scopes)[number];

type ApiKey = {
  id: string;
  tenantId: string;
  /** The tenant's share of what is scarce. */
  weight: number;
  scopes: Scope[];
  expiresAt: Date | null;
};

const hashOf = (key: string): string => createHash('sha256').update(key).digest('hex');

/** Enough to tell keys apart in a list, too little to guess from. */
const prefixOf = (key: string): string => key.slice(0, 8);

/** One indexed SELECT. Expired keys are found too. */
export const findApiKey = async (database: Database, key: string): Promise<ApiKey | null> => {
  const rows = await database.$queryRaw<ApiKey[]>`
    SELECT k.id, k.tenant_id AS "tenantId", t.weight, k.scopes, k.expires_at AS "expiresAt"
    FROM api_keys k JOIN tenants t ON t.id = k.tenant_id WHERE k.hash = ${hashOf(key)}`;
  return rows[0] ?? null;
};

type NewApiKey = {
  id: string;
  tenantId: string;
  name: string;
  /** Kept as its hash only. */
  key: string;
  scopes: Scope[];
  expiresAt: Date | null;
};

export const createApiKey = async (
  database: Database,
  { key, ...row }: NewApiKey,
): Promise<{ prefix: string } | 'tenant_missing'> => {
  const tenant = await database.tenant.findUnique({ where: { id: row.tenantId }, select: { id: true } });
  if (!tenant) return 'tenant_missing';
  const prefix = prefixOf(key);
  await database.apiKey.create({ data: { ...row, hash: hashOf(key), prefix } });
  return { prefix };
};

/**
 * Tenant `default` and the key of `SURESHOT_API_KEY`, whatever was there before. It has one row: another key at the next
 * start takes the place of the last one, which then opens nothing.
 */
export const ensureBootstrapKey = (database: Database, key: string): Promise<void> => {
  const id = 'key_bootstrap';
  const hash = hashOf(key);
  const row = { tenantId: defaultTenantId, name: 'bootstrap', hash, prefix: prefixOf(key), scopes: ['admin'] };
  return inTransaction(database, async (transaction) => {
    await transaction.tenant.createMany({ data: [{ id: defaultTenantId, name: 'default' }], skipDuplicates: true });
    await transaction.apiKey.deleteMany({ where: { hash, id: { not: id } } });
    await transaction.apiKey.upsert({ where: { id }, create: { id, ...row }, update: { ...row, expiresAt: null } });
  });
};
