import { composeLimits } from '../../src/domain/registry';
import { makeModel } from '../support/generation-data';
import { clearProviders } from '../support/clear-providers';
import { startApi, videoRequest, withKey, type ApiServer } from './api-server';

const catalogue = [
  makeModel({ id: 'mock/video', provider: 'mock', providerModel: 'video' }),
  makeModel({ id: 'fal/clip', provider: 'fal', providerModel: 'fal-ai/clip-1', family: 'clip' }),
  makeModel({ id: 'fal/reel', provider: 'fal', providerModel: 'fal-ai/reel', family: 'film' }),
  makeModel({ id: 'fal/movie', provider: 'fal', providerModel: 'fal-ai/movie', family: 'film' }),
];

let api: ApiServer;

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
        provider === 'fal'
          ? {
              limits: { jobsInFlight: 2, spendPerMonthUsd: '20.50' },
              models: { clip: { limits: { requestsPerMinute: 10 } } },
            }
          : {},
      ),
  });
});

afterAll(() => api.close());

beforeEach(() => clearProviders(api.database));

type Row = {
  provider: string;
  model: string | null;
  credential: string;
  kind: string;
  limit: number | string;
  used: number | string;
  waiting: number;
  resetsAt: string | null;
  pausedUntil: string | null;
  source: string;
};

const list = async (query = ''): Promise<{ data: Row[]; overrides: object[] }> => {
  const { status, body } = await api.call(`GET /v1/limits${query}`);
  expect(status).toBe(200);
  return body as unknown as { data: Row[]; overrides: object[] };
};

const put = (body: object, headers?: Record<string, string>) => api.call('PUT /v1/limits', body, headers);
const reset = (query: string, headers?: Record<string, string>) =>
  api.call(`DELETE /v1/limits?${query}`, undefined, headers);

const ofMain = async () =>
  (await list()).data
    .filter(({ credential }) => credential === 'main')
    .map(({ model, kind, limit, source }) => [model, kind, limit, source]);

const configured = [
  [null, 'jobs_in_flight', 2, 'configuration'],
  [null, 'spend_per_month', '20.5', 'configuration'],
  ['fal/clip', 'requests_per_minute', 10, 'configuration'],
];

