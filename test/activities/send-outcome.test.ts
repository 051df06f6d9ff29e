import type { Dependencies } from '../../src/activities/dependencies';
import { noteLook, noteSend, type SendEnd } from '../../src/activities/send-outcome';
import type { FailureCode } from '../../src/domain/failure';
import { recordEnding, recordFailedLook, type AttemptKey } from '../../src/stores/attempts';
import { beginProbe } from '../../src/stores/breakers';
import { inTransaction, type Database } from '../../src/stores/database';
import { next, setStatus } from '../stores/ledger';
import { openRecoveryBench, refusal, type RecoveryBench } from '../support/recovery-bench';

let bench: RecoveryBench;
let database: Database;
let dependencies: Dependencies;

const place = { provider: 'acme', model: 'acme/clip', credential: 'main' };

beforeAll(async () => {
  bench = await openRecoveryBench();
  ({ database } = bench.dependencies);
  const settings: Dependencies['settings'] = {
    ...bench.dependencies.settings,
    breakerOf: () => ({ failures: 2, ratio: 1, minimumCount: 100, windowSeconds: 60, openSeconds: 30 }),
    limitsOf: (provider) => ({ ...bench.dependencies.settings.limitsOf(provider), cooldownSeconds: 30 }),
  };
  dependencies = { ...bench.dependencies, settings };
});

afterAll(() => bench.close());

beforeEach(async () => {
  await database.send.deleteMany();
  await database.breaker.deleteMany();
  await database.queue.deleteMany();
  await database.providerEvent.deleteMany();
  await database.providerCredential.deleteMany();
  await database.providerCredential.create({
    data: { provider: 'acme', alias: 'main', print: 'print', source: 'environment' },
  });
  const later = new Date('2100-01-01T00:00:00Z');
  await database.queue.create({ data: { provider: 'acme', virtualTimes: [0, 0, 0], nextAt: later } });
});

const accepted: SendEnd = { outcome: 'accepted', error: null, latencyMs: 120, tokens: null };

const failure = (code: FailureCode, details: Parameters<typeof refusal>[1] = {}): SendEnd => ({
  ...{ outcome: code, error: refusal(code, details), latencyMs: 120, tokens: null },
});

const limited = failure('provider_rate_limited', { scope: 'credential', httpStatus: 429, retryAfterMs: 60_000 });
const refused = failure('provider_auth', { scope: 'credential', httpStatus: 401 });
const down = failure('provider_server_error', { httpStatus: 500 });

const note = async (key: AttemptKey, end: SendEnd, changed: Partial<Dependencies> = {}): Promise<void> =>
  noteSend({ ...dependencies, ...changed }, await bench.attemptOf(key), end);

/** One more send that went so. */
const sendAndNote = async (end: SendEnd): Promise<AttemptKey> => {
  const key = await bench.sent(0);
  await note(key, end);
  return key;
};

const sendOf = async ({ generationId, number }: AttemptKey) =>
  database.send.findFirstOrThrow({ where: { generationId, number } });

const keyRow = () =>
  database.providerCredential.findUniqueOrThrow({ where: { provider_alias: { provider: 'acme', alias: 'main' } } });

const breakerRow = () => database.breaker.findUnique({ where: { provider_model_credential: place } });

const eventTypes = async (): Promise<string[]> =>
  (await database.providerEvent.findMany({ orderBy: { id: 'asc' } })).map(({ type }) => type);

const isWoken = async (): Promise<boolean> => {
  const { nextAt } = await database.queue.findUniqueOrThrow({ where: { provider: 'acme' } });
  return nextAt !== null && nextAt.getUTCFullYear() < 2100;
};

/** What shows whether a row was written. */
const versions = (): Promise<unknown> => database.$queryRaw`
  SELECT 'key' AS of, xmin::text FROM provider_credentials
  UNION ALL SELECT 'queue', xmin::text FROM queues
  UNION ALL SELECT 'breaker', xmin::text FROM breakers`;

