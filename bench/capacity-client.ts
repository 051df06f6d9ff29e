import type { Dependencies } from '../src/activities/dependencies';
import { giveOn } from '../src/activities/rounds';
import { comeToTurn } from '../src/activities/turns';
import { unlimited } from '../src/domain/limits';
import { readAttempt, type AttemptKey } from '../src/stores/attempts';
import { connectDatabase } from '../src/stores/database';
import { readGeneration } from '../src/stores/generations';
import { lockQueue } from '../src/stores/standing';
import { joinLine, waitInLine } from '../src/stores/turns';
import { tenantId } from '../test/stores/ledger';
import { mediaModel, openActivityBench } from '../test/support/activity-bench';

export type Subject = 'bare' | 'turns' | 'scarce' | 'steps';

export type ToClient =
  | { kind: 'slice'; subject: Subject; forMs: number; slots: number; keys: AttemptKey[] }
  | { kind: 'told'; name: string };

export type FromClient =
  | { kind: 'ready' }
  | { kind: 'told'; name: string }
  | { kind: 'done'; count: number; timesMs: number[]; left: AttemptKey[] };

const say = (message: FromClient): void => void process.send?.(message);

const nameOf = ({ generationId, number }: AttemptKey): string => `${generationId}/${number}`;

const model = mediaModel();

let slots = 0;

/** One hot key: slots, and a window in which all that was sent is counted. */
const limitsOf: Dependencies['settings']['limitsOf'] = () => ({
  key: { ...unlimited, jobsInFlight: slots, requestsPerMinute: 1_000_000 },
  models: {},
  cooldownSeconds: 1,
});

const told = new Map<string, () => void>();

/** As long as its workflow would: until it is told, and now and then without. */
const untilTold = (key: AttemptKey): Promise<void> =>
  new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      told.delete(nameOf(key));
      resolve();
    };
    const timer = setTimeout(end, 5_000);
    told.set(nameOf(key), end);
  });

/** From getting in line until it has its turn: the queue alone. */
const getTurn = async (dependencies: Dependencies, key: AttemptKey): Promise<void> => {
  const { database } = dependencies;
  const { provider, id } = model;
  const waiting = untilTold(key);
  await joinLine(database, { ...key, provider, model: id, tenantId, priority: 1, tokens: 0, returns: false });
  const given = await giveOn(dependencies, provider);
  const isOwn = given.some(({ turn }) => nameOf(turn) === nameOf(key));
  if (isOwn || (await waitInLine(database, key))?.credential) return told.get(nameOf(key))?.();
  await waiting;
};

/** The same as `submit` asks for it: with its rows read before, and what it waits for published. */
const comeAsSubmit = async (dependencies: Dependencies, key: AttemptKey): Promise<void> => {
  const { database } = dependencies;
  for (;;) {
    const attempt = await readAttempt(database, key);
    const generation = await readGeneration(database, key.generationId);
    const waiting = untilTold(key);
    const coming = await comeToTurn(dependencies, { attempt, generation });
    if (coming.kind === 'over') throw new Error('a turn was refused');
    if (coming.kind === 'turn') return told.get(nameOf(key))?.();
    await waiting;
  }
};

/** It was sent and has ended: the least that a take, an answer and their records could be. */
const useTurn = async ({ database }: Dependencies, { generationId, number }: AttemptKey): Promise<void> => {
  await database.direct.$executeRaw`
    WITH used AS (DELETE FROM turns WHERE generation_id = ${generationId} AND number = ${number} RETURNING *)
    INSERT INTO sends (generation_id, number, epoch, provider, credential, model, tokens, at)
    SELECT generation_id, number, 1, provider, credential, model, tokens, clock_timestamp() FROM used`;
};

const takeTurn = async (
  dependencies: Dependencies,
  key: AttemptKey | undefined,
  come: typeof getTurn,
): Promise<void> => {
  if (!key) throw new Error('there are too few attempts for so many turns');
  await come(dependencies, key);
  await useTurn(dependencies, key);
  void giveOn(dependencies, model.provider);
};

/** The least there is: the lock of one row handed from client to client, with one write under it. */
const handOver = ({ database }: Dependencies): Promise<void> =>
  database.direct.$transaction(async (transaction) => {
    await lockQueue(transaction, 'bare');
    await transaction.$executeRaw`UPDATE queues SET given = given + 1 WHERE provider = 'bare'`;
  });

const works: Record<Subject, (dependencies: Dependencies, keys: AttemptKey[]) => Promise<void>> = {
  bare: handOver,
  turns: (dependencies, keys) => takeTurn(dependencies, keys.pop(), getTurn),
  scarce: (dependencies, keys) => takeTurn(dependencies, keys.pop(), getTurn),
  steps: (dependencies, keys) => takeTurn(dependencies, keys.pop(), comeAsSubmit),
};

const runSlice = async (
  dependencies: Dependencies,
  { clients, forMs, keys, subject }: { clients: number; forMs: number; keys: AttemptKey[]; subject: Subject },
): Promise<void> => {
  const timesMs: number[] = [];
  const startedAt = performance.now();
  const lane = async (): Promise<void> => {
    while (performance.now() - startedAt < forMs) {
      const from = performance.now();
      await works[subject](dependencies, keys);
      timesMs.push(performance.now() - from);
    }
  };
  await Promise.all(Array.from({ length: clients }, lane));
  say({ kind: 'done', count: timesMs.length, timesMs, left: keys });
};

/** A process of its own, as a worker is one. Arguments: the database, clients. */
const main = async (): Promise<void> => {
  const [url = '', clients = ''] = process.argv.slice(2);
  const bench = await openActivityBench([], [model]);
  const { settings, workflows } = bench.dependencies;
  const dependencies: Dependencies = {
    ...bench.dependencies,
    database: connectDatabase({ url, poolSize: 20 }),
    settings: { ...settings, limitsOf, waitThresholdMs: Infinity },
    workflows: {
      ...workflows,
      giveTurn: (key) => {
        say({ kind: 'told', name: nameOf(key) });
        return Promise.resolve('told');
      },
    },
  };
  process.on('message', (message: ToClient) => {
    if (message.kind === 'told') return told.get(message.name)?.();
    slots = message.slots;
    runSlice(dependencies, { clients: Number(clients), ...message }).catch((error: unknown) => {
      console.error(error);
      process.exit(1);
    });
  });
  process.once('disconnect', () => process.exit(0));
  say({ kind: 'ready' });
};

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
