import type { Dependencies } from '../../src/activities/dependencies';
import { pollAttempt } from '../../src/activities/look';
import { noUsage } from '../../src/domain/generation';
import type { FailureCode } from '../../src/domain/failure';
import type { Outcome } from '../../src/providers/provider';
import type { AttemptKey } from '../../src/stores/attempts';
import { eventsOf, setStatus } from '../stores/ledger';
import { openRecoveryBench, refusal, type RecoveryBench } from '../support/recovery-bench';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

let bench: RecoveryBench;
let doors: RecoveryBench['doors'];

beforeAll(async () => {
  bench = await openRecoveryBench();
  ({ doors } = bench);
});

afterAll(() => bench.close());

beforeEach(() => bench.reset());

type Look = { watching?: boolean } & Partial<Dependencies>;

const look = (key: AttemptKey, { watching = false, ...changed }: Look = {}) =>
  bench.run(() => pollAttempt({ ...bench.dependencies, ...changed }, { ...key, watching }));

/** `null`: it is looked at again. */
const endOf = async (key: AttemptKey, how: Look = {}) => {
  try {
    return await look(key, how);
  } catch (error) {
    expect(error).toMatchObject({ type: 'not_ready' });
    return null;
  }
};

const answer = (outcome: Outcome): void => void (doors.check = () => Promise.resolve(outcome));

const fail = (...failure: Parameters<typeof refusal>): void =>
  void (doors.check = () => Promise.reject(refusal(...failure)));

const pending: Outcome = { state: 'pending', operation: { id: 'operation' } };
const done: Outcome = {
  state: 'succeeded',
  outputs: [{ kind: 'url', url: 'https://media.example.com/1', contentType: null }],
  usage: { ...noUsage, seconds: 4 },
  warnings: [],
};

const costsOf = async (key: AttemptKey) => {
  const { costUsd, possibleCostUsd } = await bench.attemptOf(key);
  return { costUsd: costUsd?.toFixed() ?? null, possibleCostUsd: possibleCostUsd?.toFixed() ?? null };
};

/** So many looks in a row have failed. */
const failed = (key: AttemptKey, pollErrors: number) =>
  setStatus(bench.dependencies.database, key, 'submitted', { pollErrors });

describe('a look that works', () => {
  test('shows the progress and names the time of the next one', async () => {
    const key = await bench.submitted();
    answer({ ...pending, progress: 40 });
    await expect(look(key)).rejects.toMatchObject({ type: 'not_ready', nextRetryDelay: expect.any(Number) });
    const events = await eventsOf(bench.dependencies.database, key.generationId);
    expect(events.map(({ data }) => data)).toContainEqual({ progress: 40 });
    answer({ ...pending, retryAfterMs: 100_000 });
    await expect(look(key)).rejects.toMatchObject({ nextRetryDelay: 105_000 });
  });

  test.each<[string, Outcome, object, object]>([
    ['done', done, { state: 'succeeded', stored: false }, { costUsd: '0.4', possibleCostUsd: null }],
    ['done at its own price', { ...done, chargedUsd: '0.35' }, {}, { costUsd: '0.35', possibleCostUsd: null }],
    [
      'failed, it does not tell at what cost',
      { state: 'failed', code: 'provider_failed', message: 'no luck' },
      { state: 'failed', code: 'provider_failed' },
      { costUsd: null, possibleCostUsd: '0.04' },
    ],
    [
      'refused, free of charge',
      { state: 'failed', code: 'provider_content_rejected', message: 'no', chargedUsd: '0' },
      { state: 'failed', code: 'provider_content_rejected' },
      { costUsd: '0', possibleCostUsd: null },
    ],
    [
      'stopped',
      { state: 'canceled', chargedUsd: '0.1' },
      { state: 'canceled' },
      { costUsd: '0.1', possibleCostUsd: null },
    ],
  ])('ends the attempt where the provider is %s', async (_name, outcome, step, costs) => {
    const key = await bench.submitted();
    answer(outcome);
    expect(await look(key)).toMatchObject(step);
    expect(await costsOf(key)).toEqual(costs);
    bench.reset();
    expect(await look(key)).toMatchObject(step);
    expect(bench.asked).toEqual([]);
  });

  test('ends nothing that was ended meanwhile', async () => {
    const key = await bench.submitted();
    doors.check = async () => {
      await setStatus(bench.dependencies.database, key, 'canceled');
      return done;
    };
    expect(await look(key)).toEqual({ state: 'canceled' });
    expect(await bench.attemptOf(key)).toMatchObject({ status: 'canceled', outputs: null });
  });

  test('is made with the key the work was sent with, though it left the configuration', async () => {
    const print = await bench.dependencies.vault.keep('acme', { alias: 'main', secret: 'former', baseUrl: null });
    const key = await bench.submitted({ credentialPrint: print });
    answer(done);
    expect(await look(key)).toMatchObject({ state: 'succeeded' });
    const gone = await bench.submitted({ credentialPrint: print });
    expect(await look(gone, { credentials: {} })).toMatchObject({ state: 'succeeded' });
    expect(bench.asked.map(({ call }) => call.credential.secret)).toEqual(['former', 'former']);
  });
});