describe('how a send went', () => {
  test('is noted with its time and what it used', async () => {
    const key = await bench.sent(0, { tokens: 500 });
    await note(key, { ...accepted, latencyMs: 87.6, tokens: 321 });
    expect(await sendOf(key)).toMatchObject({ outcome: 'accepted', isFault: false, latencyMs: 88, tokens: 321 });
  });

  test('leaves the estimate of its tokens where nobody told better', async () => {
    const key = await bench.sent(0, { tokens: 500 });
    await note(key, down);
    expect(await sendOf(key)).toMatchObject({ outcome: 'provider_server_error', isFault: true, tokens: 500 });
  });

  test.each<[FailureCode, boolean]>([
    ['provider_timeout', true],
    ['provider_rate_limited', false],
    ['provider_content_rejected', false],
    ['caller_invalid_request', false],
    ['provider_model_not_found', false],
  ])('%s is a fault of the provider: %s', async (code, isFault) => {
    const key = await sendAndNote(failure(code));
    expect(await sendOf(key)).toMatchObject({ outcome: code, isFault });
  });

  test('is noted once, whatever is said later', async () => {
    const key = await sendAndNote(accepted);
    for (let count = 0; count < 3; count += 1) await note(key, refused);
    expect(await sendOf(key)).toMatchObject({ outcome: 'accepted', isFault: false });
    expect(await keyRow()).toMatchObject({ disabledBy: null, failures: 0 });
    expect(await eventTypes()).toEqual([]);
  });

  test('writes no row that others write too where all is well', async () => {
    const before = await versions();
    await sendAndNote(accepted);
    await sendAndNote(failure('provider_content_rejected', { scope: 'request', httpStatus: 400 }));
    expect(await versions()).toEqual(before);
    expect(await breakerRow()).toBeNull();
  });

  test('is nothing where nothing could be sent', async () => {
    const key = await bench.sent(0);
    await noteSend(dependencies, { ...(await bench.attemptOf(key)), credential: null }, refused);
    expect(await sendOf(key)).toMatchObject({ outcome: null });
    expect(await keyRow()).toMatchObject({ disabledBy: null });
  });

  test('endangers nobody when it cannot be noted', async () => {
    const key = await bench.sent(0);
    const attempt = await bench.attemptOf(key);
    const broken = new Proxy(database, {
      get: () => () => Promise.reject(new Error('the database is away')),
    });
    await expect(noteSend({ ...dependencies, database: broken }, attempt, down)).resolves.toBeUndefined();
    await expect(noteLook({ ...dependencies, database: broken }, attempt, down.error)).resolves.toBeUndefined();
    expect(await sendOf(key)).toMatchObject({ outcome: null });
  });
});

describe('its key', () => {
  test('is paused by a rate limit for as long as the provider says, which is no fault', async () => {
    const before = Date.now();
    await sendAndNote(limited);
    const { pausedUntil, failures } = await keyRow();
    expect(failures).toBe(1);
    expect(pausedUntil?.getTime()).toBeGreaterThan(before + 55_000);
    await sendAndNote(limited);
    await sendAndNote(limited);
    expect(await breakerRow()).toBeNull();
    expect(await isWoken()).toBe(false);
  });

  test('rests for its cooldown where the provider names no time', async () => {
    await sendAndNote(failure('provider_rate_limited', { scope: 'credential', httpStatus: 429 }));
    const { pausedUntil } = await keyRow();
    const restMs = (pausedUntil?.getTime() ?? 0) - Date.now();
    expect(restMs).toBeGreaterThan(25_000);
    expect(restMs).toBeLessThanOrEqual(31_000);
  });

  test('is switched off when it is refused', async () => {
    await sendAndNote(refused);
    expect(await keyRow()).toMatchObject({ disabledBy: 'provider_auth', lastErrorCode: 'provider_auth' });
    expect(await eventTypes()).toEqual(['key.disabled']);
  });

  test.each<[string, SendEnd]>([
    ['may not use one model', failure('provider_auth', { scope: 'model', httpStatus: 403 })],
    ['was never asked', failure('provider_auth', { scope: 'credential' })],
    ['was sent what is refused', failure('provider_content_rejected', { scope: 'request', httpStatus: 400 })],
    ['met our own fault', failure('system_internal', { scope: 'request' })],
  ])('hears nothing where it %s', async (_what, end) => {
    const before = await keyRow();
    await sendAndNote(end);
    expect(await keyRow()).toEqual(before);
  });

  test('begins anew with what goes well', async () => {
    await sendAndNote(limited);
    await sendAndNote(accepted);
    expect(await keyRow()).toMatchObject({ failures: 0, lastErrorCode: 'provider_rate_limited' });
  });

  test('is another one where its name has got a new secret', async () => {
    const key = await bench.sent(0, { credentialPrint: 'former' });
    await note(key, refused);
    expect(await sendOf(key)).toMatchObject({ outcome: 'provider_auth', isFault: true });
    expect(await keyRow()).toMatchObject({ disabledBy: null });
  });
});