describe('GET /v1/limits', () => {
  test('has a row for every limit of every key, and none where there is none', async () => {
    const { data, overrides } = await list();
    expect(overrides).toEqual([]);
    expect(data.map(({ credential, model, kind }) => [credential, model, kind])).toEqual([
      ['main', null, 'jobs_in_flight'],
      ['main', null, 'spend_per_month'],
      ['main', 'fal/clip', 'requests_per_minute'],
      ['spare', null, 'jobs_in_flight'],
      ['spare', null, 'spend_per_month'],
      ['spare', 'fal/clip', 'requests_per_minute'],
    ]);
    expect(data[0]).toEqual({
      ...{ provider: 'fal', model: null, credential: 'main', kind: 'jobs_in_flight', limit: 2, used: 0, waiting: 0 },
      ...{ resetsAt: null, pausedUntil: null, source: 'configuration' },
    });
  });

  test('shows what is used, when it counts no more, who waits and who rests', async () => {
    const { database } = api;
    const { body } = await api.call('POST /v1/generations', videoRequest);
    const sentAt = new Date(Date.now() - 20_000);
    const until = new Date(Date.now() + 60_000);
    const work = { generationId: body.id, provider: 'fal', model: 'fal/clip', priceVersion: 'made up' };
    await database.attempt.createMany({
      data: [
        { ...work, number: 1, credential: 'main', status: 'submitted', sentAt, estimatedUsd: '0.25' },
        { ...work, number: 2, credential: 'main', status: 'succeeded', sentAt, costUsd: '1.5' },
        { ...work, number: 3, status: 'planned' },
        { ...work, number: 4, status: 'planned', model: 'fal/reel' },
      ],
    });
    const send = { generationId: body.id, epoch: 1, provider: 'fal', credential: 'main', model: 'fal/clip' };
    await database.send.createMany({ data: [1, 2].map((number) => ({ ...send, number, at: sentAt })) });
    const turn = { generationId: body.id, provider: 'fal', tenantId: 'ten_default', priority: 1, tag: 1 };
    await database.queue.create({ data: { provider: 'fal', virtualTimes: [0, 0, 0] } });
    await database.turn.createMany({
      data: [
        { ...turn, number: 3, model: 'fal/clip' },
        { ...turn, number: 4, model: 'fal/reel' },
      ],
    });
    await database.providerCredential.create({
      data: { provider: 'fal', alias: 'main', source: 'environment', print: 'x', pausedUntil: until },
    });
    const [jobs, spend, requests, ofSpare] = (await list()).data;
    const rest = { pausedUntil: until.toISOString() };
    expect(jobs).toMatchObject({ kind: 'jobs_in_flight', used: 1, waiting: 2, resetsAt: null, ...rest });
    expect(spend).toMatchObject({ kind: 'spend_per_month', used: '1.75', waiting: 2, ...rest });
    expect(spend?.resetsAt).toMatch(/^\d{4}-\d\d-01T00:00:00\.000Z$/);
    expect(requests).toMatchObject({ kind: 'requests_per_minute', used: 2, waiting: 1, ...rest });
    const freeMs = new Date(requests?.resetsAt ?? 0).getTime() - sentAt.getTime();
    expect(freeMs).toBeGreaterThanOrEqual(60_000);
    expect(freeMs).toBeLessThan(63_000);
    expect(ofSpare).toMatchObject({ credential: 'spare', used: 0, waiting: 2, pausedUntil: null });
  });

  test('narrows to a provider', async () => {
    await put({ provider: 'mock', kind: 'requests_per_day', limit: 5 });
    expect((await list()).data).toHaveLength(7);
    const { data, overrides } = await list('?provider=mock');
    expect(data).toMatchObject([{ provider: 'mock', credential: 'key-1', kind: 'requests_per_day', limit: 5 }]);
    expect(overrides).toHaveLength(1);
    expect((await list('?provider=fal')).overrides).toEqual([]);
  });

  test.each(['?provider=nobody', '?provider=', '?model=fal/clip'])('refuses %s', async (query) => {
    expect(await api.call(`GET /v1/limits${query}`)).toMatchObject({ status: 400, body: { code: 'caller_malformed' } });
  });

  test('takes the scope operate', async () => {
    const other = withKey(await api.addKey({ scopes: ['read', 'submit'] }));
    expect((await api.call('GET /v1/limits', undefined, other)).status).toBe(403);
    const operator = withKey(await api.addKey({ scopes: ['operate'] }));
    expect((await api.call('GET /v1/limits', undefined, operator)).status).toBe(200);
  });
});

