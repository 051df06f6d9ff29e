import { composeLimits } from '../../src/domain/registry';
import { makeModel } from '../support/generation-data';
import { clearProviders } from '../support/clear-providers';
import { startApi, videoRequest, withKey, type ApiServer } from './api-server';

const catalogue = [
  makeModel({ id: 'mock/video', provider: 'mock', providerModel: 'video' }),
  makeModel({ id: 'fal/clip', provider: 'fal' }),
];

let api: ApiServer;
let isTemporalUp: boolean;
let isStorageUp: boolean;

beforeAll(async () => {
  api = await startApi({
    catalogue,
    configured: new Set(['mock', 'fal']),
    aliases: new Map([
      ['mock', ['key-1']],
      ['fal', ['main', 'spare']],
    ]),
    limitsOf: (provider) =>
      composeLimits(
        provider,
        catalogue,
        provider === 'fal' ? { limits: { requestsPerMinute: 10, spendPerMonthUsd: '5' } } : {},
      ),
    workflows: {
      start: () => undefined,
      cancel: () => Promise.resolve(),
      resolve: () => Promise.resolve(),
      callBack: () => Promise.resolve(),
      isReachable: () => Promise.resolve(isTemporalUp),
      probe: () => Promise.reject(new Error('a status calls no provider')),
    },
    blobs: {
      write: () => Promise.reject(new Error('a status writes nothing')),
      writeOnce: () => Promise.reject(new Error('a status writes nothing')),
      inspect: () => Promise.resolve(null),
      load: () => Promise.resolve(null),
      peek: () => (isStorageUp ? Promise.resolve(null) : Promise.reject(new Error('no such bucket'))),
      remove: () => Promise.resolve(),
      locate: () => Promise.reject(new Error('nothing is there')),
    },
  });
});

afterAll(() => api.close());

beforeEach(async () => {
  [isTemporalUp, isStorageUp] = [true, true];
  await clearProviders(api.database);
});

const read = async (route: string): Promise<Record<string, unknown>> => {
  const { status, body } = await api.call(`GET /api/${route}`);
  expect(status).toBe(200);
  return body;
};

/** Attempts of a new generation that wait for fal. */
const wait = async (...priorities: number[]): Promise<string> => {
  const { body } = await api.call('POST /v1/generations', videoRequest);
  await api.database.generation.update({ where: { id: body.id }, data: { status: 'running' } });
  await api.database.queue.upsert({
    where: { provider: 'fal' },
    create: { provider: 'fal', virtualTimes: [0, 0, 0] },
    update: {},
  });
  const turn = { generationId: body.id, provider: 'fal', model: 'fal/clip', tenantId: 'ten_default', tag: 1 };
  await api.database.turn.createMany({
    data: priorities.map((priority, index) => ({ ...turn, number: index + 1, priority })),
  });
  return body.id;
};

const addSends = async (...credentials: string[]): Promise<void> => {
  const { body } = await api.call('POST /v1/generations', videoRequest);
  await api.database.send.createMany({
    data: credentials.map((credential, index) => ({
      ...{ generationId: body.id, number: index + 1, epoch: 1, provider: 'fal', credential, model: 'fal/clip' },
      ...{ outcome: 'accepted', latencyMs: 10 },
    })),
  });
};

describe('GET /api/rate-limit-status', () => {
  test('shows limits, use, queue and the balance between the keys', async () => {
    await addSends('main', 'main', 'main', 'spare');
    await wait(0, 1, 1, 2);
    const { success, providers } = await read('rate-limit-status');
    expect(success).toBe(true);
    const resetsAt = expect.any(String);
    const spend = { kind: 'spend_per_month', model: null, limit: '5', used: '0', remaining: '5', resetsAt };
    expect(providers).toEqual([
      {
        ...{ provider: 'mock', paused: false, queue: { high: 0, medium: 0, low: 0 }, balance: null },
        keys: [
          {
            ...{ alias: 'key-1', status: 'active', cooldownUntil: null, limits: [], share: null },
            requests: { lastMinute: 0, lastDay: 0 },
          },
        ],
      },
      {
        ...{ provider: 'fal', paused: false, queue: { high: 1, medium: 2, low: 1 }, balance: 0.3333 },
        keys: [
          {
            ...{ alias: 'main', status: 'active', cooldownUntil: null, share: 0.75 },
            requests: { lastMinute: 3, lastDay: 3 },
            limits: [{ kind: 'requests_per_minute', model: null, limit: 10, used: 3, remaining: 7, resetsAt }, spend],
          },
          {
            ...{ alias: 'spare', status: 'active', cooldownUntil: null, share: 0.25 },
            requests: { lastMinute: 1, lastDay: 1 },
            limits: [{ kind: 'requests_per_minute', model: null, limit: 10, used: 1, remaining: 9, resetsAt }, spend],
          },
        ],
      },
    ]);
  });

  test('shows who rests and who is paused', async () => {
    const until = new Date(Date.now() + 60_000);
    await api.database.providerCredential.create({
      data: { provider: 'fal', alias: 'main', source: 'environment', print: 'x', pausedUntil: until },
    });
    await api.call('POST /v1/providers/fal/pause');
    expect(await read('rate-limit-status')).toMatchObject({
      providers: [
        { provider: 'mock', paused: false },
        {
          ...{ provider: 'fal', paused: true },
          keys: [
            { alias: 'main', status: 'paused', cooldownUntil: until.toISOString() },
            { alias: 'spare', status: 'active', cooldownUntil: null },
          ],
        },
      ],
    });
  });
});