describe('looks that fail', () => {
  test('end nothing before the deadline, however many and whatever they say', async () => {
    for (const code of ['provider_auth', 'provider_bad_response', 'provider_timeout', 'system_internal'] as const) {
      const key = await bench.submitted();
      await failed(key, 500);
      fail(code);
      expect(await endOf(key)).toBeNull();
      expect(await bench.attemptOf(key)).toMatchObject({ status: 'submitted', pollErrors: 501 });
    }
    expect(bench.doorsAsked()).not.toContain('cancel');
  });

  test.each<[FailureCode, number, number, boolean]>([
    ['provider_bad_response', minuteMs, 18, false],
    ['provider_bad_response', minuteMs, 19, true],
    ['caller_invalid_request', minuteMs, 19, true],
    ['provider_auth', 59 * minuteMs, 500, false],
    ['provider_auth', 61 * minuteMs, 18, false],
    ['provider_auth', 61 * minuteMs, 19, true],
    ['provider_insufficient_funds', 61 * minuteMs, 19, true],
    ['provider_timeout', 23 * hourMs, 500, false],
    ['provider_timeout', 25 * hourMs, 18, false],
    ['provider_timeout', 25 * hourMs, 19, true],
    ['provider_overloaded', 25 * hourMs, 19, true],
  ])(
    '%s, %d ms after the deadline and after %d others, is the last word: %s',
    async (code, overdueMs, before, ends) => {
      const key = await bench.submitted();
      await bench.overdue(key, overdueMs);
      await failed(key, before);
      fail(code);
      doors.cancel = () => Promise.resolve('unable');
      expect(await endOf(key)).toEqual(ends ? { state: 'failed', code } : null);
      expect(await costsOf(key)).toEqual({ costUsd: null, possibleCostUsd: ends ? '0.04' : null });
    },
  );

  test('count in a row: one that works begins anew', async () => {
    const key = await bench.submitted();
    await bench.overdue(key, hourMs);
    await failed(key, 19);
    doors.cancel = () => Promise.resolve('too_late');
    answer(pending);
    expect(await endOf(key)).toBeNull();
    fail('provider_bad_response');
    expect(await endOf(key)).toBeNull();
    expect(await bench.attemptOf(key)).toMatchObject({ status: 'submitted', pollErrors: 1 });
  });

  test('come at longer and longer intervals, or when the provider wishes', async () => {
    const key = await bench.submitted();
    const delays: number[] = [];
    fail('provider_overloaded');
    // long past its usual time, so that only the failures count
    await setStatus(bench.dependencies.database, key, 'submitted', { submittedAt: new Date(Date.now() - 62_000) });
    for (const before of [0, 3, 30]) {
      await failed(key, before);
      await look(key).catch((error: unknown) => delays.push((error as { nextRetryDelay: number }).nextRetryDelay));
    }
    expect(delays[0]).toBeLessThan(5_000);
    expect(delays[1]).toBeGreaterThanOrEqual(16_000);
    expect(delays[2]).toBeGreaterThanOrEqual(60_000);
    expect(delays[2]).toBeLessThan(70_000);
    fail('provider_rate_limited', { retryAfterMs: 200_000 });
    await expect(look(key)).rejects.toMatchObject({ nextRetryDelay: 210_000 });
  });

  test('that find nothing there are believed at the third in a row: the result is lost', async () => {
    const key = await bench.submitted();
    const told = async (code: FailureCode) => {
      fail(code);
      return endOf(key);
    };
    expect(await told('provider_result_lost')).toBeNull();
    expect(await told('provider_result_lost')).toBeNull();
    expect(await told('provider_timeout')).toBeNull();
    expect(await told('provider_result_lost')).toBeNull();
    expect(await told('provider_result_lost')).toBeNull();
    expect(await told('provider_result_lost')).toEqual({ state: 'failed', code: 'provider_result_lost' });
    expect(await bench.attemptOf(key)).toMatchObject({ errorMessage: 'told provider_result_lost', pollErrors: 6 });
  });

  test('through a fault of ours are nobody’s: they do not count', async () => {
    const key = await bench.submitted();
    doors.check = () => Promise.reject(new TypeError('a fault of ours'));
    await expect(look(key)).rejects.toThrow('a fault of ours');
    expect(await bench.attemptOf(key)).toMatchObject({ status: 'submitted', pollErrors: 0 });
  });

  test('for want of a key, neither configured nor kept, wait until there is one', async () => {
    const key = await bench.submitted();
    expect(await endOf(key, { credentials: {} })).toBeNull();
    expect(bench.asked).toEqual([]);
    expect(await bench.attemptOf(key)).toMatchObject({ status: 'submitted', pollErrors: 1 });
    answer(done);
    expect(await look(key)).toMatchObject({ state: 'succeeded' });
    const overdue = await bench.submitted();
    await bench.overdue(overdue, 2 * hourMs);
    await failed(overdue, 19);
    expect(await endOf(overdue, { credentials: {} })).toEqual({ state: 'failed', code: 'provider_auth' });
  });

  test('for want of anything to look at end with a lost result', async () => {
    const key = await bench.submitted();
    const { check, ...blind } = bench.acme;
    expect(check).toBeInstanceOf(Function);
    expect(await look(key, { providers: [blind] })).toEqual({ state: 'failed', code: 'provider_result_lost' });
  });
});

