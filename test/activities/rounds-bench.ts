import type { Dependencies } from '../../src/activities/dependencies';
import type { giveOn } from '../../src/activities/rounds';
import { comeToTurn } from '../../src/activities/turns';
import { unlimited, type Limits } from '../../src/domain/limits';
import { takeAttempt } from '../../src/stores/attempt-take';
import { readAttempt, recordEnding, type AttemptKey } from '../../src/stores/attempts';
import type { Database } from '../../src/stores/database';
import { readGeneration } from '../../src/stores/generations';
import { waitInLine } from '../../src/stores/turns';
import { beginCrowd, joinLineOf, makeSender, type Joining } from '../stores/ledger';
import { openActivityBench } from '../support/activity-bench';
import { makeModel } from '../support/generation-data';

export const provider = 'acme';

export type Told = Dependencies['workflows']['giveTurn'];

/** Of each key, and of each model of a key. */
export type Limited = { ofKey?: Partial<Limits>; ofModels?: Record<string, Partial<Limits>> };

export type RoundsBench = {
  database: Database;
  /** Nobody in line, no key used, and no limits. */
  clear(): Promise<void>;
  limit(limited: Limited): void;
  /** A worker of its own, with these keys. */
  startProcess(giveTurn?: Told, aliases?: readonly string[]): Dependencies;
  close(): Promise<void>;
};

export const openRounds = async (): Promise<RoundsBench> => {
  const models = ['acme/clip', 'acme/film'].map((id) => makeModel({ id }));
  const bench = await openActivityBench([], models);
  const { database, settings, workflows } = bench.dependencies;
  let limited: Limited = {};
  return {
    database,
    clear: async () => {
      limited = {};
      for (const table of ['turns', 'queues', 'sends', 'breakers', 'provider_credentials'])
        await database.$executeRawUnsafe(`DELETE FROM ${table}`);
      await database.attempt.updateMany({ data: { credential: null } });
    },
    limit: (wanted) => {
      limited = wanted;
    },
    startProcess: (giveTurn = () => Promise.resolve('told'), aliases = ['a', 'b']) =>
      bench.another({
        settings: {
          ...settings,
          limitsOf: () => ({
            ...{ key: { ...unlimited, ...limited.ofKey }, models: limited.ofModels ?? {} },
            cooldownSeconds: 30,
          }),
        },
        credentials: { [provider]: aliases.map((alias) => ({ alias, secret: alias, baseUrl: null })) },
        workflows: { ...workflows, giveTurn },
      }),
    close: () => bench.close(),
  };
};

export const ask = async (dependencies: Dependencies, key: AttemptKey) => {
  const { database } = dependencies;
  const [attempt, generation] = await Promise.all([
    readAttempt(database, key),
    readGeneration(database, key.generationId),
  ]);
  return comeToTurn(dependencies, { attempt, generation });
};

export const send = async (database: Database, key: AttemptKey, credential: string): Promise<void> => {
  expect(await takeAttempt(database, key, makeSender({ credential }))).toMatchObject({ kind: 'taken' });
};

export const finish = (database: Database, key: AttemptKey) =>
  recordEnding(database, key, {
    ...{ status: 'failed', code: 'provider_failed', message: 'done', costUsd: '0', from: ['submitting'] },
  });

export const idsOf = (given: Awaited<ReturnType<typeof giveOn>>): string[] =>
  given.map(({ turn }) => turn.generationId);

/** Of one tenant, one after the other. */
export const lineUpMany = async (
  database: Database,
  count: number,
  { model, ...joining }: Joining & { model?: string } = {},
): Promise<AttemptKey[]> => {
  const keys = await beginCrowd(database, count, {
    ...(model && { model }),
    ...(joining.tenant && { tenant: joining.tenant }),
  });
  for (const key of keys) {
    await joinLineOf(database, key, joining);
    await waitInLine(database, key);
  }
  return keys;
};

/** Until it is so; the test's own time limit ends it otherwise. */
export const until = async (isSo: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20));
};

/** Work that is out with each key, and turns that were given: in one look. */
export const countHeld = async (database: Database): Promise<number[]> => {
  const rows = await database.$queryRaw<{ count: number }[]>`
    SELECT count(*)::int AS count FROM (
      SELECT credential FROM attempts WHERE status IN ('submitting', 'submitted') AND credential IS NOT NULL
      UNION ALL SELECT credential FROM turns WHERE lease_until > clock_timestamp()) AS held
    GROUP BY credential`;
  return rows.map(({ count }) => count);
};
