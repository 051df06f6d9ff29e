import type { Given } from '../../src/domain/turns';
import type { AttemptKey } from '../../src/stores/attempts';
import { inTransaction, type Database } from '../../src/stores/database';
import { recordRound, waitInLine } from '../../src/stores/turns';
import { beginWith, joinLineOf, placeAll, type Joining } from './ledger';

/** A generation in line; the number of its attempt is 1. */
export const lineUp = async (
  database: Database,
  { model, ...joining }: Joining & { model?: string } = {},
): Promise<AttemptKey> => {
  const key = await beginWith(database, { ...(model && { model }), ...(joining.tenant && { tenant: joining.tenant }) });
  await joinLineOf(database, key, joining);
  await placeAll(database, model?.split('/')[0]);
  await waitInLine(database, key);
  return key;
};

export const setQueue = (database: Database, virtualTimes: number[]) =>
  database.queue.create({ data: { provider: 'acme', virtualTimes } });

/** A round that gives these their turn. */
export const record = (database: Database, given: Pick<Given['turn'], 'generationId' | 'number'>[]) =>
  inTransaction(database, (transaction) =>
    recordRound(transaction, 'acme', {
      given: given.map((key) => ({ turn: key as Given['turn'], alias: 'main', isProbe: false })),
      ...{ at: new Date(), virtualTimes: [0, 0, 0], nextAt: null, paces: {} },
    }),
  );

/** As if it had been given this much earlier. */
export const ageTurn = (database: Database, { generationId, number }: AttemptKey, seconds: number) =>
  database.$executeRaw`UPDATE turns SET lease_until = lease_until - make_interval(secs => ${seconds}::float8),
    told_at = told_at - make_interval(secs => ${seconds}::float8)
    WHERE generation_id = ${generationId} AND number = ${number}`;
