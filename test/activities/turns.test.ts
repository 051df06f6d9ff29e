import type { Dependencies } from '../../src/activities/dependencies';
import { giveOn, giveOnAll } from '../../src/activities/rounds';
import { submitAttempt } from '../../src/activities/submission';
import { comeToTurn } from '../../src/activities/turns';
import type { FailureCode } from '../../src/domain/failure';
import type { Candidate } from '../../src/domain/generation';
import { unlimited, type Limits } from '../../src/domain/limits';
import { noUsage } from '../../src/domain/generation';
import { ProviderError, type Call, type Credential, type Outcome, type Provider } from '../../src/providers/provider';
import { readAttempt, recordEnding, type AttemptKey } from '../../src/stores/attempts';
import type { Database } from '../../src/stores/database';
import { publishChange, readGeneration } from '../../src/stores/generations';
import { nameOf, pauseQueue } from '../../src/stores/turns';
import { accept, beginCrowd, joinLineOf, plan, turnOf } from '../stores/ledger';
import { mediaModel, openActivityBench, type ActivityBench } from '../support/activity-bench';
import { makeCandidate } from '../support/generation-data';

let bench: ActivityBench;
let dependencies: Dependencies;
let database: Database;
let limits: Record<string, Partial<Limits>>;
let sent: { trace: string; alias: string; secret: string }[];
let told: string[];
let answer: (call: Call) => Outcome;
let stage: () => Promise<void>;

const makeProvider = (id: string): Provider => ({
  ...{ id, models: [] },
  stage: async (_model, input) => {
    await stage();
    return input;
  },
  submit: (_model, _input, call) => {
    sent.push({ trace: call.trace, alias: call.credential.alias, secret: call.credential.secret });
    return new Promise((resolve) => resolve(answer(call)));
  },
  check: () => Promise.reject(new Error('nobody looks here')),
  probe: () => Promise.resolve({ model: null }),
});

const makeKey = (alias: string): Credential => ({ alias, secret: `secret of ${alias}`, baseUrl: null });

const keys: Record<string, Credential[]> = { acme: ['a', 'b'].map(makeKey), brick: ['main'].map(makeKey) };

beforeAll(async () => {
  const models = [mediaModel({ id: 'acme/clip' }), mediaModel({ id: 'brick/reel', provider: 'brick' })];
  bench = await openActivityBench(['acme', 'brick'].map(makeProvider), models);
  database = bench.dependencies.database;
  dependencies = bench.another({
    settings: {
      ...bench.dependencies.settings,
      limitsOf: (provider) => ({ key: { ...unlimited, ...limits[provider] }, models: {}, cooldownSeconds: 30 }),
    },
    credentials: keys,
    workflows: {
      ...bench.dependencies.workflows,
      giveTurn: (key) => {
        told.push(nameOf(key));
        return Promise.resolve('told');
      },
    },
  });
});
afterAll(() => bench.close());

beforeEach(async () => {
  limits = {};
  sent = [];
  told = [];
  answer = ({ trace }) => ({ state: 'pending', operation: { id: `operation-${trace}` } });
  stage = () => Promise.resolve();
  dependencies.views.clear();
  for (const table of ['turns', 'queues', 'sends', 'breakers', 'provider_credentials'])
    await database.$executeRawUnsafe(`DELETE FROM ${table}`);
  await database.attempt.updateMany({ data: { credential: null } });
  const rows = Object.entries(keys).flatMap(([provider, own]) => own.map((key) => ({ provider, key })));
  await database.providerCredential.createMany({
    data: rows.map(({ provider, key }) => ({
      ...{ provider, alias: key.alias, source: 'environment', print: dependencies.vault.printOf(key) },
    })),
  });
});

