import type { Database } from './database';

const first = ([row]: { turn: number }[]): number => row?.turn ?? 0;

/** The number of a choice that takes turns between models: nobody else gets it, in any process. */
export const drawTurn = async (database: Database): Promise<number> =>
  first(await database.$queryRaw`SELECT nextval('round_robin')::float8 AS turn`);

/** The number the next one will get, as far as can be told. */
export const peekTurn = async (database: Database): Promise<number> =>
  first(
    await database.$queryRaw`SELECT (last_value + CASE WHEN is_called THEN 1 ELSE 0 END)::float8 AS turn FROM round_robin`,
  );
