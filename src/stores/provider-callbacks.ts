import { createHash } from 'node:crypto';
import { storable } from '../domain/text';
import { unique, type AttemptKey } from './attempts';
import { inTransaction, type Database, type Transaction } from './database';

/** A message as it came. Header names are in lower case. */
export type ReceivedCallback = { headers: Record<string, string>; body: string };

type Address = AttemptKey & { provider: string };

/** Nobody needs more than a few; whoever knows an address could send any number. */
const mostPerAttempt = 20;

/** The same words under another signature are another message: a forged one must not keep the true one out. */
const idOf = ({ provider, generationId, number }: Address, { headers, body }: ReceivedCallback): string => {
  const signed = Object.entries(headers)
    .filter(([name]) => name.includes('webhook'))
    .sort();
  return createHash('sha256')
    .update([provider, generationId, number, JSON.stringify(signed), body].join('\n'))
    .digest('hex');
};

/** Messages about one attempt are written one after the other, so that they can be counted. */
const lockAttempt = async (transaction: Transaction, { provider, generationId, number }: Address): Promise<boolean> => {
  const rows = await transaction.$queryRaw<object[]>`
    SELECT FROM attempts
    WHERE generation_id = ${generationId} AND number = ${number} AND provider = ${provider} FOR UPDATE`;
  return rows.length > 0;
};

/**
 * Keeps what a provider sent, once. `repeated`: it is there already; `full`: there are too many about this attempt;
 * `unknown`: there is no such attempt at this provider, any more.
 */
export const recordCallback = (
  database: Database,
  address: Address,
  { headers, body }: ReceivedCallback,
): Promise<'kept' | 'repeated' | 'full' | 'unknown'> =>
  inTransaction(database, async (transaction) => {
    if (!(await lockAttempt(transaction, address))) return 'unknown';
    const { provider, generationId, number } = address;
    const id = idOf(address, { headers, body });
    const present = await transaction.providerCallback.findMany({
      where: { generationId, number },
      select: { id: true },
    });
    if (present.some((callback) => callback.id === id)) return 'repeated';
    if (present.length >= mostPerAttempt) return 'full';
    await transaction.providerCallback.create({
      data: { id, provider, generationId, number, headers, body: storable(body) },
    });
    return 'kept';
  });

/** In the order in which they came. */
export const listCallbacks = async (
  database: Database,
  { generationId, number }: AttemptKey,
): Promise<ReceivedCallback[]> => {
  const rows = await database.providerCallback.findMany({
    where: { generationId, number },
    orderBy: [{ receivedAt: 'asc' }, { id: 'asc' }],
    select: { headers: true, body: true },
  });
  return rows.map(({ headers, body }) => ({ headers: headers as Record<string, string>, body }));
};

/** Who has the work of this attempt now: itself, or the last one that took it over, be it in a re-run. */
export const findFollower = async (database: Database, key: AttemptKey): Promise<AttemptKey> => {
  const attempt = await database.attempt.findUnique({ where: unique(key) });
  if (attempt?.status !== 'superseded') return key;
  const { generationId, number, supersededBy } = attempt;
  if (supersededBy !== null) return findFollower(database, { generationId, number: supersededBy });
  const adopter = await database.attempt.findFirst({ where: { adoptedFrom: `${generationId}/${number}` } });
  return adopter ? findFollower(database, adopter) : key;
};
