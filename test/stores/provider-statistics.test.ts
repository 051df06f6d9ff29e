import {
  readKeyUse,
  readLastErrors,
  readProviderStatistics,
  readRecentTraffic,
} from '../../src/stores/provider-statistics';
import { clearProviders } from '../support/clear-providers';
import { accept, openLedger, type Ledger } from './ledger';

let ledger: Ledger;

beforeAll(async () => {
  ledger = await openLedger();
});

afterAll(() => ledger.close());

beforeEach(() => clearProviders(ledger.database));

type Attempt = {
  status: string;
  provider?: string;
  model?: string;
  credential?: string | null;
  errorCode?: string;
  /** From the send to the end; `null`: never sent. */
  tookMs?: number | null;
  /** How long ago it began. */
  agoMs?: number;
};

const hour = 3_600_000;

const usual = { provider: 'acme', credential: 'main', tookMs: 1_000, agoMs: hour };

/** Attempts as the ledger holds them, each of a generation of its own. */
const record = async (...attempts: Attempt[]): Promise<void> => {
  for (const attempt of attempts) {
    const { tookMs, agoMs, provider, ...row } = { ...usual, ...attempt };
    const startedAt = new Date(Date.now() - agoMs);
    const isOpen = ['planned', 'submitting', 'submitted'].includes(row.status);
    await ledger.database.attempt.create({
      data: {
        generationId: await accept(ledger.database),
        number: 1,
        provider,
        model: `${provider}/clip`,
        ...row,
        priceVersion: 'made up',
        startedAt,
        sentAt: tookMs === null ? null : startedAt,
        endedAt: isOpen ? null : new Date(startedAt.getTime() + (tookMs ?? 0)),
      },
    });
  }
};

const succeeded = (tookMs: number): Attempt => ({ status: 'succeeded', tookMs });
const failed = (errorCode: string, more: Partial<Attempt> = {}): Attempt => ({ status: 'failed', errorCode, ...more });

const statistics = () => readProviderStatistics(ledger.database);

/** Of whole providers, without what other tests look at. */
const wholes = async () =>
  (await statistics())
    .filter(({ model }) => model === null)
    .map(({ provider, p50Ms, p95Ms, successRate }) => ({ provider, p50Ms, p95Ms, successRate }));

test('of no attempts there are none', async () => {
  expect(await statistics()).toEqual([]);
  expect(await readLastErrors(ledger.database)).toEqual([]);
});

test('the times are those between the send and the end of what succeeded', async () => {
  await record(...[1_000, 2_000, 3_000, 4_000, 5_000].map(succeeded), failed('provider_timeout', { tookMs: 90_000 }));
  expect(await wholes()).toEqual([{ provider: 'acme', p50Ms: 3_000, p95Ms: 4_800, successRate: 0.8333 }]);
});

test('where nothing succeeded there is a rate and no time', async () => {
  await record(failed('provider_server_error'), { status: 'rejected', errorCode: 'provider_auth' });
  expect(await wholes()).toEqual([{ provider: 'acme', p50Ms: null, p95Ms: null, successRate: 0 }]);
});

test.each<[string, Attempt]>([
  ['refused by the provider', { status: 'rejected', errorCode: 'provider_rate_limited' }],
  ['failed there', failed('provider_failed')],
  ['lost on the way', { status: 'ambiguous', errorCode: 'provider_submit_ambiguous' }],
])('what was %s counts against it', async (_what, attempt) => {
  await record(succeeded(10), attempt);
  expect(await wholes()).toMatchObject([{ successRate: 0.5 }]);
});

test.each<[string, Attempt]>([
  ['the caller got wrong', failed('caller_invalid_request')],
  ['was refused for its content', failed('provider_content_rejected')],
  ['went wrong on our side', failed('system_internal')],
  ['was never sent', { status: 'rejected', errorCode: 'provider_auth', tookMs: null }],
  ['was cancelled', { status: 'canceled' }],
  ['another attempt took over', { status: 'superseded' }],
  ['is still running', { status: 'submitted' }],
  ['is older than a day', failed('provider_failed', { agoMs: 25 * hour })],
])('what %s does not count', async (_what, attempt) => {
  await record(succeeded(10), attempt);
  expect(await wholes()).toEqual([{ provider: 'acme', p50Ms: 10, p95Ms: 10, successRate: 1 }]);
});

test('each provider is counted by itself', async () => {
  await record(
    succeeded(10),
    { ...succeeded(30), provider: 'brick' },
    failed('provider_failed', { provider: 'brick' }),
  );
  expect(await wholes()).toEqual([
    { provider: 'acme', p50Ms: 10, p95Ms: 10, successRate: 1 },
    { provider: 'brick', p50Ms: 30, p95Ms: 30, successRate: 0.5 },
  ]);
});

