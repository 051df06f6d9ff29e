import type { AttemptKey } from './attempts';
import type { Database, Transaction } from './database';

export type NewSend = AttemptKey & {
  epoch: number;
  provider: string;
  credential: string;
  model: string;
  /** The most it may use. */
  tokens: number;
};

/** It is about to be sent: from now on it counts. */
export const insertSend = async (
  transaction: Transaction,
  { generationId, number, epoch, provider, credential, model, tokens }: NewSend,
): Promise<void> => {
  await transaction.$executeRaw`
    INSERT INTO sends (generation_id, number, epoch, provider, credential, model, tokens, at)
    VALUES (${generationId}, ${number}, ${epoch}, ${provider}, ${credential}, ${model}, ${tokens}, clock_timestamp())`;
};

/** It went out later than it was announced: the provider's window begins now. */
export const delaySend = async (
  database: Database,
  { generationId, number, epoch }: AttemptKey & { epoch: number },
): Promise<void> => {
  await database.$executeRaw`
    UPDATE sends SET at = clock_timestamp()
    WHERE generation_id = ${generationId} AND number = ${number} AND epoch = ${epoch}`;
};

/** Announced and never sent. */
export const deleteSend = async (
  transaction: Transaction,
  { generationId, number, epoch }: AttemptKey & { epoch: number },
): Promise<void> => {
  await transaction.$executeRaw`
    DELETE FROM sends WHERE generation_id = ${generationId} AND number = ${number} AND epoch = ${epoch}`;
};

/** What no window and no figure looks at any more. */
export const deleteOldSends = (database: Database): Promise<number> =>
  database.$executeRaw`DELETE FROM sends WHERE at < statement_timestamp() - interval '8 days'`;
