import { ensureBootstrapKey, findApiKey } from '../../src/stores/api-keys';
import { adminKey, now, startApi, videoRequest, withKey, type ApiServer } from './api-server';

let api: ApiServer;

beforeAll(async () => {
  api = await startApi();
});

afterAll(() => api.close());

describe('a request without a usable key', () => {
  const refusals: [string, Record<string, string>][] = [
    ['no header', { Authorization: '' }],
    ['another scheme', { Authorization: `Basic ${adminKey}` }],
    ['no key', { Authorization: 'Bearer' }],
    ['an unknown key', { Authorization: 'Bearer sk_unknown' }],
    ['two words', { Authorization: `Bearer ${adminKey} x` }],
  ];

  test.each(refusals)('is refused: %s', async (_name, headers) => {
    const answer = await api.call('GET /v1/generations', undefined, headers);
    expect(answer).toMatchObject({ status: 401, body: { code: 'caller_unauthenticated' } });
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
  });

  test('is refused when the key has expired', async () => {
    const expired = await api.addKey({ scopes: ['read'], expiresAt: now });
    const valid = await api.addKey({ scopes: ['read'], expiresAt: new Date(now.getTime() + 1) });
    const list = (key: string) => api.call('GET /v1/generations', undefined, withKey(key));
    expect((await list(expired)).status).toBe(401);
    expect((await list(valid)).status).toBe(200);
  });

  test('is refused before its body is read', async () => {
    const answer = await api.call('POST /v1/generations', '{not json', { Authorization: '' });
    expect(answer.status).toBe(401);
  });
});

describe('scopes', () => {
  const routes: [scope: 'submit' | 'read' | 'admin', route: string, body: unknown, status: number][] = [
    ['submit', 'POST /v1/generations', videoRequest, 202],
    ['submit', 'POST /v1/generations/gen_0/cancel', undefined, 404],
    ['read', 'GET /v1/generations', undefined, 200],
    ['read', 'GET /v1/generations/gen_0', undefined, 404],
    ['read', 'GET /v1/generations/gen_0/artifacts/0', undefined, 404],
    ['read', 'GET /v1/models', undefined, 200],
    ['read', 'GET /v1/models/mock/video', undefined, 200],
    ['admin', 'POST /v1/tenants', {}, 422],
    ['admin', 'POST /v1/api-keys', {}, 422],
  ];

  test.each(routes)('%s is what %s takes', async (scope, route, body, status) => {
    const others = (['submit', 'read', 'operate'] as const).filter((other) => other !== scope);
    const without = await api.call(route, body, withKey(await api.addKey({ scopes: [...others] })));
    expect(without).toMatchObject({ status: 403, body: { code: 'caller_forbidden' } });
    const holding = await api.call(route, body, withKey(await api.addKey({ scopes: [scope] })));
    expect(holding.status).toBe(status);
    expect((await api.call(route, body)).status).toBe(status);
  });
});

describe('POST /v1/tenants and /v1/api-keys', () => {
  test('make a tenant and a key that opens it', async () => {
    const tenant = await api.call('POST /v1/tenants', { name: 'acme', weight: 2 });
    expect(tenant).toMatchObject({ status: 201, body: { name: 'acme', weight: 2 } });
    const body = {
      name: 'backend',
      tenant: tenant.body.id,
      scopes: ['submit'],
      expiresAt: '2027-01-01T00:00:00+01:00',
    };
    const created = await api.call('POST /v1/api-keys', body);
    expect(created).toMatchObject({ status: 201, body: { tenant: tenant.body.id, scopes: ['submit'] } });
    expect(created.body.key).toMatch(/^sk_[\w-]{43}$/);
    expect(created.body.key.startsWith(created.body.prefix)).toBe(true);
    const answer = await api.call('POST /v1/generations', videoRequest, withKey(created.body.key));
    const row = await api.database.generation.findUniqueOrThrow({ where: { id: answer.body.id } });
    expect(row.tenantId).toBe(tenant.body.id);
  });

  test('keep a key as its hash only', async () => {
    const { body } = await api.call('POST /v1/api-keys', { name: 'hashed', scopes: ['read'] });
    const rows = JSON.stringify(await api.database.apiKey.findMany());
    expect(rows).not.toContain(body.key);
    expect(rows).toContain(body.prefix);
  });

  test('make a key of the own tenant by default', async () => {
    const { body } = await api.call('POST /v1/api-keys', { name: 'own', scopes: ['read'] });
    expect(body.tenant).toBe('ten_default');
  });

  test('refuse a name that is taken', async () => {
    await api.call('POST /v1/tenants', { name: 'twice' });
    const answer = await api.call('POST /v1/tenants', { name: 'twice' });
    expect(answer).toMatchObject({ status: 409, body: { code: 'caller_conflict', errors: [{ pointer: '/name' }] } });
  });

  test('answer 404 for an unknown tenant', async () => {
    const answer = await api.call('POST /v1/api-keys', { name: 'x', tenant: 'ten_nobody', scopes: ['read'] });
    expect(answer).toMatchObject({ status: 404, body: { code: 'caller_not_found', errors: [{ pointer: '/tenant' }] } });
  });

  test("do not let a tenant's admin reach beyond it", async () => {
    const [mine, other] = [await api.addTenant(), await api.addTenant()];
    const key = withKey(await api.addKey({ tenant: mine, scopes: ['admin'] }));
    const keyFor = (tenant: string) => api.call('POST /v1/api-keys', { name: 'x', tenant, scopes: ['read'] }, key);
    expect((await keyFor(mine)).status).toBe(201);
    expect((await keyFor(other)).status).toBe(404);
    expect((await keyFor('ten_default')).status).toBe(404);
    expect((await api.call('POST /v1/tenants', { name: 'mine too' }, key)).status).toBe(403);
  });

  test.each([
    ['/tenants', { name: '' }, '/name'],
    ['/tenants', { name: 'x', weight: 0 }, '/weight'],
    ['/tenants', { name: 'x', wait: 1 }, '/wait'],
    ['/api-keys', { scopes: ['read'] }, '/name'],
    ['/api-keys', { name: 'x', scopes: [] }, '/scopes'],
    ['/api-keys', { name: 'x', scopes: ['write'] }, '/scopes/0'],
    ['/api-keys', { name: 'x', scopes: ['read'], expiresAt: '2020-01-01T00:00:00Z' }, '/expiresAt'],
    ['/api-keys', { name: 'x', scopes: ['read'], expiresAt: 'tomorrow' }, '/expiresAt'],
  ])('refuse at %s %j', async (route, body, pointer) => {
    const answer = await api.call(`POST /v1${route}`, body);
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ pointer }] } });
  });
});

