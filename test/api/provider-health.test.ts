import { recordHealthCheck } from '../../src/stores/health-checks';
import { makeModel } from '../support/generation-data';
import { clearProviders } from '../support/clear-providers';
import { startApi, videoRequest, withKey, type ApiServer } from './api-server';

let api: ApiServer;

beforeAll(async () => {
  api = await startApi({
    catalogue: [
      makeModel({ id: 'mock/video', provider: 'mock', providerModel: 'video' }),
      makeModel({ id: 'fal/clip', provider: 'fal' }),
      makeModel({ id: 'fal/reel', provider: 'fal' }),
    ],
    configured: new Set(['mock', 'fal']),
    aliases: new Map([
      ['mock', ['key-1']],
      ['fal', ['main', 'spare']],
    ]),
  });
});

afterAll(() => api.close());

beforeEach(() => clearProviders(api.database));

const providerOf = async (id: string): Promise<object | undefined> => {
  const { body } = await api.call('GET /v1/providers');
  return body.data.find((row) => row.id === id);
};

const hour = 3_600_000;

const addKey = (alias: string, state: object = {}) =>
  api.database.providerCredential.create({ data: { provider: 'fal', alias, source: 'api', print: alias, ...state } });

const addBreaker = (model: string, credential: string, state: object) =>
  api.database.breaker.create({ data: { provider: 'fal', model, credential, state: 'open', ...state } });

const addSends = async (...sends: { outcome: string; isFault?: boolean; agoMs?: number }[]) => {
  const { body } = await api.call('POST /v1/generations', videoRequest);
  await api.database.send.createMany({
    data: sends.map(({ agoMs = 1_000, ...send }, index) => ({
      ...{ generationId: body.id, number: index + 1, epoch: 1, provider: 'fal', credential: 'main' },
      ...{ model: 'fal/clip', at: new Date(Date.now() - agoMs), latencyMs: 10, ...send },
    })),
  });
};

describe('keys', () => {
  test('show what became of them', async () => {
    const until = new Date(Date.now() + hour);
    const at = new Date(Date.now() - hour);
    await addKey('main', {
      pausedUntil: until,
      lastErrorCode: 'provider_rate_limited',
      lastErrorAt: at,
      lastUsedAt: at,
    });
    await addKey('spare', { disabledBy: 'provider_auth', pausedUntil: at });
    expect(await providerOf('fal')).toMatchObject({
      credentials: [
        {
          ...{ alias: 'main', status: 'paused', cooldownUntil: until.toISOString(), disabledBy: null },
          lastError: { code: 'provider_rate_limited', at: at.toISOString() },
          lastUsedAt: at.toISOString(),
        },
        { alias: 'spare', status: 'disabled', cooldownUntil: null, disabledBy: 'provider_auth', lastError: null },
      ],
      health: { status: 'degraded', reason: 'every key rests after a refusal' },
    });
  });

  test('whose pause is over are active', async () => {
    await addKey('main', { pausedUntil: new Date(Date.now() - 1_000) });
    expect(await providerOf('fal')).toMatchObject({ credentials: [{ status: 'active', cooldownUntil: null }, {}] });
  });

  test('that are all disabled leave the provider down', async () => {
    await addKey('main', { disabledBy: 'operator' });
    await addKey('spare', { disabledBy: 'provider_auth' });
    expect(await providerOf('fal')).toMatchObject({ health: { status: 'down', reason: 'every key is disabled' } });
  });

  test('are shown by their aliases only', async () => {
    await addKey('main', { print: 'a print of the secret' });
    expect(JSON.stringify(await providerOf('fal'))).not.toContain('print');
  });
});

describe('breakers', () => {
  test('show the worst state of the provider and of each model', async () => {
    const openUntil = new Date(Date.now() + hour);
    await addBreaker('fal/clip', 'main', { state: 'half_open' });
    await addBreaker('fal/reel', 'main', { openUntil, openings: 2 });
    await addBreaker('fal/reel', 'spare', { state: 'closed' });
    const fal = await providerOf('fal');
    expect(fal).toMatchObject({
      breaker: 'open',
      breakers: [
        { model: 'fal/clip', credential: 'main', state: 'half_open', openUntil: null },
        { model: 'fal/reel', credential: 'main', state: 'open', openUntil: openUntil.toISOString(), openings: 2 },
      ],
      models: [
        { id: 'fal/clip', breaker: 'half_open' },
        { id: 'fal/reel', breaker: 'open' },
      ],
      health: { status: 'degraded' },
    });
    expect(await providerOf('mock')).toMatchObject({ breaker: 'closed', breakers: [] });
  });
});