/** An attempt on acme/clip; brick/reel is next in order. */
const begin = async ({ alone = false, fallback = true } = {}): Promise<AttemptKey> => {
  const routing = { strategy: 'balanced', maxCostUsd: null, allow: [], deny: [], fallback } as const;
  const generationId = await accept(database, { routing: { ...routing, allow: [], deny: [] } });
  const candidates: Candidate[] = (alone ? ['acme/clip'] : ['acme/clip', 'brick/reel']).map((id) => makeCandidate(id));
  const decision = { strategy: 'balanced', variant: null, candidates } as const;
  await publishChange(database, generationId, () => ({ status: 'running', decision: { ...decision, candidates } }));
  await plan(database, generationId, { fallback });
  return { generationId, number: 1 };
};

const submit = (key: AttemptKey, process = dependencies) => bench.run(() => submitAttempt(process, key));

const end = (key: AttemptKey) =>
  recordEnding(database, key, {
    ...{ status: 'failed', code: 'provider_failed', message: 'done', costUsd: '0', from: ['submitted'] },
  });

const refuse = (code: FailureCode, details: Partial<ConstructorParameters<typeof ProviderError>[2]> = {}): never => {
  throw new ProviderError(code, 'refused', { accepted: 'no', scope: 'credential', ...details });
};

const keyRow = (alias: string) =>
  database.providerCredential.findUniqueOrThrow({ where: { provider_alias: { provider: 'acme', alias } } });

const phaseOf = async ({ generationId }: AttemptKey) => (await readGeneration(database, generationId)).phase;
const notNow = { type: 'not_accepted' };

const repeat = async (times: number, act: () => Promise<unknown>): Promise<void> => {
  for (let done = 0; done < times; done += 1) await act();
};

/** Sent as often as there are slots. */
const fill = () => repeat(2, async () => submit(await begin({ alone: true })));

