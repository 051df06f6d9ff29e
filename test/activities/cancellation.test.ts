import { cancelOperation } from '../../src/activities/cancellation';
import type { Dependencies } from '../../src/activities/dependencies';
import type { Cancellation } from '../../src/providers/provider';
import type { AttemptKey } from '../../src/stores/attempts';
import { publishChange } from '../../src/stores/generations';
import { beginAttempt, plan, setStatus } from '../stores/ledger';
import { openRecoveryBench, refusal, type RecoveryBench } from '../support/recovery-bench';

let bench: RecoveryBench;
let doors: RecoveryBench['doors'];

beforeAll(async () => {
  bench = await openRecoveryBench();
  ({ doors } = bench);
});

afterAll(() => bench.close());

beforeEach(() => bench.reset());

const cancel = (key: AttemptKey, changed: Partial<Dependencies> = {}) =>
  bench.run(() => cancelOperation({ ...bench.dependencies, ...changed }, key));

const costsOf = async (key: AttemptKey) => {
  const { costUsd, possibleCostUsd } = await bench.attemptOf(key);
  return { costUsd: costUsd?.toFixed() ?? null, possibleCostUsd: possibleCostUsd?.toFixed() ?? null };
};

const statusOf = async (key: AttemptKey) => (await bench.attemptOf(key)).status;

describe('an attempt that waits to be sent', () => {
  test('is let go, free of charge', async () => {
    const key = await beginAttempt(bench.dependencies.database);
    await cancel(key);
    expect(await statusOf(key)).toBe('canceled');
    expect(await costsOf(key)).toEqual({ costUsd: '0', possibleCostUsd: null });
    expect(bench.asked).toEqual([]);
  });

  test('keeps the work it is about to take over', async () => {
    const key = await bench.sent(0);
    await plan(bench.dependencies.database, key.generationId);
    const second = { ...key, number: 2 };
    await cancel(second);
    expect(await statusOf(second)).toBe('planned');
    await publishChange(bench.dependencies.database, key.generationId, () => ({ status: 'canceled' }));
    await cancel(second);
    expect(await statusOf(second)).toBe('canceled');
  });
});

describe('an attempt whose sender may be at work', () => {
  test('is left alone until no answer can come any more', async () => {
    const key = await bench.sent(10_000);
    await expect(cancel(key)).rejects.toMatchObject({ type: 'not_settled' });
    const { nextRetryDelay } = (await cancel(key).catch((error: unknown) => error)) as { nextRetryDelay: number };
    expect(nextRetryDelay).toBeGreaterThan(50_000);
    expect(nextRetryDelay).toBeLessThanOrEqual(55_000);
    expect(bench.asked).toEqual([]);
    expect(await statusOf(key)).toBe('submitting');
  });

  test('is found and stopped', async () => {
    const key = await bench.sent(120_000);
    doors.find = () => Promise.resolve({ id: `found-${key.generationId}` });
    await expect(cancel(key)).rejects.toMatchObject({ type: 'not_settled' });
    expect(await statusOf(key)).toBe('submitted');
    doors.cancel = () => Promise.resolve('confirmed');
    await cancel(key);
    expect(await statusOf(key)).toBe('canceled');
    expect(bench.asked.at(-1)).toMatchObject({ door: 'cancel', subject: { id: `found-${key.generationId}` } });
  });

  test('is let go for free where it was never received', async () => {
    const key = await bench.sent(120_000);
    doors.find = () => Promise.resolve('absent');
    await expect(cancel(key)).rejects.toMatchObject({ type: 'not_settled' });
    await cancel(key);
    expect(await statusOf(key)).toBe('canceled');
    expect(await costsOf(key)).toEqual({ costUsd: '0', possibleCostUsd: null });
  });

  test('stays ambiguous where nobody can tell', async () => {
    const key = await bench.sent(120_000);
    doors.find = () => Promise.resolve('unknown');
    await expect(cancel(key)).rejects.toMatchObject({ type: 'not_settled' });
    await cancel(key);
    expect(await statusOf(key)).toBe('ambiguous');
    expect(await costsOf(key)).toEqual({ costUsd: null, possibleCostUsd: '0.04' });
  });
});

describe('submitted work', () => {
  test('that the provider confirms as stopped is ended, and may have cost its estimate', async () => {
    const key = await bench.submitted();
    const { operation } = await bench.attemptOf(key);
    doors.cancel = () => Promise.resolve('confirmed');
    await cancel(key);
    expect(await statusOf(key)).toBe('canceled');
    expect(await costsOf(key)).toEqual({ costUsd: null, possibleCostUsd: '0.04' });
    expect(bench.asked).toMatchObject([{ subject: operation, call: { trace: `${key.generationId}-1` } }]);
    await cancel(key);
    expect(bench.asked).toHaveLength(1);
  });

  test.each<[string, () => Promise<Cancellation>]>([
    ['is about to stop', () => Promise.resolve('requested')],
    ['has just ended', () => Promise.resolve('too_late')],
    ['cannot be stopped', () => Promise.resolve('unable')],
    ['could not be told', () => Promise.reject(refusal('provider_timeout'))],
  ])('that %s is left to the looks', async (_name, answer) => {
    const key = await bench.submitted();
    doors.cancel = answer;
    await cancel(key);
    expect(await statusOf(key)).toBe('submitted');
  });

  test('is left to the looks where there is no such door, or no key', async () => {
    const key = await bench.submitted();
    const { cancel: door, ...unstoppable } = bench.acme;
    expect(door).toBeInstanceOf(Function);
    await cancel(key, { providers: [unstoppable] });
    await cancel(key, { credentials: {} });
    expect(await statusOf(key)).toBe('submitted');
    expect(bench.asked).toEqual([]);
  });

  test('that ended while it was told keeps its end', async () => {
    const key = await bench.submitted();
    doors.cancel = async () => {
      await setStatus(bench.dependencies.database, key, 'succeeded', { costUsd: '0.3' });
      return 'confirmed';
    };
    await cancel(key);
    expect(await statusOf(key)).toBe('succeeded');
  });

  test('that a person named is wanted, though its generation has ended', async () => {
    const key = await bench.submitted();
    const resolution = { action: 'adopt', operation: 'operation', at: new Date().toISOString() };
    await setStatus(bench.dependencies.database, key, 'submitted', { resolution });
    await cancel(key);
    expect(bench.asked).toEqual([]);
    expect(await statusOf(key)).toBe('submitted');
  });

  test('that a re-run took over is stopped with the re-run', async () => {
    const key = await bench.submitted();
    await setStatus(bench.dependencies.database, key, 'submitted', { adoptedFrom: 'gen_0/1' });
    doors.cancel = () => Promise.resolve('confirmed');
    await cancel(key);
    expect(await statusOf(key)).toBe('canceled');
  });
});

test.each(['succeeded', 'failed', 'ambiguous', 'superseded', 'rejected'] as const)(
  'an attempt that is %s is left as it is',
  async (status) => {
    const key = await bench.submitted();
    await setStatus(bench.dependencies.database, key, status);
    await cancel(key);
    expect(await statusOf(key)).toBe(status);
    expect(bench.asked).toEqual([]);
  },
);
