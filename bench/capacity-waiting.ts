import { setTimeout as pause } from 'node:timers/promises';
import { Client as Database } from 'pg';
import { startTestStack, type TestStack } from '../test/support/stack';
import type { Figure } from './figures';
import { readUsage } from './processes';

const crowd = 5_000;
const atOnce = 8;
const measuredMs = 60_000;
const settledMs = 15_000;
const looks = 500;
const lookEverySeconds = 6 * 3_600;

type Spent = { shares: [string, number][]; seconds: number };

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

/** CPU time of each process in a second, while `work` goes on. */
const spend = async (stack: TestStack, work: () => Promise<unknown>): Promise<Spent> => {
  const before = readUsage(stack.stack.pids());
  const startedAt = performance.now();
  await work();
  const seconds = (performance.now() - startedAt) / 1000;
  const after = readUsage(stack.stack.pids());
  const shares = Object.entries(after)
    .filter(([name]) => name !== 'emulator')
    .map(([name, { cpuMs }]): [string, number] => [name, (cpuMs - (before[name]?.cpuMs ?? 0)) / seconds]);
  return { shares, seconds };
};

/** Some of those who wait look again, as each of them does once in six hours: there is no other candidate. */
const lookAgain = async (database: Database): Promise<void> => {
  await database.query(
    `UPDATE turns SET told_at = to_timestamp(0) WHERE (generation_id, number) IN (
       SELECT generation_id, number FROM turns WHERE credential IS NULL LIMIT ${looks})`,
  );
  for (;;) {
    const { rows } = await database.query(`SELECT FROM turns WHERE told_at IS NOT NULL LIMIT 1`);
    if (rows.length === 0) return;
    await pause(100);
  }
};

const sum = (shares: readonly [string, number][]): number => shares.reduce((total, [, share]) => total + share, 0);

/** What it costs that thousands wait, beside what the same processes cost with nobody there. */
export const measureWaiting = async (): Promise<Figure[]> => {
  const stack = await startTestStack({ settings });
  const database = new Database({ connectionString: stack.stack.databaseUrl ?? '', ssl: false });
  await database.connect();
  try {
    await pause(settledMs);
    const idle = await spend(stack, () => pause(measuredMs));
    const startedAt = performance.now();
    await submitCrowd(stack, crowd);
    await untilAllWait(database, crowd);
    const seconds = (performance.now() - startedAt) / 1000;
    await pause(settledMs);
    const { shares } = await spend(stack, () => pause(measuredMs));
    const looking = await spend(stack, () => lookAgain(database));
    const lookMs = ((sum(looking.shares) - sum(shares)) * looking.seconds) / looks;
    const looksMs = (lookMs * crowd) / lookEverySeconds;
    const measure = `CPU in a second while ${crowd} generations wait`;
    const unit = 'ms CPU';
    return [
      { measure, name: 'worker, API, database and Temporal', value: sum(shares), unit },
      { measure, name: 'the same with nobody waiting', value: sum(idle.shares), unit },
      {
        ...{ measure, name: 'for those who wait, and look again every six hours', unit, aim: { atMost: 100 } },
        value: sum(shares) - sum(idle.shares) + looksMs,
      },
      { measure, name: 'one look', value: lookMs, unit },
      ...shares.map(([name, value]): Figure => ({ measure, name, value, unit })),
      { measure, name: 'accepted and brought to the queue', value: crowd / seconds, unit: '/s' },
    ];
  } finally {
    await database.end();
    await stack.stop();
  }
};