const lastErrors = async (): Promise<string[]> =>
  (await readLastErrors(ledger.database)).map(({ provider, credential, code }) => `${provider} ${credential} ${code}`);

test('the last error of each key is the one that ended last', async () => {
  await record(
    failed('provider_auth', { agoMs: 3 * hour }),
    { status: 'rejected', errorCode: 'provider_rate_limited', agoMs: hour },
    failed('provider_timeout', { agoMs: 2 * hour }),
    failed('provider_failed', { credential: 'spare', agoMs: 5 * hour }),
    failed('provider_overloaded', { provider: 'brick', agoMs: hour }),
    { ...succeeded(10), agoMs: 1_000 },
  );
  expect((await lastErrors()).sort()).toEqual([
    'acme main provider_rate_limited',
    'acme spare provider_failed',
    'brick main provider_overloaded',
  ]);
});

test('the last error tells when it ended', async () => {
  const before = Date.now();
  await record(failed('provider_auth', { agoMs: hour, tookMs: 2_000 }));
  const [error] = await readLastErrors(ledger.database);
  const endedMs = (error?.at.getTime() ?? 0) + hour - 2_000;
  expect(endedMs).toBeGreaterThanOrEqual(before);
  expect(endedMs).toBeLessThanOrEqual(Date.now());
});

test.each<[string, Attempt]>([
  ['of a caller', failed('caller_invalid_request')],
  ['of ours', failed('system_internal')],
  ['without a key', failed('provider_auth', { credential: null })],
  ['of yesterday', failed('provider_auth', { agoMs: 25 * hour })],
])('an error %s is none of a key', async (_whose, attempt) => {
  await record(attempt);
  expect(await lastErrors()).toEqual([]);
});

type Sent = {
  number?: number;
  epoch?: number;
  outcome: string | null;
  isFault?: boolean;
  provider?: string;
  credential?: string;
  agoMs?: number;
  latencyMs?: number | null;
};

/** Sends of one attempt or more; by default each of its own. */
const send = async (generationId: string, ...sends: Sent[]): Promise<void> => {
  await ledger.database.send.createMany({
    data: sends.map(({ agoMs = hour, provider = 'acme', credential = 'main', ...sent }, index) => ({
      ...{ generationId, number: index + 1, epoch: 1, provider, credential, model: `${provider}/clip`, latencyMs: 100 },
      at: new Date(Date.now() - agoMs),
      ...sent,
    })),
  });
};

describe('by model', () => {
  test('each model has a row beside the one of all of them', async () => {
    await record(succeeded(10), { ...succeeded(30), model: 'acme/reel' }, failed('provider_failed'));
    expect(
      (await statistics()).map(({ provider, model, p50Ms, successRate }) => [provider, model, p50Ms, successRate]),
    ).toEqual([
      ['acme', null, 20, 0.6667],
      ['acme', 'acme/clip', 10, 0.5],
      ['acme', 'acme/reel', 30, 1],
    ]);
  });

  test('the last error of each model and key is told, the latest first', async () => {
    await record(
      failed('provider_auth', { model: 'acme/reel', agoMs: 2 * hour }),
      failed('provider_timeout', { model: 'acme/reel', agoMs: 3 * hour }),
      failed('provider_failed', { agoMs: 4 * hour }),
    );
    expect((await readLastErrors(ledger.database)).map(({ model, code }) => [model, code])).toEqual([
      ['acme/reel', 'provider_auth'],
      ['acme/clip', 'provider_failed'],
    ]);
  });
});

describe('the mean of the latest', () => {
  const ewmaOf = async (): Promise<(number | null)[]> => (await statistics()).map(({ ewmaMs }) => ewmaMs);

  test('of the same times it is that time', async () => {
    await record(succeeded(500), succeeded(500), succeeded(500));
    expect(await ewmaOf()).toEqual([500, 500]);
  });

  test('the latest counts most, each one before it a fifth less', async () => {
    await record(
      { ...succeeded(1_000), agoMs: 3 * hour },
      { ...succeeded(2_000), agoMs: 2 * hour },
      { ...succeeded(3_000), agoMs: hour },
    );
    const expected = (3_000 + 0.8 * 2_000 + 0.64 * 1_000) / (1 + 0.8 + 0.64);
    expect(await ewmaOf()).toEqual([Math.round(expected), Math.round(expected)]);
  });

  test('what failed does not count, and of failures alone there is none', async () => {
    await record(failed('provider_failed', { tookMs: 9_000, agoMs: 1_000 }));
    expect(await ewmaOf()).toEqual([null, null]);
    await record(succeeded(100));
    expect(await ewmaOf()).toEqual([100, 100]);
  });

  test('thousands of attempts do not make it fall over', async () => {
    const generationId = await accept(ledger.database);
    const at = (ms: number): Date => new Date(Date.now() - hour + ms);
    await ledger.database.attempt.createMany({
      data: Array.from({ length: 5_000 }, (_, index) => ({
        ...{ generationId, number: index + 1, provider: 'acme', model: 'acme/clip', status: 'succeeded' },
        ...{ priceVersion: 'made up', startedAt: at(index), sentAt: at(index), endedAt: at(index + 700) },
      })),
    });
    expect(await ewmaOf()).toEqual([700, 700]);
  });
});

