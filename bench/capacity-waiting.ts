import { setTimeout as pause } from 'node:timers/promises';
import { Client as Database } from 'pg';
import { startTestStack, type TestStack } from '../test/support/stack';
import type { Figure } from './figures';
import { readUsage } from './processes';

const crowd = 5_000;
const atOnce = 8;
const measuredMs = 60_000;
const settledMs = 15_000;

// two a minute go on: the queue has work for its dispatcher, and the crowd stays
const settings = `
providers: { mock: { limits: { requestsPerMinute: 2 } } }
admission: { queuedPerTenant: 100000 }
`;

const body = {
  medium: 'text',
  model: 'mock/text',
  input: { prompt: 'Write a line about the sea.' },
  deadlineSeconds: 86_000,
};

const submitCrowd = async (stack: TestStack, count: number): Promise<void> => {
  let left = count;
  const lane = async (): Promise<void> => {
    while ((left -= 1) >= 0) await stack.submit(body);
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
};

const untilAllWait = async (database: Database, count: number): Promise<void> => {
  for (;;) {
    const { rows } = await database.query<{ waiting: number }>(
      `SELECT count(*)::int AS waiting FROM generations WHERE status <> 'queued' AND phase IS NOT DISTINCT FROM 'waiting_for_capacity'`,
    );
    const ended = await database.query<{ ended: number }>(
      `SELECT count(*)::int AS ended FROM generations WHERE status NOT IN ('queued', 'running')`,
    );
    if ((rows[0]?.waiting ?? 0) + (ended.rows[0]?.ended ?? 0) >= count) return;
    await pause(500);
  }
};

/** CPU time of each process in a second. */
const spend = async (stack: TestStack): Promise<{ shares: [string, number][] }> => {
  const before = readUsage(stack.stack.pids());
  const startedAt = performance.now();
  await pause(measuredMs);
  const elapsedMs = performance.now() - startedAt;
  const after = readUsage(stack.stack.pids());
  const shares = Object.entries(after)
    .filter(([name]) => name !== 'emulator')
    .map(([name, { cpuMs }]): [string, number] => [name, ((cpuMs - (before[name]?.cpuMs ?? 0)) / elapsedMs) * 1000]);
  return { shares };
};

const sum = (shares: readonly [string, number][]): number => shares.reduce((total, [, share]) => total + share, 0);

/** What it costs that thousands wait, beside what the same processes cost with nobody there. */
export const measureWaiting = async (): Promise<Figure[]> => {
  const stack = await startTestStack({ settings });
  const database = new Database({ connectionString: stack.stack.databaseUrl ?? '', ssl: false });
  await database.connect();
  try {
    await pause(settledMs);
    const idle = await spend(stack);
    const startedAt = performance.now();
    await submitCrowd(stack, crowd);
    await untilAllWait(database, crowd);
    const seconds = (performance.now() - startedAt) / 1000;
    await pause(settledMs);
    const { shares } = await spend(stack);
    const measure = `CPU in a second while ${crowd} generations wait`;
    const unit = 'ms CPU';
    return [
      { measure, name: 'worker, API, database and Temporal', value: sum(shares), unit },
      { measure, name: 'the same with nobody waiting', value: sum(idle.shares), unit },
      { measure, name: 'for those who wait', value: sum(shares) - sum(idle.shares), unit, aim: { atMost: 100 } },
      ...shares.map(([name, value]): Figure => ({ measure, name, value, unit })),
      { measure, name: 'accepted and brought to the queue', value: crowd / seconds, unit: '/s' },
    ];
  } finally {
    await database.end();
    await stack.stop();
  }
};
