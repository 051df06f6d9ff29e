import { makeModel } from '../support/generation-data';
import { startApi, withKey, type ApiServer } from './api-server';

let api: ApiServer;

beforeAll(async () => {
  api = await startApi();
});

afterAll(() => api.close());

test('lists every model with price, capabilities and lifecycle', async () => {
  const { status, body } = await api.call('GET /v1/models');
  expect(status).toBe(200);
  const veo = body.data.find((model) => model.id === 'fal/veo3.1');
  expect(Object.keys(veo ?? {}).sort()).toEqual(
    [
      ...['available', 'capabilities', 'family', 'id', 'lifecycle', 'medium', 'price', 'provider', 'providerModel'],
      ...['automatic', 'priority', 'qualityTier', 'typicalSeconds', 'weight', 'api', 'synchronous', 'maximumSeconds'],
    ].sort(),
  );
  expect(veo).toMatchObject({
    provider: 'fal',
    medium: 'video',
    available: true,
    automatic: true,
    weight: 1,
    priority: 100,
    price: { per: 'second', readOn: expect.stringMatching(/^\d{4}-\d{2}-\d{2}$/) },
  });
});

describe('the registry as the configuration makes it', () => {
  const off = makeModel({ id: 'fal/off', provider: 'fal', enabled: false, weight: 0, priority: 7 });
  const own = makeModel({
    id: 'openai/own/deep',
    provider: 'openai',
    providerModel: 'own@1',
    price: null,
    automatic: false,
  });
  const namesake = makeModel({ id: 'fal/first', provider: 'fal', family: 'fal/second' });
  const second = makeModel({ id: 'fal/second', provider: 'fal' });
  let changed: ApiServer;

  beforeAll(async () => {
    changed = await startApi({ catalogue: [off, own, namesake, second] });
  });

  afterAll(() => changed.close());

  test('tells what is switched off', async () => {
    const { body } = await changed.call('GET /v1/models/fal/off');
    expect(body).toMatchObject({ id: 'fal/off', available: false, weight: 0, priority: 7 });
  });

  test('has the rows of the operator, found by every name they have', async () => {
    const { body } = await changed.call('GET /v1/models');
    expect(body.data.map(({ id }) => id)).toEqual(['fal/off', 'openai/own/deep', 'fal/first', 'fal/second']);
    for (const name of ['openai/own/deep', 'own@1', 'openai%2Fown%2Fdeep'])
      expect((await changed.call(`GET /v1/models/${name}`)).body).toMatchObject({
        id: 'openai/own/deep',
        available: true,
        automatic: false,
        price: null,
      });
  });

  test('finds an exact id before a family of the same name', async () => {
    expect((await changed.call('GET /v1/models/fal/second')).body.id).toBe('fal/second');
    expect((await changed.call('GET /v1/models/clip')).body.id).toBe('fal/off');
  });

  test('knows no other model', async () => {
    expect(await changed.call('GET /v1/models/fal/veo3.1')).toMatchObject({
      status: 404,
      body: { code: 'caller_not_found' },
    });
  });
});

test('takes a key with the scope read', async () => {
  const refused = withKey(await api.addKey({ scopes: ['submit'] }));
  for (const route of ['GET /v1/models', 'GET /v1/models/fal/veo3.1'])
    expect((await api.call(route, undefined, refused)).status).toBe(403);
});

test('computes the lifecycle by the clock', async () => {
  const before = await startApi({ clock: () => new Date('2026-06-29T23:59:59Z') });
  const lifecycleAt = async (server: ApiServer) => (await server.call('GET /v1/models/fal/veo2')).body;
  expect(await lifecycleAt(before)).toMatchObject({
    available: true,
    lifecycle: { status: 'active', date: '2026-06-30', successor: 'fal/veo3.1' },
  });
  expect(await lifecycleAt(api)).toMatchObject({
    available: false,
    lifecycle: { status: 'retired', date: '2026-06-30', successor: 'fal/veo3.1' },
  });
  await before.close();
});

test('says that a model without a key is not available', async () => {
  const { body } = await api.call('GET /v1/models/runway/gen4.5');
  expect(body).toMatchObject({ id: 'runway/gen4.5', available: false });
});

test.each(['fal/veo3.1', 'fal%2Fveo3.1', 'fal-ai/veo3.1'])('finds a model by %s', async (name) => {
  expect((await api.call(`GET /v1/models/${name}`)).body).toMatchObject({ id: 'fal/veo3.1' });
});

test('needs no key to tell that it lives and is ready', async () => {
  const headers = { Authorization: '' };
  expect(await api.call('GET /healthz', undefined, headers)).toMatchObject({ status: 200, body: { status: 'ok' } });
  expect(await api.call('GET /readyz', undefined, headers)).toMatchObject({
    status: 200,
    body: { status: 'ok', database: 'up', temporal: 'up' },
  });
});

test('is ready while Temporal is away, and says so', async () => {
  const workflows = {
    start: () => undefined,
    cancel: () => Promise.resolve(),
    resolve: () => Promise.resolve(),
    callBack: () => Promise.resolve(),
    isReachable: () => Promise.resolve(false),
    probe: () => Promise.reject(new Error('away')),
  };
  const alone = await startApi({ workflows });
  expect(await alone.call('GET /readyz')).toMatchObject({ status: 200, body: { status: 'ok', temporal: 'down' } });
  await alone.close();
});

describe('browsers', () => {
  const origin = 'https://console.example.com';

  test('of no origin are let in by default', async () => {
    const { headers } = await api.call('GET /v1/models', undefined, { Origin: origin });
    expect(headers.get('access-control-allow-origin')).toBeNull();
  });

  test('of the origins named in CORS_ORIGINS are let in', async () => {
    const open = await startApi({ corsOrigins: [origin] });
    const allowed = await open.call('GET /v1/models', undefined, { Origin: origin });
    expect(allowed.headers.get('access-control-allow-origin')).toBe(origin);
    const other = await open.call('GET /v1/models', undefined, { Origin: 'https://example.org' });
    expect(other.headers.get('access-control-allow-origin')).toBeNull();
    const asked = { Origin: origin, 'Access-Control-Request-Method': 'POST', Authorization: '' };
    const preflight = await open.call('OPTIONS /v1/generations', undefined, asked);
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-headers')).toContain('Authorization');
    await open.close();
  });
});