describe('an attempt', () => {
  test('waits where there is no room, is told of its turn and is sent', async () => {
    limits = { acme: { jobsInFlight: 1 } };
    const [first, second, third] = [
      await begin({ alone: true }),
      await begin({ alone: true }),
      await begin({ alone: true }),
    ];
    for (const key of [first, second]) expect(await submit(key)).toMatchObject({ state: 'pending' });
    const step = await submit(third);
    expect(step).toMatchObject({ state: 'waiting' });
    expect((step as { waitMs: number }).waitMs).toBeLessThanOrEqual(3_600_100);
    expect([await phaseOf(third), sent.length, told]).toEqual(['waiting_for_capacity', 2, []]);
    await end(second);
    await giveOnAll(dependencies, { due: false });
    expect(told).toEqual([nameOf(third)]);
    expect(await submit(third)).toMatchObject({ state: 'pending' });
    expect(sent.map(({ alias }) => alias)).toEqual(['a', 'b', 'b']);
    expect(await phaseOf(third)).toBe('polling');
  });

  test('counts what it may use, then what it used', async () => {
    answer = () => ({
      ...{ state: 'succeeded', outputs: [{ kind: 'text', text: 'done' }], warnings: [] },
      usage: { ...noUsage, inputTokens: 12, outputTokens: 30 },
    });
    const text = mediaModel({ id: 'acme/clip', medium: 'text' });
    const key = await begin({ alone: true });
    const coming = await comeToTurn({ ...dependencies, models: [text] }, await waiterOf(key));
    expect(coming.kind).toBe('turn');
    expect((await turnOf(database, key))?.tokens).toBeGreaterThan(42);
    await submit(key, { ...dependencies, models: [text] });
    expect(await database.send.findMany()).toMatchObject([{ tokens: 42, outcome: 'accepted', isFault: false }]);
  });

  test('says how long its answer took, not how long it took to keep it', async () => {
    answer = () => ({
      ...{ state: 'succeeded', outputs: [{ kind: 'bytes', bytes: new Uint8Array(8), contentType: 'video/mp4' }] },
      ...{ warnings: [], usage: noUsage },
    });
    const { blobs } = dependencies;
    const slow = {
      ...blobs,
      write: async (...args: Parameters<typeof blobs.write>) => {
        await new Promise((resolve) => setTimeout(resolve, 1_500));
        return blobs.write(...args);
      },
    };
    await submit(await begin({ alone: true }), { ...dependencies, blobs: slow });
    const { latencyMs } = await database.send.findFirstOrThrow();
    expect(latencyMs).toBeLessThan(1_000);
  });

  test('whose take took its time counts from when it was sent', async () => {
    answer = (call) => {
      call.onSent?.();
      return { state: 'pending', operation: { id: `operation-${call.trace}` } };
    };
    const slow = new Proxy(dependencies.database, {
      get: (target, name) =>
        name === '$transaction'
          ? async (...work: Parameters<Database['$transaction']>) => {
              const done: unknown = await target.$transaction(...work);
              await new Promise((resolve) => setTimeout(resolve, 600));
              return done;
            }
          : (Reflect.get(target, name) as unknown),
    });
    const key = await begin({ alone: true });
    await submit(key, { ...dependencies, database: slow, lanes: new Map() });
    const { sentAt } = await readAttempt(database, key);
    const { at } = await database.send.findFirstOrThrow();
    expect(at.getTime() - (sentAt?.getTime() ?? 0)).toBeGreaterThan(500);
  });

  test('that was cancelled while it waited is let go, free of charge', async () => {
    limits = { acme: { jobsInFlight: 1 } };
    const waiting = await beginWaiting();
    await publishChange(database, waiting.generationId, () => ({ cancelRequested: true }));
    expect(await submit(waiting)).toEqual({ state: 'canceled' });
    expect(await turnOf(database, waiting)).toBeNull();
  });

  test('that waited past its deadline is let go, free of charge', async () => {
    limits = { acme: { jobsInFlight: 1 } };
    const waiting = await beginWaiting();
    await publishChange(database, waiting.generationId, () => ({ deadlineAt: new Date(Date.now() + 30_000) }));
    const step = (await submit(waiting)) as { state: string; waitMs: number };
    expect(step.state).toBe('waiting');
    expect(Math.abs(step.waitMs - 30_100)).toBeLessThan(10_000);
    await publishChange(database, waiting.generationId, () => ({ deadlineAt: new Date(Date.now() - 1) }));
    expect(await submit(waiting)).toEqual({ state: 'canceled' });
    const { costUsd, sentAt } = await readAttempt(database, waiting);
    expect([costUsd?.toFixed(), sentAt, await turnOf(database, waiting)]).toEqual(['0', null, null]);
  });

  test('keeps its turn while its media are brought to the provider', async () => {
    jest.useFakeTimers({
      doNotFake: ['Date', 'nextTick', 'performance', 'queueMicrotask', 'setImmediate', 'setTimeout', 'clearTimeout'],
    });
    const key = await begin({ alone: true });
    const ages: number[] = [];
    stage = async () => {
      await repeat(3, async () => {
        const leaseUntil = new Date(Date.now() + 20_000);
        await database.turn.updateMany({ where: key, data: { leaseUntil } });
        jest.advanceTimersByTime(15_000);
        while ((await turnOf(database, key))?.leaseUntil?.getTime() === leaseUntil.getTime()) continue;
        ages.push(((await turnOf(database, key))?.leaseUntil?.getTime() ?? 0) - Date.now());
      });
    };
    try {
      expect(await submit(key)).toMatchObject({ state: 'pending' });
    } finally {
      jest.useRealTimers();
    }
    expect(Math.min(...ages)).toBeGreaterThan(50_000);
  });

  test('whose turn is with a key that this worker does not have yet opens it, where another worker has kept it', async () => {
    const late = makeKey('late');
    const print = await dependencies.vault.keep('acme', late);
    await database.providerCredential.create({ data: { provider: 'acme', alias: 'late', source: 'api', print } });
    const other = { ...dependencies, lanes: new Map(), credentials: { acme: [late] } };
    const key = await begin({ alone: true });
    await joinLineOf(database, key);
    await giveOn(other, 'acme');
    expect(await submit(key)).toMatchObject({ state: 'pending' });
    expect(sent).toMatchObject([{ alias: 'late', secret: 'secret of late' }]);
  });

  test('whose turn is with a key that cannot be opened gets in line again', async () => {
    const key = await begin({ alone: true });
    await joinLineOf(database, key);
    await giveOn({ ...dependencies, lanes: new Map(), credentials: { acme: [makeKey('gone')] } }, 'acme');
    await expect(submit(key)).rejects.toMatchObject(notNow);
    expect(await turnOf(database, key)).toBeNull();
    expect(await submit(key)).toMatchObject({ state: 'pending' });
    expect(sent.map(({ alias }) => alias)).toEqual(['a']);
  });
});