describe('health', () => {
  test('follows what real work shows', async () => {
    await addSends({ outcome: 'accepted' });
    expect(await providerOf('fal')).toMatchObject({ health: { status: 'healthy', checkedAt: expect.any(String) } });
    const fault = { outcome: 'provider_server_error', isFault: true } as const;
    await addSends(fault, fault, fault);
    expect(await providerOf('fal')).toMatchObject({
      health: { status: 'down', reason: '3 of the last 4 requests failed' },
      lastError: { code: 'provider_server_error', model: 'fal/clip', credential: 'main' },
    });
  });

  test('follows the last check where there is no work', async () => {
    const check = { provider: 'fal', credential: 'main', model: null, latencyMs: 12 };
    await recordHealthCheck(api.database, { ...check, code: null });
    expect(await providerOf('fal')).toMatchObject({
      health: { status: 'healthy', check: { credential: 'main', ok: true, code: null, latencyMs: 12, failures: 0 } },
    });
    await recordHealthCheck(api.database, { ...check, code: 'provider_timeout' });
    expect(await providerOf('fal')).toMatchObject({
      health: {
        ...{ status: 'down', reason: 'the last check ended with provider_timeout' },
        check: { ok: false, code: 'provider_timeout', failures: 1 },
      },
    });
  });
});

describe('GET /v1/providers/{id}/events', () => {
  type Event = { id: string; type: string };
  type Page = { data: Event[]; hasMore: boolean; nextCursor: string };

  const events = async (query = ''): Promise<Page> => {
    const { status, body } = await api.call(`GET /v1/providers/fal/events${query}`);
    expect(status).toBe(200);
    return body as unknown as Page;
  };

  const add = async (...types: string[]): Promise<void> => {
    for (const type of types)
      await api.database.providerEvent.create({
        data: {
          provider: 'fal',
          credential: 'main',
          type,
          data: { because: 'made up' },
          at: new Date(Date.now() - hour),
        },
      });
  };

  test('lists what happened to one provider, in order', async () => {
    await api.database.providerEvent.create({ data: { provider: 'mock', type: 'provider.paused', data: {} } });
    await add('key.paused', 'key.disabled');
    const { data, ...page } = await events();
    expect(data).toEqual([
      {
        ...{ id: expect.stringMatching(/^\d+$/), at: expect.any(String), provider: 'fal', credential: 'main' },
        ...{ model: null, type: 'key.paused', data: { because: 'made up' } },
      },
      expect.objectContaining({ type: 'key.disabled' }),
    ]);
    expect(page).toEqual({ hasMore: false, nextCursor: data[1]?.id });
  });

  test('goes on where the last page ended, also when there is nothing new yet', async () => {
    await add('key.paused', 'key.disabled', 'key.enabled');
    const first = await events('?after=0&limit=2');
    expect(first).toMatchObject({ data: [{ type: 'key.paused' }, { type: 'key.disabled' }], hasMore: true });
    const second = await events(`?after=${first.nextCursor}&limit=2`);
    expect(second).toMatchObject({ data: [{ type: 'key.enabled' }], hasMore: false });
    const third = await events(`?after=${second.nextCursor}`);
    expect(third).toEqual({ data: [], hasMore: false, nextCursor: second.nextCursor });
    await add('breaker.opened');
    expect(await events(`?after=${third.nextCursor}`)).toMatchObject({ data: [{ type: 'breaker.opened' }] });
  });

  test('without a place begins with the latest', async () => {
    await add('key.paused', 'key.disabled', 'key.enabled');
    expect(await events('?limit=1')).toMatchObject({ data: [{ type: 'key.enabled' }], hasMore: false });
  });

  test.each(['?after=x', '?after=-1', '?limit=0', '?since=1'])('refuses %s', async (query) => {
    expect(await api.call(`GET /v1/providers/fal/events${query}`)).toMatchObject({
      status: 400,
      body: { code: 'caller_malformed' },
    });
  });

  test('knows no events of providers that there are not, and takes the scope operate', async () => {
    expect((await api.call('GET /v1/providers/nobody/events')).status).toBe(404);
    const other = withKey(await api.addKey({ scopes: ['read', 'submit'] }));
    expect((await api.call('GET /v1/providers/fal/events', undefined, other)).status).toBe(403);
  });
});
