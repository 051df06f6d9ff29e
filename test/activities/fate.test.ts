import type { Dependencies } from '../../src/activities/dependencies';
import { recoverAnnounced, settleFate } from '../../src/activities/fate';
import type { AttemptKey } from '../../src/stores/attempts';
import { recordCallback } from '../../src/stores/provider-callbacks';
import { eventsOf, setStatus, take } from '../stores/ledger';
import { openRecoveryBench, refusal, type RecoveryBench } from '../support/recovery-bench';

const minuteMs = 60_000;

let bench: RecoveryBench;
let doors: RecoveryBench['doors'];

beforeAll(async () => {
  bench = await openRecoveryBench();
  ({ doors } = bench);
});

afterAll(() => bench.close());

beforeEach(() => bench.reset());

const settle = async (key: AttemptKey, changed: Partial<Dependencies> = {}): Promise<void> => {
  const subject = await bench.attemptOf(key);
  await bench.run(() => settleFate({ ...bench.dependencies, ...changed }, subject, 7_000));
};

const tell = (key: AttemptKey, body: string) =>
  recordCallback(bench.dependencies.database, { ...key, provider: 'acme' }, { headers: { 'x-signed': 'yes' }, body });

const trace = ({ generationId, number }: AttemptKey): string => `${generationId}-${number}`;

const operation = ({ generationId }: AttemptKey, name = 'found') => ({ id: `${name}-${generationId}` });

const waits = { type: 'not_settled' };

describe('a send that nobody recorded', () => {
  test('is adopted where the provider has it, asked with what it was sent with', async () => {
    const key = await bench.sent(2 * minuteMs);
    doors.find = () => Promise.resolve({ ...operation(key), poll: '/here' });
    await settle(key);
    expect(await bench.attemptOf(key)).toMatchObject({
      status: 'submitted',
      operationId: operation(key).id,
      operation: { poll: '/here' },
      epoch: 1,
      errorCode: null,
      possibleCostUsd: null,
    });
    expect(bench.asked).toMatchObject([
      {
        subject: { at: (await bench.attemptOf(key)).sentAt, input: { durationSeconds: 4 } },
        call: { trace: trace(key), deadlineMs: 7_000, store: false, credential: { alias: 'main', secret: 'secret' } },
      },
    ]);
    const phases = (await eventsOf(bench.dependencies.database, key.generationId)).map(({ data }) => data);
    expect(phases).toContainEqual({ phase: 'polling' });
  });

  test('is free to be sent again where the provider never had it, and used up no try', async () => {
    const key = await bench.sent(2 * minuteMs);
    doors.find = () => Promise.resolve('absent');
    await settle(key);
    expect(await bench.attemptOf(key)).toMatchObject({ status: 'planned', epoch: 1, submitErrors: 0, sentAt: null });
    expect(await take(bench.dependencies.database, key)).toMatchObject({ kind: 'taken', attempt: { epoch: 2 } });
  });

  test('is not undone by an answer about an earlier send', async () => {
    const key = await bench.sent(2 * minuteMs);
    const { database } = bench.dependencies;
    for (const answer of ['absent', 'unknown'] as const) {
      const earlier = await bench.attemptOf(key);
      await setStatus(database, key, 'planned');
      await take(database, key);
      doors.find = () => Promise.resolve(answer);
      await bench.run(() => settleFate(bench.dependencies, earlier, 1_000));
      expect(await bench.attemptOf(key)).toMatchObject({ status: 'submitting', epoch: earlier.epoch + 1 });
    }
  });

  test.each<[string, (key: AttemptKey) => Promise<Partial<Dependencies>>]>([
    [
      'its provider cannot tell',
      () => {
        doors.find = () => Promise.resolve('unknown');
        return Promise.resolve({});
      },
    ],
    [
      'its provider has no door',
      () => {
        const { find, readCallback, ...doorless } = bench.acme;
        expect([find, readCallback]).toEqual([expect.any(Function), expect.any(Function)]);
        return Promise.resolve({ providers: [doorless] });
      },
    ],
    ['nobody has its key any more', () => Promise.resolve({ credentials: {} })],
  ])('is ambiguous where %s, and may have cost its estimate', async (_name, prepare) => {
    const key = await bench.sent(2 * minuteMs);
    await settle(key, await prepare(key));
    const { status, errorCode, possibleCostUsd, costUsd } = await bench.attemptOf(key);
    expect({ status, errorCode, costUsd }).toEqual({
      status: 'ambiguous',
      errorCode: 'provider_submit_ambiguous',
      costUsd: null,
    });
    expect(possibleCostUsd?.toFixed()).toBe('0.04');
  });

  test('is asked about with the key it was sent with, after that left the configuration', async () => {
    const print = await bench.dependencies.vault.keep('acme', { alias: 'retired', secret: 'old', baseUrl: null });
    const key = await bench.sent(2 * minuteMs, { credential: 'retired', credentialPrint: print });
    doors.find = () => Promise.resolve(operation(key));
    await settle(key, { credentials: {} });
    expect(bench.asked).toMatchObject([{ call: { credential: { alias: 'retired', secret: 'old' } } }]);
    expect((await bench.attemptOf(key)).status).toBe('submitted');
  });

  test('is ambiguous where its operation has an owner already, who keeps it', async () => {
    const owner = await bench.submitted();
    const { operationId } = await bench.attemptOf(owner);
    const key = await bench.sent(2 * minuteMs);
    doors.find = () => Promise.resolve({ id: operationId ?? '' });
    await settle(key);
    expect(await bench.attemptOf(owner)).toMatchObject({ status: 'submitted', operationId });
    expect(await bench.attemptOf(key)).toMatchObject({ status: 'ambiguous', operationId: null });
  });
});