const waiterOf = async (key: AttemptKey) => ({
  attempt: await readAttempt(database, key),
  generation: await readGeneration(database, key.generationId),
});

/** In line behind as many that were sent as there are slots. */
const beginWaiting = async (how: Parameters<typeof begin>[0] = { alone: true }): Promise<AttemptKey> => {
  await fill();
  const key = await begin(how);
  await submit(key);
  return key;
};

describe('a key', () => {
  test('that is asked too much rests as long as it was told, and another one goes on, without using up a try', async () => {
    answer = ({ credential, trace }) =>
      credential.alias === 'a'
        ? refuse('provider_rate_limited', { retryAfterMs: 60_000, httpStatus: 429 })
        : { state: 'pending', operation: { id: `operation-${trace}` } };
    const key = await begin({ alone: true });
    await expect(submit(key)).rejects.toMatchObject(notNow);
    expect(await readAttempt(database, key)).toMatchObject({ status: 'planned', submitErrors: 0 });
    const { pausedUntil } = await keyRow('a');
    expect(Math.abs((pausedUntil?.getTime() ?? 0) - Date.now() - 60_000)).toBeLessThan(5_000);
    expect(await submit(key)).toMatchObject({ state: 'pending' });
    expect(await submit(await begin({ alone: true }))).toMatchObject({ state: 'pending' });
    expect(sent.map(({ alias }) => alias)).toEqual(['a', 'b', 'b']);
  });

  test('that all wait for serves them when its rest is over, however often it was asked too much', async () => {
    answer = () => refuse('provider_rate_limited', { retryAfterMs: 60_000, httpStatus: 429 });
    const key = await begin({ alone: true });
    await repeat(3, async () => {
      await repeat(2, () => expect(submit(key)).rejects.toMatchObject(notNow));
      expect(await submit(key)).toMatchObject({ state: 'waiting' });
      await database.providerCredential.updateMany({ data: { pausedUntil: new Date(Date.now() - 1) } });
    });
    expect(sent).toHaveLength(6);
    answer = ({ trace }) => ({ state: 'pending', operation: { id: `operation-${trace}` } });
    told = [];
    await giveOnAll(dependencies, { due: false });
    expect(told).toEqual([nameOf(key)]);
    expect(await submit(key)).toMatchObject({ state: 'pending' });
  });

  test.each([
    ['provider_auth', 401],
    ['provider_insufficient_funds', 402],
  ] as const)('refused by %s is switched off, and the next one goes on', async (code, httpStatus) => {
    answer = ({ credential, trace }) =>
      credential.alias === 'a'
        ? refuse(code, { httpStatus })
        : { state: 'pending', operation: { id: `operation-${trace}` } };
    const key = await begin({ alone: true });
    await expect(submit(key)).rejects.toMatchObject(notNow);
    expect(await submit(key)).toMatchObject({ state: 'pending' });
    expect([(await keyRow('a')).disabledBy, (await keyRow('b')).disabledBy]).toEqual([code, null]);
    expect(
      await database.providerEvent.findMany({ where: { type: 'key.disabled' }, orderBy: { id: 'desc' }, take: 1 }),
    ).toMatchObject([{ provider: 'acme', credential: 'a' }]);
  });

  test.each([
    ['provider_auth', 401],
    ['provider_insufficient_funds', 402],
  ] as const)('that was the last one: %s is the end of the attempt, free of charge', async (code, httpStatus) => {
    answer = () => refuse(code, { httpStatus });
    const key = await begin({ alone: true });
    await repeat(2, () => expect(submit(key)).rejects.toMatchObject(notNow));
    expect(await submit(key)).toEqual({ state: 'rejected', code });
    const { costUsd, errorMessage } = await readAttempt(database, key);
    expect([costUsd?.toFixed(), errorMessage, sent.length]).toEqual(['0', 'refused', 2]);
  });

  test('that we refuse ourselves, before anything is sent, does not go round in circles', async () => {
    // as an adapter does whose account is not configured
    answer = () => refuse('provider_auth');
    const key = await begin({ alone: true });
    expect(await submit(key)).toEqual({ state: 'rejected', code: 'provider_auth' });
    expect((await keyRow('a')).disabledBy).toBeNull();
  });

  test('where all are switched off, an attempt is rejected, so that another provider may do it', async () => {
    await database.providerCredential.updateMany({ where: { provider: 'acme' }, data: { disabledBy: 'operator' } });
    expect(await submit(await begin())).toEqual({ state: 'rejected', code: 'provider_auth' });
    expect(sent).toEqual([]);
  });
});