describe('PUT and DELETE /v1/limits', () => {
  test('a limit of every key holds from now on, until it is taken back', async () => {
    expect(await ofMain()).toEqual(configured);
    const set = await put({ provider: 'fal', kind: 'jobs_in_flight', limit: 7 });
    expect(set).toMatchObject({
      status: 200,
      body: {
        ...{ provider: 'fal', credential: null, model: null, kind: 'jobs_in_flight', limit: 7 },
        changedAt: expect.any(String),
      },
    });
    expect((await ofMain())[0]).toEqual([null, 'jobs_in_flight', 7, 'run_time']);
    expect((await list()).overrides).toEqual([set.body]);
    expect((await reset('provider=fal&kind=jobs_in_flight')).status).toBe(204);
    expect(await ofMain()).toEqual(configured);
  });

  test('one of a key and a model binds nobody else', async () => {
    await put({ provider: 'fal', credential: 'main', model: 'fal/clip', kind: 'requests_per_minute', limit: 3 });
    const { data } = await list();
    const rows = data.filter(({ kind }) => kind === 'requests_per_minute');
    expect(rows.map(({ credential, limit, source }) => [credential, limit, source])).toEqual([
      ['main', 3, 'run_time'],
      ['spare', 10, 'configuration'],
    ]);
  });

  test('no limit takes the row away, and is shown as what was set', async () => {
    await put({ provider: 'fal', kind: 'spend_per_month', limit: null });
    expect((await ofMain()).map(([, kind]) => kind)).toEqual(['jobs_in_flight', 'requests_per_minute']);
    expect((await list()).overrides).toMatchObject([{ kind: 'spend_per_month', limit: null }]);
  });

  test.each(['20.5', 20.5])('money may come as %j and is told as text', async (limit) => {
    const { body } = await put({ provider: 'fal', credential: 'main', kind: 'spend_per_month', limit });
    expect(body).toMatchObject({ limit: '20.5' });
  });

  test.each(['fal/clip', 'fal-ai/clip-1', 'clip'])('%s names the model', async (model) => {
    const { body } = await put({ provider: 'fal', model, kind: 'requests_per_day', limit: 1 });
    expect(body).toMatchObject({ model: 'fal/clip' });
  });

  test('the same again changes nothing and is not told', async () => {
    const first = await put({ provider: 'fal', kind: 'jobs_in_flight', limit: 7 });
    expect((await put({ provider: 'fal', kind: 'jobs_in_flight', limit: 7 })).body).toEqual(first.body);
    expect(await api.database.providerEvent.count()).toBe(1);
    expect((await reset('provider=fal&kind=jobs_in_flight')).status).toBe(204);
    expect((await reset('provider=fal&kind=jobs_in_flight')).status).toBe(204);
    expect(await api.database.providerEvent.count()).toBe(2);
  });

  const valid = { provider: 'fal', kind: 'jobs_in_flight', limit: 1 };

  test.each([
    [{ provider: 'nobody' }, '/provider', 'must be one of mock, google'],
    [{ kind: 'requests_per_hour' }, '/kind', 'must be one of jobs_in_flight, requests_per_minute'],
    [{ credential: 'key-1' }, '/credential', 'must be null or one of main, spare'],
    [{ model: 'mock/video' }, '/model', 'must be null or one of fal/clip, fal/reel, fal/movie'],
    [{ model: 'film' }, '/model', 'must be null or one of fal/reel, fal/movie'],
    [{ limit: 0 }, '/limit', 'must be a whole number from 1'],
    [{ limit: 1.5 }, '/limit', 'must be a whole number from 1'],
    [{ limit: '7' }, '/limit', 'must be a whole number from 1'],
    [{ limit: true }, '/limit', 'must be a whole number from 1'],
    [{ limit: undefined }, '/limit', ''],
    [{ kind: 'spend_per_month', limit: 'much' }, '/limit', 'must be an amount of USD'],
    [{ kind: 'spend_per_month', limit: -1 }, '/limit', 'must be an amount of USD'],
    [{ per: 'minute' }, '/per', 'is not a field here'],
  ])('refuses %j', async (change, pointer, detail) => {
    expect(await put({ ...valid, ...change })).toMatchObject({
      status: 422,
      body: { code: 'caller_invalid_request', errors: [{ pointer, detail: expect.stringContaining(detail) }] },
    });
    expect(await api.database.limitOverride.count()).toBe(0);
  });

  test.each([
    ['kind=jobs_in_flight', '/provider'],
    ['provider=fal', '/kind'],
    ['provider=fal&kind=jobs_in_flight&credential=typo', '/credential'],
    ['provider=fal&kind=jobs_in_flight&model=typo', '/model'],
  ])('does not take back %s', async (query, pointer) => {
    expect(await reset(query)).toMatchObject({
      status: 400,
      body: { code: 'caller_malformed', errors: [expect.objectContaining({ pointer })] },
    });
  });

  test('what was set for a key that has gone can be taken back', async () => {
    await api.database.limitOverride.create({
      data: { provider: 'fal', credential: 'gone', kind: 'jobs_in_flight', most: '1' },
    });
    expect((await reset('provider=fal&kind=jobs_in_flight&credential=gone')).status).toBe(204);
    expect(await api.database.limitOverride.count()).toBe(0);
  });

  test('take the scope operate, of the tenant that the keys belong to', async () => {
    const tenant = await api.addTenant();
    const foreign = withKey(await api.addKey({ tenant, scopes: ['operate', 'admin'] }));
    const other = withKey(await api.addKey({ scopes: ['read', 'submit'] }));
    for (const headers of [foreign, other]) {
      expect((await put(valid, headers)).status).toBe(403);
      expect((await reset('provider=fal&kind=jobs_in_flight', headers)).status).toBe(403);
    }
    expect((await put(valid, withKey(await api.addKey({ scopes: ['operate'] })))).status).toBe(200);
  });
});
