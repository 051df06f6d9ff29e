import { createServer, type Server } from 'node:net';
import type { ProbeResult } from '../../src/domain/probe';
import { SureshotError } from '../../src/domain/failure';
import { connectTemporal } from '../../src/temporal';
import { makeModel } from '../support/generation-data';
import { startApi, videoRequest, withKey, type ApiServer } from './api-server';

let api: ApiServer;
let probed: [provider: string, credential: string][];
let answer: () => Promise<ProbeResult>;

const aliases = new Map([
  ['mock', ['key-1']],
  ['fal', ['main', 'spare']],
]);

beforeAll(async () => {
  api = await startApi({
    catalogue: [
      makeModel({ id: 'mock/video', provider: 'mock', providerModel: 'video' }),
      makeModel({ id: 'fal/clip', provider: 'fal' }),
      makeModel({ id: 'fal/off', provider: 'fal', enabled: false }),
      makeModel({ id: 'runway/off', provider: 'runway', enabled: false }),
    ],
    configured: new Set(['mock', 'fal']),
    aliases,
    workflows: {
      start: () => undefined,
      cancel: () => Promise.resolve(),
      resolve: () => Promise.resolve(),
      callBack: () => Promise.resolve(),
      isReachable: () => Promise.resolve(true),
      probe: (provider, credential) => {
        probed.push([provider, credential]);
        return answer();
      },
    },
  });
});

afterAll(() => api.close());

beforeEach(() => {
  probed = [];
  answer = () => Promise.resolve({ latencyMs: 123, model: 'fal-ai/veo3.1', code: null });
});

type Listed = {
  id: string;
  configured: boolean;
  enabled: boolean;
  dashboardUrl: string | null;
  credentials: { alias: string; status: string; lastError: { code: string; at: string } | null }[];
  health: { status: string; reason: string | null };
  models: { id: string }[];
};

const list = async (): Promise<Listed[]> => {
  const { status, body } = await api.call('GET /v1/providers');
  expect(status).toBe(200);
  return body.data as Listed[];
};

const providerOf = async (id: string): Promise<Listed | undefined> => (await list()).find((row) => row.id === id);

const operator = () => api.addKey({ scopes: ['operate'] });
const others = () => api.addKey({ scopes: ['read', 'submit'] });

describe('GET /v1/providers', () => {
  test('lists every provider, the ones without a key too', async () => {
    const providers = await list();
    expect(providers.map(({ id }) => id).sort()).toEqual(
      ['anthropic', 'cloudflare', 'elevenlabs', 'fal', 'google', 'groq', 'mock', 'openai', 'runway'].sort(),
    );
    for (const { id, configured, credentials, dashboardUrl } of providers) {
      expect([configured, credentials.length]).toEqual([aliases.has(id), aliases.get(id)?.length ?? 0]);
      if (id !== 'mock') expect(new URL(dashboardUrl ?? '').protocol).toBe('https:');
    }
  });

  test('says who is switched off: whoever has no model that is on', async () => {
    expect(await providerOf('fal')).toMatchObject({ enabled: true });
    expect(await providerOf('runway')).toMatchObject({ enabled: false, configured: false, credentials: [] });
  });

  test('knows nothing of a provider that was not used', async () => {
    expect(await providerOf('openai')).toMatchObject({
      ...{ latencyMs: { p50: null, p95: null, ewma: null }, successRate: null, retrySuccessRate: null },
      ...{ paused: false, pause: null, breaker: 'closed', breakers: [], lastError: null, models: [] },
      health: { status: 'unknown', reason: null, checkedAt: null, check: null },
    });
  });

  test('tells from the attempts of the last day how it went, and what went wrong with which key', async () => {
    const { database } = api;
    const startedAt = new Date(Date.now() - 60_000);
    const endedAt = new Date(startedAt.getTime() + 4_000);
    const sent = { provider: 'fal', model: 'fal/clip', priceVersion: 'made up', startedAt, sentAt: startedAt, endedAt };
    const { body } = await api.call('POST /v1/generations', videoRequest);
    await database.attempt.createMany({
      data: [
        { ...sent, generationId: body.id, number: 1, credential: 'main', status: 'failed', errorCode: 'provider_auth' },
        { ...sent, generationId: body.id, number: 2, credential: 'spare', status: 'succeeded' },
      ],
    });
    const figures = { latencyMs: { p50: 4_000, p95: 4_000, ewma: 4_000 }, successRate: 0.5, retrySuccessRate: null };
    const noFigures = { latencyMs: { p50: null, p95: null, ewma: null }, successRate: null, retrySuccessRate: null };
    const lastError = { code: 'provider_auth', at: endedAt.toISOString(), credential: 'main' };
    expect(await providerOf('fal')).toEqual({
      id: 'fal',
      configured: true,
      enabled: true,
      paused: false,
      pause: null,
      breaker: 'closed',
      breakers: [],
      health: { status: 'unknown', reason: null, checkedAt: null, check: null },
      dashboardUrl: 'https://fal.ai/dashboard',
      credentials: [
        {
          alias: 'main',
          status: 'active',
          cooldownUntil: null,
          disabledBy: null,
          lastError: { code: 'provider_auth', at: endedAt.toISOString() },
          lastUsedAt: null,
        },
        { alias: 'spare', status: 'active', cooldownUntil: null, disabledBy: null, lastError: null, lastUsedAt: null },
      ],
      ...figures,
      lastError: { ...lastError, model: 'fal/clip' },
      models: [
        { id: 'fal/clip', enabled: true, breaker: 'closed', ...figures, lastError },
        { id: 'fal/off', enabled: false, breaker: 'closed', ...noFigures, lastError: null },
      ],
    });
    expect(await providerOf('mock')).toMatchObject({ successRate: null });
  });

  test('takes a key with the scope operate', async () => {
    const refused = await api.call('GET /v1/providers', undefined, withKey(await others()));
    expect(refused).toMatchObject({ status: 403, body: { code: 'caller_forbidden' } });
    const allowed = await api.call('GET /v1/providers', undefined, withKey(await operator()));
    expect(allowed.status).toBe(200);
  });

  test('is only read', async () => {
    const { status, headers } = await api.call('POST /v1/providers', {});
    expect([status, headers.get('allow')]).toEqual([405, 'GET']);
  });
});