describe('where the wait is long', () => {
  const wait = async (how: Parameters<typeof begin>[0] = {}) => {
    limits = { ...limits, acme: { jobsInFlight: 1 } };
    return beginWaiting(how);
  };

  test('another candidate with room does it', async () => {
    const key = await wait();
    expect(await readAttempt(database, key)).toMatchObject({ status: 'rejected', errorCode: 'policy_no_capacity' });
    const { costUsd, errorMessage } = await readAttempt(database, key);
    expect([costUsd?.toFixed(), await turnOf(database, key)]).toEqual(['0', null]);
    expect(errorMessage).toContain('brick/reel has room');
    expect(await plan(database, key.generationId)).toMatchObject({ action: 'attempt', model: 'brick/reel' });
  });

  test('it waits all the same without another candidate, or where none is to be tried', async () => {
    const [alone, faithful] = [await wait({ alone: true }), await begin({ fallback: false })];
    expect(await submit(faithful)).toMatchObject({ state: 'waiting' });
    for (const key of [alone, faithful]) expect(await turnOf(database, key)).not.toBeNull();
  });

  test('it waits all the same where the others have no room either', async () => {
    limits = { brick: { jobsInFlight: 1 } };
    const [busy] = await beginCrowd(database, 1, { model: 'brick/reel' });
    await submit(busy as AttemptKey);
    const key = await wait();
    expect(await readAttempt(database, key)).toMatchObject({ status: 'planned' });
    expect(await turnOf(database, key)).toMatchObject({ credential: null });
  });

  test('and it costs more than the month has left, another candidate with room does it', async () => {
    limits = { acme: { spendPerMonthUsd: '0.01' } };
    const [key, alone] = [await begin(), await begin({ alone: true })];
    await database.attempt.updateMany({ where: { status: 'planned' }, data: { estimatedUsd: '0.04' } });
    expect(await submit(key)).toEqual({ state: 'rejected', code: 'policy_no_capacity' });
    expect((await readAttempt(database, key)).errorMessage).toContain('more than acme may be paid this month');
    expect(await submit(alone)).toMatchObject({ state: 'waiting' });
  });

  test('it waits where that is shorter than what is put up with', async () => {
    const patient = { ...dependencies, settings: { ...dependencies.settings, waitThresholdMs: 90_000 } };
    limits = { acme: { jobsInFlight: 1 } };
    await fill();
    const [soon, later] = [await begin(), await begin()];
    // work takes a minute, and there are two keys
    expect(await submit(soon, patient)).toMatchObject({ state: 'waiting' });
    await submit(await begin({ alone: true }), patient);
    expect(await submit(later, patient)).toEqual({ state: 'rejected', code: 'policy_no_capacity' });
  });

  test('and a person has paused the provider, it waits or goes on as they wanted', async () => {
    await pauseQueue(database, 'acme', 'wait');
    const key = await begin();
    expect(await submit(key)).toMatchObject({ state: 'waiting' });
    await pauseQueue(database, 'acme', 'reroute');
    expect(await submit(key)).toEqual({ state: 'rejected', code: 'policy_no_capacity' });
    expect((await readAttempt(database, key)).errorMessage).toContain('acme was paused');
    expect(sent).toEqual([]);
  });
});