describe('its breaker', () => {
  const open = async (): Promise<void> => {
    await sendAndNote(down);
    await sendAndNote(down);
    await database.$executeRaw`UPDATE breakers SET open_until = clock_timestamp() - interval '1 second'`;
  };

  /** Taken as the one that tries. */
  const probe = async (): Promise<AttemptKey> => {
    const key = await bench.sent(0);
    const name = `${key.generationId}/${key.number}`;
    await inTransaction(database, (transaction) => beginProbe(transaction, { ...place, probe: name }));
    return key;
  };

  test('opens by faults in a row, and nobody is woken for that', async () => {
    await sendAndNote(down);
    await sendAndNote(accepted);
    await sendAndNote(down);
    expect(await breakerRow()).toBeNull();
    await sendAndNote(failure('provider_timeout'));
    expect(await breakerRow()).toMatchObject({ state: 'open', openings: 1 });
    expect(await isWoken()).toBe(false);
  });

  test('does not open by what is no fault of the provider', async () => {
    const others = [limited, failure('provider_content_rejected'), failure('caller_invalid_request')];
    for (const end of [...others, ...others]) await sendAndNote(end);
    expect(await breakerRow()).toBeNull();
  });

  test('closes with the probe, and those who wait are looked at', async () => {
    await open();
    const key = await probe();
    await note(key, accepted);
    expect(await breakerRow()).toMatchObject({ state: 'closed', openings: 0 });
    expect(await isWoken()).toBe(true);
    expect(await eventTypes()).toEqual(['breaker.opened', 'breaker.half_open', 'breaker.closed']);
  });

  test('closes too where the probe is refused for what it asks', async () => {
    await open();
    await note(await probe(), failure('provider_content_rejected', { scope: 'request', httpStatus: 400 }));
    expect(await breakerRow()).toMatchObject({ state: 'closed' });
  });

  test('opens for longer where the probe fails', async () => {
    await open();
    await note(await probe(), down);
    expect(await breakerRow()).toMatchObject({ state: 'open', openings: 2 });
    expect(await isWoken()).toBe(false);
  });

  test('lets the next one try where the probe met a rate limit', async () => {
    await open();
    await note(await probe(), limited);
    expect(await breakerRow()).toMatchObject({ state: 'half_open', openings: 1 });
    expect(await isWoken()).toBe(true);
    const second = await probe();
    expect(await breakerRow()).toMatchObject({ probe: `${second.generationId}/1` });
  });

  test('is moved once by a probe that is told of by several', async () => {
    await open();
    const key = await probe();
    const other = bench.another({ settings: dependencies.settings });
    const attempt = await bench.attemptOf(key);
    await Promise.all([dependencies, other, dependencies, other].map((process) => noteSend(process, attempt, down)));
    expect(await breakerRow()).toMatchObject({ state: 'open', openings: 2 });
  });

  test('opens once for what several processes are told at the same time', async () => {
    const processes = [dependencies, bench.another({ settings: dependencies.settings })];
    const keys = await Promise.all(Array.from({ length: 10 }, () => bench.sent(0)));
    await Promise.all(
      keys.map(async (key, index) => noteSend(processes[index % 2] ?? dependencies, await bench.attemptOf(key), down)),
    );
    expect(await breakerRow()).toMatchObject({ state: 'open', openings: 1 });
    expect((await eventTypes()).filter((type) => type === 'breaker.opened')).toHaveLength(1);
  });
});

