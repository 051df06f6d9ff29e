import { readModelFigures } from '../../src/stores/model-figures';
import type { Database } from '../../src/stores/database';
import { accept, openLedger, type Ledger } from './ledger';

let ledger: Ledger;

beforeEach(async () => {
  ledger = await openLedger();
});

afterEach(() => ledger.close());

type Attempt = {
  status?: string;
  model?: string;
  errorCode?: string | null;
  /** From the send to the end; `null`: never sent. */
  tookMs?: number | null;
  /** How long ago it ended; `null`: it has not. */
  endedAgoMs?: number | null;
};

const hour = 3_600_000;

const toColumns = (
  { status, model, errorCode, tookMs, endedAgoMs }: Required<Attempt>,
  { generationId, number, now }: { generationId: string; number: number; now: number },
) => {
  const endedAt = endedAgoMs === null ? null : new Date(now - endedAgoMs);
  const sentAt = tookMs === null ? null : new Date((endedAt?.getTime() ?? now) - tookMs);
  return {
    ...{ generationId, number, provider: 'acme', model, status, errorCode, priceVersion: 'made up' },
    ...{ startedAt: sentAt ?? new Date(now), sentAt, endedAt },
  };
};

/** Attempts as the ledger holds them, the first one the oldest. */
const record = async (attempts: readonly Attempt[]): Promise<void> => {
  const generationId = await accept(ledger.database);
  const usual = { status: 'succeeded', model: 'acme/clip', errorCode: null, tookMs: 1_000 };
  const now = Date.now();
  const rows = attempts.map((attempt, index) =>
    toColumns({ ...usual, endedAgoMs: hour - index * 1_000, ...attempt }, { generationId, number: index + 1, now }),
  );
  await ledger.database.attempt.createMany({ data: rows });
};

const read = async (model = 'acme/clip') =>
  (await readModelFigures(ledger.database, ['acme/clip', 'brick/reel'])).get(model);

const failed = (errorCode: string | null, more: Attempt = {}): Attempt => ({ status: 'failed', errorCode, ...more });

test('of a model that nobody has tried there are none', async () => {
  await record([{ model: 'brick/reel' }]);
  expect(await read()).toBeUndefined();
  expect(await read('brick/reel')).toMatchObject({ samples: 1 });
  expect(await read('nobody/asked')).toBeUndefined();
});

test('the time is that of what succeeded, the latest weighing a fifth', async () => {
  await record([
    ...Array.from({ length: 40 }, () => ({ tookMs: 10_000 })),
    { tookMs: 20_000 },
    failed('provider_failed'),
  ]);
  const figures = await read();
  expect(figures?.ewmaMs).toBeCloseTo(12_000, -1);
  expect(figures).toMatchObject({ samples: 42, successRate: 41 / 42 });
});

test('the order in which they ended counts, not that in which they began', async () => {
  await record([
    { tookMs: 500_000, endedAgoMs: hour },
    { tookMs: 1_000, endedAgoMs: 2 * hour },
  ]);
  expect((await read())?.ewmaMs).toBeCloseTo((500_000 + 0.8 * 1_000) / 1.8, -1);
});

test('nineteen of twenty took no longer than the 95th percentile', async () => {
  await record([...Array(21).keys()].map((index) => ({ tookMs: (index + 1) * 1_000 })));
  expect((await read())?.p95Ms).toBeCloseTo(20_000, 0);
});

test('where nothing succeeded there is a rate and no time', async () => {
  await record([failed('provider_server_error'), { status: 'ambiguous', errorCode: 'provider_submit_ambiguous' }]);
  expect(await read()).toEqual({ ewmaMs: null, p95Ms: null, successRate: 0, samples: 2 });
});

test.each<[string, Attempt]>([
  ['the caller got wrong', failed('caller_invalid_request')],
  ['was refused for its content', failed('provider_content_rejected')],
  ['found no room', { status: 'rejected', errorCode: 'policy_no_capacity' }],
  ['went wrong on our side', failed('system_internal')],
  ['was never sent', { status: 'rejected', errorCode: 'provider_auth', tookMs: null }],
  ['was cancelled', { status: 'canceled' }],
  ['is still running', { status: 'submitted', endedAgoMs: null }],
  ['is older than a day', failed('provider_failed', { endedAgoMs: 25 * hour })],
])('what %s does not count', async (_what, attempt) => {
  await record([{}, attempt]);
  expect(await read()).toMatchObject({ successRate: 1, samples: 1 });
});

test('of many attempts the latest fifty count', async () => {
  await record([
    ...Array.from({ length: 50 }, () => failed('provider_failed')),
    ...Array.from({ length: 50 }, () => ({ tookMs: 1_000 })),
  ]);
  expect(await read()).toMatchObject({ successRate: 1, samples: 50 });
});

describe('what a process has read', () => {
  const at = async (nowMs: number, database: Database = ledger.database, models = ['acme/clip']) =>
    (await readModelFigures(database, models, nowMs)).get('acme/clip')?.samples ?? 0;

  test('is good for two seconds, and for the same models', async () => {
    await record([{}]);
    expect(await at(10_000)).toBe(1);
    await record([{}]);
    expect(await at(11_999)).toBe(1);
    expect(await at(11_999, ledger.database, ['acme/clip', 'brick/reel'])).toBe(2);
    expect(await at(20_000)).toBe(2);
    await record([{}]);
    expect(await at(22_000)).toBe(3);
  });

  test('is read once for all who ask at the same time', async () => {
    const all = await Promise.all(Array.from({ length: 5 }, () => readModelFigures(ledger.database, ['acme/clip'], 1)));
    expect(new Set(all).size).toBe(1);
  });

  test('does not keep a failure', async () => {
    await ledger.database.$executeRaw`ALTER TABLE attempts RENAME TO elsewhere`;
    await expect(at(1)).rejects.toThrow();
    await ledger.database.$executeRaw`ALTER TABLE elsewhere RENAME TO attempts`;
    expect(await at(2)).toBe(0);
  });
});
