import { SureshotError } from '../domain/failure';
import type { Database, Transaction } from './database';

/** Generations a tenant may have at once that have not ended. */
export type Admission = { tenantId: string; most: number };

/** In this time some of them usually end. */
const retryAfterSeconds = 30;

/** Tenants are counted under a lock when fewer places than this are left: more than all processes insert at once. */
const margin = 100;

const cacheMs = 1_000;

type Count = { live: number; atMs: number };

/** The last counts of this process, with what it has let in since. */
const counts = new WeakMap<Database, Map<string, Count>>();

const countsOf = (database: Database): Map<string, Count> => {
  const known = counts.get(database) ?? new Map<string, Count>();
  counts.set(database, known);
  return known;
};

const countLive = async (database: Database | Transaction, { tenantId, most }: Admission): Promise<number> => {
  const rows = await database.$queryRaw<{ live: number }[]>`
    SELECT count(*)::int AS live FROM (
      SELECT FROM generations WHERE tenant_id = ${tenantId} AND status IN ('queued', 'running') LIMIT ${most}) counted`;
  return rows[0]?.live ?? 0;
};

/** Far from the limit a count of this second will do, which costs the busiest tenants one count a second. */
const readCount = async (database: Database, admission: Admission, nowMs: number): Promise<Count> => {
  const known = countsOf(database);
  const cached = known.get(admission.tenantId);
  const isFresh = cached !== undefined && nowMs - cached.atMs < cacheMs;
  if (isFresh && cached.live < admission.most / 2) return cached;
  const count = { live: await countLive(database, admission), atMs: nowMs };
  known.set(admission.tenantId, count);
  return count;
};

const refuse = (most: number): SureshotError =>
  new SureshotError(
    'policy_rate_limited',
    `${most} generations of this tenant have not ended yet; send more when some of them have`,
    { retryAfterSeconds },
  );

/**
 * Throws where there is no room. `ample`: so much that it does not matter who else comes in at the same time. `nowMs` is of a
 * clock that only goes forward.
 */
export const checkRoom = async (
  database: Database,
  admission: Admission,
  nowMs: number = performance.now(),
): Promise<'ample' | 'scarce'> => {
  const { most } = admission;
  const count = await readCount(database, admission, nowMs);
  if (count.live >= most) throw refuse(most);
  if (count.live + margin >= most) return 'scarce';
  count.live += 1;
  return 'ample';
};

/** Until the end of the transaction nobody else of the tenant is let in: the count is exact. */
export const claimPlace = async (transaction: Transaction, admission: Admission): Promise<void> => {
  // does not stand in the way of rows that refer to the tenant
  await transaction.$executeRaw`SELECT FROM tenants WHERE id = ${admission.tenantId} FOR NO KEY UPDATE`;
  if ((await countLive(transaction, admission)) >= admission.most) throw refuse(admission.most);
};