describe('POST /v1/providers/{id}/test', () => {
  const tried = (id: string, body?: unknown, headers?: Record<string, string>) =>
    api.call(`POST /v1/providers/${id}/test`, body, headers);

  test.each([
    ['without a body', undefined, 'main'],
    ['with an empty one', {}, 'main'],
    ['with none named', { credential: null }, 'main'],
    ['by its name', { credential: 'spare' }, 'spare'],
  ])('tries a key %s', async (_what, body, credential) => {
    expect(await tried('fal', body)).toMatchObject({
      status: 200,
      body: { provider: 'fal', credential, ok: true, latencyMs: 123, model: 'fal-ai/veo3.1', error: null },
    });
    expect(probed).toEqual([['fal', credential]]);
  });

  test.each([
    ['provider_auth', 'the provider refused the key', false],
    ['provider_insufficient_funds', 'the account has no credit left', false],
    ['provider_rate_limited', 'the provider asks to slow down', true],
    ['provider_model_not_found', 'the call failed', false],
  ] as const)('a failure of the call is the answer: %s', async (code, message, retryable) => {
    answer = () => Promise.resolve({ latencyMs: 40, model: null, code });
    const { status, body } = await tried('fal');
    expect(status).toBe(200);
    expect(body).toEqual({
      provider: 'fal',
      credential: 'main',
      ok: false,
      latencyMs: 40,
      model: null,
      error: { code, message, retryable },
    });
  });

  test.each(['nobody', 'constructor', 'FAL'])('knows no provider %s', async (id) => {
    expect(await tried(id)).toMatchObject({ status: 404, body: { code: 'caller_not_found' } });
  });

  test('cannot try a provider without a key', async () => {
    expect(await tried('runway')).toMatchObject({
      status: 503,
      body: { code: 'policy_no_capacity', detail: expect.stringContaining('runway') },
    });
  });

  test('names the keys there are where one is asked for that is none of them', async () => {
    expect(await tried('fal', { credential: 'main2' })).toMatchObject({
      status: 422,
      body: {
        code: 'caller_invalid_request',
        errors: [{ pointer: '/credential', detail: 'must be null or one of main, spare' }],
      },
    });
  });

  test.each([
    [{ key: 'main' }, '/key'],
    [{ credential: '' }, '/credential'],
    [{ credential: 1 }, '/credential'],
    [[], ''],
  ])('refuses the body %j', async (body, pointer) => {
    const refused = await tried('fal', body);
    expect([refused.status, refused.body.errors[0]?.pointer]).toEqual([422, pointer]);
  });

  test('refuses a body that is no JSON', async () => {
    expect(await tried('fal', '{"credential":')).toMatchObject({ status: 400, body: { code: 'caller_malformed' } });
    expect(await tried('fal', 'main', { 'Content-Type': 'text/plain' })).toMatchObject({ status: 400 });
  });

  test('takes a key with the scope operate', async () => {
    expect((await tried('fal', undefined, withKey(await others()))).status).toBe(403);
    expect(probed).toEqual([]);
    expect((await tried('fal', undefined, withKey(await operator()))).status).toBe(200);
  });

  test('calls nobody in any refusal', async () => {
    for (const [id, body] of [['nobody'], ['runway'], ['fal', { credential: 'x' }], ['fal', { x: 1 }]] as const)
      await tried(id, body);
    expect(probed).toEqual([]);
  });

  test('is only posted to', async () => {
    const { status, headers } = await api.call('GET /v1/providers/fal/test');
    expect([status, headers.get('allow')]).toEqual([405, 'POST']);
  });
});

describe('while Temporal is away', () => {
  const listen = (server: Server): Promise<number> =>
    new Promise((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
    });

  // the limit is half of what a try itself may take
  test('a try is unavailable, soon', async () => {
    const closed = createServer();
    const port = await listen(closed);
    await new Promise((resolve) => closed.close(resolve));
    const temporal = connectTemporal({ connectionOptions: { address: `127.0.0.1:${port}` } });
    answer = () => temporal.probe('fal', 'main');
    const refused = await api.call('POST /v1/providers/fal/test');
    expect(refused).toMatchObject({ status: 503, body: { code: 'system_unavailable', retryable: true } });
    expect(refused.headers.get('retry-after')).not.toBeNull();
    expect(JSON.stringify(refused.body)).not.toContain(String(port));
    await temporal.close();
  }, 15_000);

  test('a failure that nobody foresaw is ours', async () => {
    answer = () => Promise.reject(new Error('a secret of ours'));
    const { status, body } = await api.call('POST /v1/providers/fal/test');
    expect([status, body.code]).toEqual([500, 'system_internal']);
    expect(JSON.stringify(body)).not.toContain('secret');
    answer = () => Promise.reject(new SureshotError('system_unavailable', 'no worker'));
    expect((await api.call('POST /v1/providers/fal/test')).status).toBe(503);
  });
});