describe('past the deadline', () => {
  test('what was done at the provider during an outage of ours succeeds, a day later too', async () => {
    const key = await bench.submitted();
    await bench.overdue(key, 30 * hourMs);
    answer(done);
    expect(await look(key)).toEqual({ state: 'succeeded', stored: false });
    expect(bench.doorsAsked()).toEqual(['check']);
  });

  test('what still runs is looked at once more, then cancelled, and may have cost its estimate', async () => {
    const key = await bench.submitted();
    await bench.overdue(key, 1_000);
    answer(pending);
    doors.cancel = () => Promise.resolve('confirmed');
    expect(await look(key)).toEqual({ state: 'canceled' });
    expect(bench.doorsAsked()).toEqual(['check', 'cancel']);
    expect(await costsOf(key)).toEqual({ costUsd: null, possibleCostUsd: '0.04' });
  });

  test.each<[string, () => Promise<'requested' | 'too_late' | 'unable'>]>([
    ['takes time to stop', () => Promise.resolve('requested')],
    ['has just ended', () => Promise.resolve('too_late')],
    ['cannot be stopped', () => Promise.resolve('unable')],
    ['cannot be told', () => Promise.reject(refusal('provider_timeout'))],
  ])('what %s goes on to its own end', async (_name, cancel) => {
    const key = await bench.submitted();
    await bench.overdue(key, 1_000);
    answer(pending);
    doors.cancel = cancel;
    expect(await endOf(key)).toBeNull();
    answer(done);
    expect(await look(key)).toMatchObject({ state: 'succeeded' });
  });

  test('a provider that cannot be asked is told to stop all the same, one that knows nothing is not', async () => {
    const key = await bench.submitted();
    await bench.overdue(key, 1_000);
    fail('provider_result_lost');
    expect(await endOf(key)).toBeNull();
    fail('provider_timeout');
    doors.cancel = () => Promise.resolve('confirmed');
    expect(await look(key)).toEqual({ state: 'canceled' });
  });
});

describe('work that was replaced', () => {
  test('is left alone by its own workflow, and watched to its end by another', async () => {
    const key = await bench.submitted();
    await setStatus(bench.dependencies.database, key, 'submitted', { supersededBy: 2 });
    expect(await look(key)).toEqual({ state: 'fenced' });
    expect(bench.asked).toEqual([]);
    answer(pending);
    expect(await endOf(key, { watching: true })).toBeNull();
    answer({ ...done, chargedUsd: '0.3' });
    expect(await look(key, { watching: true })).toMatchObject({ state: 'succeeded' });
    expect(await costsOf(key)).toEqual({ costUsd: '0.3', possibleCostUsd: null });
  });

  test('is not cancelled by its watch at the deadline: that was tried when the watch began', async () => {
    const key = await bench.submitted();
    await bench.overdue(key, hourMs);
    answer(pending);
    expect(await endOf(key, { watching: true })).toBeNull();
    fail('provider_timeout');
    expect(await endOf(key, { watching: true })).toBeNull();
    expect(bench.doorsAsked()).toEqual(['check', 'check']);
  });
});