describe('a look', () => {
  /** Work at the provider, as its send was noted. */
  const working = async (): Promise<AttemptKey> => {
    const key = await bench.submitted();
    await note(key, accepted);
    return key;
  };

  const look = async (key: AttemptKey, told: Parameters<typeof noteLook>[2]): Promise<void> =>
    noteLook(dependencies, await bench.attemptOf(key), told);

  const failLook = async (key: AttemptKey, end: SendEnd = down): Promise<void> => {
    await recordFailedLook(database, key, { gone: false });
    await look(key, end.error);
  };

  test('that fails for the third time in a row is a fault of the provider', async () => {
    const key = await working();
    await failLook(key);
    await failLook(key);
    expect(await sendOf(key)).toMatchObject({ outcome: 'accepted', isFault: false, latencyMs: 120 });
    await failLook(key);
    expect(await sendOf(key)).toMatchObject({ outcome: 'accepted', isFault: true });
    expect(await keyRow()).toMatchObject({ failures: 0, lastErrorCode: null });
  });

  test('that goes well again takes the fault back', async () => {
    const key = await working();
    for (let count = 0; count < 3; count += 1) await failLook(key);
    await look(key, null);
    expect(await sendOf(key)).toMatchObject({ outcome: 'accepted', isFault: false, latencyMs: null });
  });

  test('opens the breaker with others, however many sends are accepted', async () => {
    const keys = [await working(), await working()];
    for (const key of keys) for (let count = 0; count < 5; count += 1) await failLook(key);
    expect(await breakerRow()).toMatchObject({ state: 'open', openings: 1 });
    expect(await eventTypes()).toEqual(['breaker.opened']);
  });

  test('at one and the same work opens nothing, however often it fails', async () => {
    const key = await working();
    for (let count = 0; count < 30; count += 1) await failLook(key);
    expect(await breakerRow()).toBeNull();
  });

  test.each<[string, SendEnd]>([
    ['is limited', limited],
    ['finds nothing', failure('provider_result_lost', { scope: 'request', httpStatus: 404 })],
    ['has no key', failure('provider_auth', { scope: 'credential' })],
  ])('that %s is no fault', async (_what, end) => {
    const key = await working();
    for (let count = 0; count < 4; count += 1) await failLook(key, end);
    expect(await sendOf(key)).toMatchObject({ isFault: false });
  });

  test('pauses the key where the provider says so, and does not count against it', async () => {
    const key = await working();
    for (let count = 0; count < 4; count += 1) await failLook(key, limited);
    const { pausedUntil, failures } = await keyRow();
    expect(failures).toBe(0);
    expect(pausedUntil?.getTime()).toBeGreaterThan(Date.now() + 55_000);
    expect(await eventTypes()).toEqual(['key.paused']);
  });

  test('whose key is refused switches it off, but not another of its name', async () => {
    await failLook(await bench.submitted({ credentialPrint: 'former' }), refused);
    expect(await keyRow()).toMatchObject({ disabledBy: null });
    await failLook(await working(), refused);
    expect(await keyRow()).toMatchObject({ disabledBy: 'provider_auth' });
  });

  test.each<[FailureCode, boolean]>([
    ['provider_overloaded', true],
    ['provider_timeout', true],
    ['provider_failed', false],
    ['provider_content_rejected', false],
    ['provider_result_lost', false],
  ])('that finds the work ended by %s: a fault of the provider %s', async (code, isFault) => {
    const key = await working();
    const ending = { status: 'failed', code, message: 'no luck', costUsd: '0', from: ['submitted'] } as const;
    await recordEnding(database, key, ending);
    await look(key, { code });
    expect(await sendOf(key)).toMatchObject({ outcome: 'accepted', isFault });
    expect(await keyRow()).toMatchObject({ failures: 0, disabledBy: null });
  });

  test('of work that another attempt has taken over says nothing of its send', async () => {
    const key = await working();
    await recordFailedLook(database, key, { gone: false });
    await setStatus(database, key, 'superseded', { pollErrors: 9 });
    await look(key, down.error);
    await noteLook(dependencies, { ...(await bench.attemptOf(key)), ...next(key) }, down.error);
    expect(await sendOf(key)).toMatchObject({ isFault: false });
  });
});
