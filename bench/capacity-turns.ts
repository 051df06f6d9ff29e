import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { AttemptKey } from '../src/stores/attempts';
import { connectDatabase } from '../src/stores/database';
import { applyMigrations } from '../src/stores/migrations';
import { createTenant } from '../src/stores/tenants';
import { beginCrowd, tenantId } from '../test/stores/ledger';
import { mediaModel } from '../test/support/activity-bench';
import { startTestStack } from '../test/support/stack';
import type { FromClient, Subject, ToClient } from './capacity-client';
import type { Figure } from './figures';
import { median, quantile } from './statistics';

const processes = 4;
const clientsOfProcess = 5;
/** For `scarce` so few that half of the clients wait for one that ends. */
const slotsOf: Record<Subject, number> = { bare: 0, turns: 40, scarce: 10, steps: 40 };
const sliceMs = 8_000;
const rounds = 3;
/** More than one process gets through in a slice. */
const crowd = 3_000;

type Slice = { perSecond: number; timesMs: number[] };

const startClient = async (databaseUrl: string): Promise<ChildProcess> => {
  const client = fork(require.resolve('./capacity-client'), [databaseUrl, String(clientsOfProcess)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: { ...process.env, TEST_DATABASE_URL: databaseUrl },
  });
  await Promise.race([
    once(client, 'message'),
    once(client, 'exit').then(() => Promise.reject(new Error('a client did not start'))),
  ]);
  return client;
};

/** As the workflow service brings a signal from one worker to another. */
const relay = (clients: readonly ChildProcess[]): void => {
  for (const client of clients)
    client.on('message', (message: FromClient) => {
      if (message.kind === 'told') for (const other of clients) other.send(message satisfies ToClient);
    });
};

const untilDone = (client: ChildProcess): Promise<Extract<FromClient, { kind: 'done' }>> =>
  new Promise((resolve, reject) => {
    const hear = (message: FromClient): void => {
      if (message.kind !== 'done') return;
      client.off('message', hear);
      resolve(message);
    };
    client.on('message', hear);
    client.once('exit', () => reject(new Error('a client has ended')));
  });

const runSlice = async (
  clients: readonly ChildProcess[],
  subject: Subject,
  keysOf: () => Promise<AttemptKey[]>,
): Promise<Slice> => {
  const keys = await Promise.all(clients.map(keysOf));
  const startedAt = performance.now();
  const answers = clients.map((client, index) => {
    const done = untilDone(client);
    client.send({
      kind: 'slice',
      subject,
      forMs: sliceMs,
      slots: slotsOf[subject],
      keys: keys[index] ?? [],
    } satisfies ToClient);
    return done;
  });
  const done = await Promise.all(answers);
  const seconds = (performance.now() - startedAt) / 1000;
  return {
    perSecond: done.reduce((sum, { count }) => sum + count, 0) / seconds,
    timesMs: done.flatMap(({ timesMs }) => timesMs),
  };
};

const measure = async (databaseUrl: string): Promise<Record<Subject, Slice[]>> => {
  await applyMigrations(databaseUrl);
  const database = connectDatabase({ url: databaseUrl, poolSize: 2 });
  await createTenant(database, { id: tenantId, name: 'bench', weight: 1 });
  const clients = await Promise.all(Array.from({ length: processes }, () => startClient(databaseUrl)));
  relay(clients);
  const someKeys = (): Promise<AttemptKey[]> => beginCrowd(database, crowd, { model: mediaModel().id });
  const slices: Record<Subject, Slice[]> = { bare: [], turns: [], scarce: [], steps: [] };
  for (let round = 0; round < rounds; round += 1) {
    slices.bare.push(await runSlice(clients, 'bare', () => Promise.resolve([])));
    for (const subject of ['turns', 'scarce', 'steps'] as const)
      slices[subject].push(await runSlice(clients, subject, someKeys));
  }
  for (const client of clients) client.disconnect();
  await database.$disconnect();
  return slices;
};

/** Turns of one hot key, against the lock of a row that is handed on with nothing to decide. */
export const measureTurns = async (): Promise<Figure[]> => {
  const stack = await startTestStack({ pieces: ['postgres'] });
  try {
    const slices = await measure(stack.stack.databaseUrl ?? '');
    const rate = (subject: Subject): number => median(slices[subject].map(({ perSecond }) => perSecond));
    const timesOf = (subject: Subject): number[] => slices[subject].flatMap(({ timesMs }) => timesMs);
    const measured = `turns of one key, ${processes * clientsOfProcess} clients`;
    return [
      { measure: measured, name: 'lock handed on, nothing decided', value: rate('bare'), unit: '/s' },
      { measure: measured, name: 'turns', value: rate('turns'), unit: '/s', aim: { atLeast: 300 } },
      { measure: measured, name: 'turns / lock handed on', value: rate('turns') / rate('bare'), unit: '×' },
      {
        measure: measured,
        name: 'turn, from getting in line, p50',
        value: quantile(timesOf('turns'), 0.5),
        unit: 'ms',
      },
      {
        measure: measured,
        name: 'turn, from getting in line, p99',
        value: quantile(timesOf('turns'), 0.99),
        unit: 'ms',
      },
      { measure: measured, name: 'turns where half of them wait for a slot', value: rate('scarce'), unit: '/s' },
      { measure: measured, name: 'turn where half wait, p99', value: quantile(timesOf('scarce'), 0.99), unit: 'ms' },
      { measure: measured, name: 'turns as submit asks for them', value: rate('steps'), unit: '/s' },
      { measure: measured, name: 'turn as submit asks, p99', value: quantile(timesOf('steps'), 0.99), unit: 'ms' },
    ];
  } finally {
    await stack.stop();
  }
};