describe('sent again', () => {
  const rateOf = async (): Promise<number | null | undefined> => (await statistics())[0]?.retrySuccessRate;

  /** An attempt with these sends, one after the other. */
  const attempt = async (status: string, outcomes: (string | null)[]): Promise<void> => {
    const isGood = status === 'succeeded';
    await record(isGood ? succeeded(10) : failed('provider_failed', { status }));
    const { generationId } = await ledger.database.attempt.findFirstOrThrow({ orderBy: { generationId: 'desc' } });
    await send(generationId, ...outcomes.map((outcome, index) => ({ outcome, number: 1, epoch: index + 1 })));
  };

  test('of what was accepted at once nothing is said', async () => {
    await attempt('succeeded', ['accepted']);
    expect(await rateOf()).toBeNull();
  });

  test('what was refused, sent again and done counts for it; what was not done against it', async () => {
    await attempt('succeeded', ['provider_rate_limited', 'accepted']);
    expect(await rateOf()).toBe(1);
    await attempt('rejected', ['provider_overloaded', 'provider_overloaded', 'provider_overloaded']);
    expect(await rateOf()).toBe(0.5);
    await attempt('failed', ['provider_server_error', 'accepted']);
    expect(await rateOf()).toBe(0.3333);
  });

  test('a refusal that nothing followed was no second try', async () => {
    await attempt('rejected', ['provider_overloaded']);
    await attempt('succeeded', [null, 'accepted']);
    expect(await rateOf()).toBeNull();
  });
});

test('a refused send is an error of its key, also where the attempt went on', async () => {
  const id = await accept(ledger.database);
  await send(
    id,
    { outcome: 'provider_rate_limited', latencyMs: 2_000 },
    { outcome: 'accepted', agoMs: 1_000 },
    { outcome: 'provider_content_rejected', credential: 'spare' },
    { outcome: 'caller_invalid_request', credential: 'third' },
    { outcome: null, credential: 'fourth' },
  );
  const errors = await readLastErrors(ledger.database);
  expect(errors).toMatchObject([{ provider: 'acme', credential: 'main', code: 'provider_rate_limited' }]);
  expect(Date.now() - (errors[0]?.at.getTime() ?? 0)).toBeGreaterThanOrEqual(hour - 2_000);
});

describe('the last quarter of an hour', () => {
  const minute = 60_000;

  test('tells answers, faults among them, and when the last good one came', async () => {
    const id = await accept(ledger.database);
    await send(
      id,
      { outcome: 'accepted', agoMs: 3 * minute },
      { outcome: 'provider_server_error', isFault: true, agoMs: minute },
      { outcome: 'accepted', isFault: true, agoMs: 40 * minute, latencyMs: 38 * minute },
    );
    const [traffic, ...others] = await readRecentTraffic(ledger.database);
    expect(others).toEqual([]);
    expect(traffic).toMatchObject({ provider: 'acme', answered: 3, faults: 2 });
    expect(traffic?.goodAt?.getTime()).toBeLessThan(traffic?.lastAt.getTime() ?? 0);
  });

  test('does not tell what is older, what callers got wrong and what has no answer', async () => {
    const id = await accept(ledger.database);
    await send(
      id,
      { outcome: 'accepted', agoMs: 16 * minute },
      { outcome: 'caller_invalid_request', agoMs: minute },
      { outcome: 'provider_content_rejected', agoMs: minute },
      { outcome: null, agoMs: minute, latencyMs: null },
    );
    expect(await readRecentTraffic(ledger.database)).toEqual([]);
  });
});

test('the use of each key is counted over a minute and a day', async () => {
  const id = await accept(ledger.database);
  await send(
    id,
    { outcome: 'accepted', agoMs: 1_000 },
    { outcome: null, agoMs: 30_000 },
    { outcome: 'provider_rate_limited', agoMs: 23 * hour },
    { outcome: 'accepted', agoMs: 25 * hour },
    { outcome: 'accepted', credential: 'spare', agoMs: 2 * hour },
  );
  const uses = await readKeyUse(ledger.database);
  expect(uses.sort((left, right) => left.alias.localeCompare(right.alias))).toEqual([
    { provider: 'acme', alias: 'main', lastMinute: 2, lastDay: 3 },
    { provider: 'acme', alias: 'spare', lastMinute: 0, lastDay: 1 },
  ]);
});