describe('PATCH /v1/tenants/{id}', () => {
  const change = (id: string, body: object, headers?: Record<string, string>) =>
    api.call(`PATCH /v1/tenants/${id}`, body, headers);

  test('changes the weight, the name or both', async () => {
    const id = await api.addTenant();
    expect(await change(id, { weight: 5 })).toMatchObject({ status: 200, body: { id, name: id, weight: 5 } });
    expect(await change(id, { name: `${id} renamed` })).toMatchObject({ status: 200, body: { weight: 5 } });
    const row = await api.database.tenant.findUniqueOrThrow({ where: { id } });
    expect(row).toMatchObject({ name: `${id} renamed`, weight: 5 });
    expect((await change('ten_default', { weight: 1 })).status).toBe(200);
  });

  test.each([
    [{ weight: 0 }, '/weight'],
    [{ weight: 1001 }, '/weight'],
    [{ weight: 1.5 }, '/weight'],
    [{ weight: null }, '/weight'],
    [{ name: ' ' }, '/name'],
    [{ weight: 2, id: 'ten_mine' }, '/id'],
    [{}, ''],
  ])('refuses %j', async (body, pointer) => {
    const id = await api.addTenant();
    expect(await change(id, body)).toMatchObject({ status: 422, body: { errors: [{ pointer }] } });
  });

  test('refuses a name that another one has, and knows no tenant that is not there', async () => {
    const [id, other] = [await api.addTenant(), await api.addTenant()];
    expect(await change(id, { name: other })).toMatchObject({ status: 409, body: { errors: [{ pointer: '/name' }] } });
    expect((await change(id, { name: id })).status).toBe(200);
    expect(await change('ten_nobody', { weight: 2 })).toMatchObject({
      status: 404,
      body: { code: 'caller_not_found' },
    });
  });

  test('is for an admin of the tenant default', async () => {
    const id = await api.addTenant();
    const own = withKey(await api.addKey({ tenant: id, scopes: ['admin'] }));
    expect((await change(id, { weight: 1000 }, own)).status).toBe(403);
    expect((await change(id, { weight: 2 }, withKey(await api.addKey({ scopes: ['operate'] })))).status).toBe(403);
  });
});

describe('the bootstrap key', () => {
  test('is made once by twenty processes at a time', async () => {
    const key = 'a bootstrap key of many processes';
    await Promise.all(Array.from({ length: 20 }, () => ensureBootstrapKey(api.database, key)));
    expect(await findApiKey(api.database, key)).toMatchObject({ tenantId: 'ten_default', scopes: ['admin'] });
    await ensureBootstrapKey(api.database, adminKey);
  });

  test('takes the place of the one before', async () => {
    await ensureBootstrapKey(api.database, 'another bootstrap key');
    expect((await api.call('GET /v1/models')).status).toBe(401);
    await ensureBootstrapKey(api.database, adminKey);
    expect((await api.call('GET /v1/models')).status).toBe(200);
  });

  test('may be one that was made through the API', async () => {
    const key = await api.addKey({ scopes: ['read'] });
    await ensureBootstrapKey(api.database, key);
    expect(await findApiKey(api.database, key)).toMatchObject({ scopes: ['admin'] });
    await ensureBootstrapKey(api.database, adminKey);
  });
});