describe('GET /api/status', () => {
  test('tells how the service is', async () => {
    const status = await read('status');
    expect(status).toEqual({
      ...{ success: true, status: 'ok', version: '0.0.0-test', uptimeSeconds: expect.any(Number) },
      ...{ queue: { high: 0, medium: 0, low: 0 }, database: 'up', temporal: 'up', storage: 'up' },
    });
    expect(status['uptimeSeconds']).toBeGreaterThan(0);
  });

  test('counts who waits for a workflow or for capacity, by priority', async () => {
    await wait(0, 2);
    for (const priority of ['high', 'medium', 'medium'])
      await api.call('POST /v1/generations', { ...videoRequest, priority });
    expect(await read('status')).toMatchObject({ queue: { high: 2, medium: 2, low: 1 } });
  });

  test('does not count who has its turn', async () => {
    const id = await wait(0);
    const leaseUntil = new Date(Date.now() + 60_000);
    await api.database.turn.updateMany({ where: { generationId: id }, data: { credential: 'main', leaseUntil } });
    expect(await read('status')).toMatchObject({ queue: { high: 0, medium: 0, low: 0 } });
  });

  test('is degraded while something is away', async () => {
    isTemporalUp = false;
    expect(await read('status')).toMatchObject({ status: 'degraded', temporal: 'down', storage: 'up' });
    [isTemporalUp, isStorageUp] = [true, false];
    expect(await read('status')).toMatchObject({ status: 'degraded', temporal: 'up', storage: 'down' });
  });
});

describe('GET /api/ai-status', () => {
  test('tells of every provider how it is, without its keys', async () => {
    await addSends('main');
    const { success, providers } = await read('ai-status');
    expect(success).toBe(true);
    const list = providers as { id: string }[];
    expect(list).toHaveLength(9);
    expect(list.find(({ id }) => id === 'fal')).toEqual({
      ...{ id: 'fal', configured: true, enabled: true, paused: false, breaker: 'closed' },
      ...{ health: 'healthy', reason: null, checkedAt: expect.any(String) },
      ...{
        latencyMs: { p50: null, p95: null, ewma: null },
        successRate: null,
        retrySuccessRate: null,
        lastError: null,
      },
      models: [
        {
          ...{ id: 'fal/clip', medium: 'video', enabled: true, breaker: 'closed', successRate: null },
          latencyMs: { p50: null, p95: null, ewma: null },
        },
      ],
    });
    expect(list.find(({ id }) => id === 'runway')).toMatchObject({ configured: false, health: 'unknown', models: [] });
    expect(JSON.stringify(providers)).not.toContain('main');
  });
});

test.each([
  ['rate-limit-status', 'operate'],
  ['status', 'read'],
  ['ai-status', 'read'],
] as const)('%s takes the scope %s, and says to others that it did not succeed', async (route, scope) => {
  const others = (['submit', 'read', 'operate'] as const).filter((other) => other !== scope);
  const call = (headers: Record<string, string>) => api.call(`GET /api/${route}`, undefined, headers);
  expect(await call(withKey(await api.addKey({ scopes: others })))).toMatchObject({
    status: 403,
    body: { success: false, code: 'caller_forbidden' },
  });
  expect((await call(withKey(await api.addKey({ scopes: [scope] })))).status).toBe(200);
  expect(await api.call(`POST /api/${route}`, {})).toMatchObject({ status: 405, body: { success: false } });
  expect(await call({ Authorization: '' })).toMatchObject({ status: 401, body: { success: false } });
});