describe('a door that does not answer', () => {
  test('is asked again when it wishes, and its answer then counts', async () => {
    const key = await bench.sent(20 * minuteMs);
    doors.find = () => Promise.reject(refusal('provider_overloaded', { retryAfterMs: 9_000 }));
    await expect(settle(key)).rejects.toMatchObject({ ...waits, nextRetryDelay: 9_000 });
    doors.find = () => Promise.reject(refusal('provider_timeout'));
    await expect(settle(key)).rejects.toMatchObject({ ...waits, nextRetryDelay: 5_000 });
    expect((await bench.attemptOf(key)).status).toBe('submitting');
    doors.find = () => Promise.resolve(operation(key));
    await settle(key);
    expect((await bench.attemptOf(key)).status).toBe('submitted');
  });

  test.each([
    [29, 'submitting'],
    [31, 'ambiguous'],
  ])(
    'counts as one that cannot tell half an hour after the sender’s deadline (%d minutes)',
    async (minutes, status) => {
      const key = await bench.sent(minutes * minuteMs, { sendTimeoutMs: 0 });
      doors.find = () => Promise.reject(refusal('provider_server_error'));
      await settle(key).catch((error: unknown) => expect(error).toMatchObject(waits));
      expect((await bench.attemptOf(key)).status).toBe(status);
    },
  );

  test('leaves everything as it is where the fault is ours', async () => {
    const key = await bench.sent(90 * minuteMs);
    doors.find = () => Promise.reject(new TypeError('a fault of ours'));
    await expect(settle(key)).rejects.toThrow('a fault of ours');
    expect((await bench.attemptOf(key)).status).toBe('submitting');
  });
});

describe('a message of the provider', () => {
  const onlyTrue = (key: AttemptKey) => {
    doors.readCallback = ({ body, headers }) =>
      Promise.resolve(body === 'true' && headers['x-signed'] === 'yes' ? operation(key, 'told') : 'forged');
  };

  test('settles it, a forged one before it notwithstanding, and nobody searches', async () => {
    const key = await bench.sent(2 * minuteMs);
    await tell(key, 'forged');
    await tell(key, 'true');
    onlyTrue(key);
    await settle(key);
    expect(await bench.attemptOf(key)).toMatchObject({ status: 'submitted', operationId: operation(key, 'told').id });
    expect(bench.doorsAsked()).toEqual(['readCallback', 'readCallback']);
  });

  test('that is forged says nothing: the provider is searched', async () => {
    const key = await bench.sent(2 * minuteMs);
    await tell(key, 'forged');
    onlyTrue(key);
    doors.find = () => Promise.resolve('absent');
    await settle(key);
    expect((await bench.attemptOf(key)).status).toBe('planned');
    expect(bench.doorsAsked()).toEqual(['readCallback', 'find']);
  });

  test('that was announced is waited for, as long as the work may take', async () => {
    const key = await bench.sent(2 * minuteMs, { announced: true });
    doors.find = () => Promise.resolve('unknown');
    onlyTrue(key);
    await expect(settle(key)).rejects.toMatchObject(waits);
    expect((await bench.attemptOf(key)).status).toBe('submitting');
    await tell(key, 'true');
    await settle(key);
    expect((await bench.attemptOf(key)).status).toBe('submitted');
    // a minute, and twice what it usually takes
    const silent = await bench.sent(3 * minuteMs + 5_000, { announced: true });
    await settle(silent);
    expect((await bench.attemptOf(silent)).status).toBe('ambiguous');
  });

  test('that was announced is not waited for where the list is complete', async () => {
    const key = await bench.sent(2 * minuteMs, { announced: true });
    doors.find = () => Promise.resolve('absent');
    await settle(key);
    expect((await bench.attemptOf(key)).status).toBe('planned');
  });

  test('that cannot be verified now is waited for', async () => {
    const key = await bench.sent(2 * minuteMs);
    await tell(key, 'true');
    doors.readCallback = () => Promise.reject(refusal('provider_timeout'));
    await expect(settle(key)).rejects.toMatchObject(waits);
  });

  test('recovers what was given up, once it is true', async () => {
    const key = await bench.sent(2 * minuteMs);
    doors.find = () => Promise.resolve('unknown');
    await settle(key);
    const recover = async () => recoverAnnounced(bench.dependencies, await bench.attemptOf(key), 1_000);
    onlyTrue(key);
    expect(await recover()).toBe(false);
    await tell(key, 'forged');
    expect(await recover()).toBe(false);
    expect((await bench.attemptOf(key)).status).toBe('ambiguous');
    await tell(key, 'true');
    expect(await recover()).toBe(true);
    const { status, possibleCostUsd, errorCode } = await bench.attemptOf(key);
    expect([status, possibleCostUsd, errorCode]).toEqual(['submitted', null, null]);
  });
});
