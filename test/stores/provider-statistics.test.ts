import { readLastErrors, readProviderStatistics } from '../../src/stores/provider-statistics';
import { accept, openLedger, type Ledger } from './ledger';

let ledger: Ledger;

beforeEach(async () => {
  ledger = await openLedger();
});

afterEach(() => ledger.close());

type Attempt = {
  status: string;
  provider?: string;
  credential?: string | null;
  errorCode?: string;
  /** From the send to the end; `null`: never sent. */
  tookMs?: number | null;
  /** How long ago it began. */
  agoMs?: number;
};

const hour = 3_600_000;

/** Attempts as the ledger holds them, each of a generation of its own. */
const record = async (...attempts: Attempt[]): Promise<void> => {
  for (const { status, provider = 'acme', credential = 'main', errorCode, tookMs = 1_000, agoMs = hour } of attempts) {
    const startedAt = new Date(Date.now() - agoMs);
    const isOpen = ['planned', 'submitting', 'submitted'].includes(status);
    await ledger.database.attempt.create({
      data: {
        generationId: await accept(ledger.database),
        number: 1,
        provider,
        model: `${provider}/clip`,
        status,
        credential,
        priceVersion: 'made up',
        startedAt,
        sentAt: tookMs === null ? null : startedAt,
        endedAt: isOpen ? null : new Date(startedAt.getTime() + (tookMs ?? 0)),
        ...(errorCode !== undefined && { errorCode }),
      },
    });
  }
};

const succeeded = (tookMs: number): Attempt => ({ status: 'succeeded', tookMs });
const failed = (errorCode: string, more: Partial<Attempt> = {}): Attempt => ({ status: 'failed', errorCode, ...more });

const statistics = () => readProviderStatistics(ledger.database);

test('of no attempts there are none', async () => {
  expect(await statistics()).toEqual([]);
  expect(await readLastErrors(ledger.database)).toEqual([]);
});

test('the times are those between the send and the end of what succeeded', async () => {
  await record(...[1_000, 2_000, 3_000, 4_000, 5_000].map(succeeded), failed('provider_timeout', { tookMs: 90_000 }));
  expect(await statistics()).toEqual([{ provider: 'acme', p50Ms: 3_000, p95Ms: 4_800, successRate: 0.8333 }]);
});

test('where nothing succeeded there is a rate and no time', async () => {
  await record(failed('provider_server_error'), { status: 'rejected', errorCode: 'provider_auth' });
  expect(await statistics()).toEqual([{ provider: 'acme', p50Ms: null, p95Ms: null, successRate: 0 }]);
});

test.each<[string, Attempt]>([
  ['refused by the provider', { status: 'rejected', errorCode: 'provider_rate_limited' }],
  ['failed there', failed('provider_failed')],
  ['lost on the way', { status: 'ambiguous', errorCode: 'provider_submit_ambiguous' }],
])('what was %s counts against it', async (_what, attempt) => {
  await record(succeeded(10), attempt);
  expect(await statistics()).toMatchObject([{ successRate: 0.5 }]);
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
  expect(await statistics()).toEqual([{ provider: 'acme', p50Ms: 10, p95Ms: 10, successRate: 1 }]);
});

test('each provider is counted by itself', async () => {
  await record(
    succeeded(10),
    { ...succeeded(30), provider: 'brick' },
    failed('provider_failed', { provider: 'brick' }),
  );
  const found = await statistics();
  expect(found.sort((left, right) => left.provider.localeCompare(right.provider))).toEqual([
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
  expect(await lastErrors()).toEqual([
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
