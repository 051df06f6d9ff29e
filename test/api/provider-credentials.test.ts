import { readProcessConfig } from '../../src/config';
import { createApiDependencies } from '../../src/dependencies';
import { ensureBootstrapKey } from '../../src/stores/api-keys';
import { syncEnvironmentKeys } from '../../src/stores/provider-credentials';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { makeCandidate } from '../support/generation-data';
import { adminKey, startApi, withKey, type ApiServer } from './api-server';

let testDatabase: TestDatabase;
let wired: ReturnType<typeof createApiDependencies>;
let api: ApiServer;

const secret = 'fal-live-0123456789:abcdef';

/** The API as it is wired, with these keys in its environment. */
beforeAll(async () => {
  testDatabase = await createTestDatabase();
  wired = createApiDependencies(
    readProcessConfig({
      DATABASE_URL: testDatabase.url,
      TEMPORAL_ADDRESS: 'nowhere.invalid:7233',
      SURESHOT_SECRET: 'sixteen characters or more',
      LOG_LEVEL: 'silent',
      FAL_API_KEYS: 'main=hush-main',
      RUNWAYML_API_SECRET: 'hush-runway',
    }),
  );
  const { dependencies } = wired;
  await ensureBootstrapKey(dependencies.database, adminKey);
  api = await startApi({
    ...{ database: dependencies.database, catalogue: dependencies.catalogue, keys: dependencies.keys },
    get configured() {
      return dependencies.configured;
    },
    get aliases() {
      return dependencies.aliases;
    },
  });
});

afterAll(async () => {
  await api.close();
  await wired.close();
  await testDatabase.drop();
});

beforeEach(async () => {
  await api.database.$executeRaw`TRUNCATE provider_credentials, provider_events, kept_credentials`;
  await wired.dependencies.keys.refresh();
});

let keys = 0;

/** A secret that nothing has kept yet: this process keeps each one once. */
const newKey = (): string => `gsk_${(keys += 1)}`;

const path = '/v1/providers/fal/credentials';
const add = (body: object, provider = 'fal') => api.call(`POST /v1/providers/${provider}/credentials`, body);
const list = async (provider = 'fal') =>
  (await api.call(`GET /v1/providers/${provider}/credentials`)).body.data as unknown as Record<string, unknown>[];

/** A worker has started with the environment's key. */
const announce = () =>
  syncEnvironmentKeys(api.database, [
    { provider: 'fal', alias: 'main', print: wired.dependencies.keys.printOf('hush-main') },
  ]);

const fresh = {
  ...{ status: 'active', disabledBy: null, priority: 100, weight: 1, failures: 0, pausedUntil: null },
  ...{ lastError: null, lastUsedAt: null },
  usage: { requestsLastMinute: 0, requestsLastDay: 0, jobsInFlight: 0, spendThisMonthUsd: '0' },
};

describe('a key given by API', () => {
  test('is kept sealed, and its provider is configured from then on', async () => {
    expect(wired.dependencies.configured.has('groq')).toBe(false);
    const key = newKey();
    const answer = await add({ alias: 'extra', key, priority: 5, weight: 2 }, 'groq');
    expect(answer).toMatchObject({
      status: 201,
      body: { ...fresh, alias: 'extra', source: 'api', priority: 5, weight: 2 },
    });
    expect(answer.headers.get('location')).toBe('/v1/providers/groq/credentials/extra');
    expect(await list('groq')).toEqual([answer.body]);
    expect((await api.call('GET /v1/providers/groq/credentials/extra')).body).toEqual(answer.body);
    expect(wired.dependencies.configured.has('groq')).toBe(true);
    expect(wired.dependencies.aliases.get('groq')).toEqual(['extra']);
    const [kept] = await api.database.keptCredential.findMany();
    expect(kept).toMatchObject({ provider: 'groq', alias: 'extra' });
    expect(JSON.stringify(kept)).not.toContain(key);
  });

  test('is in no answer and in no line of the log', async () => {
    const answers = [
      await add({ alias: 'extra', key: secret }),
      await add({ alias: 'extra', key: secret }),
      await add({ alias: 'another', key: secret }),
      await add({ alias: 'x y', key: `${secret} ${secret}`, prority: 1 }),
      await api.call(`POST ${path}`, `{"alias":"extra","key":"${secret}",}`),
      await api.call(`POST ${path}`, { alias: 'extra', key: { secret } }),
      await api.call(`GET ${path}`),
      await api.call(`POST ${path}/extra/disable`),
      await api.call(`PATCH ${path}/extra`, { key: secret }),
      await api.call('GET /v1/providers'),
      await api.call(`DELETE ${path}/extra`),
    ];
    expect(answers.map(({ status }) => status)).toEqual([201, 409, 409, 422, 400, 422, 200, 200, 422, 200, 204]);
    const seen = JSON.stringify(answers.map(({ body, headers }) => [body, [...headers]])) + api.log.join('');
    expect(seen).toContain('extra');
    for (const hidden of [secret, 'fal-live', 'hush-main', wired.dependencies.keys.printOf(secret)])
      expect(seen).not.toContain(hidden);
  });

  test.each<[string, object, string]>([
    ['no name', { key: secret }, '/alias'],
    ['a name with a blank', { alias: 'a b', key: secret }, '/alias'],
    ['a name that begins with a digit', { alias: '1', key: secret }, '/alias'],
    ['a name that is too long', { alias: 'a'.repeat(33), key: secret }, '/alias'],
    ['no key', { alias: 'extra' }, '/key'],
    ['an empty key', { alias: 'extra', key: '' }, '/key'],
    ['a key with a line break', { alias: 'extra', key: 'one\ntwo' }, '/key'],
    ['a key with a blank in front', { alias: 'extra', key: ' one' }, '/key'],
    ['a priority below zero', { alias: 'extra', key: secret, priority: -1 }, '/priority'],
    ['half a priority', { alias: 'extra', key: secret, priority: 0.5 }, '/priority'],
    ['a weight below zero', { alias: 'extra', key: secret, weight: -0.1 }, '/weight'],
    ['another field', { alias: 'extra', key: secret, source: 'environment' }, '/source'],
  ])('is refused with %s', async (_what, body, pointer) => {
    const answer = await add(body);
    expect(answer).toMatchObject({ status: 422, body: { code: 'caller_invalid_request', errors: [{ pointer }] } });
    expect(await api.database.providerCredential.count()).toBe(0);
  });

  test('cannot have a name or a secret that the environment has, whether or not a worker has started', async () => {
    const taken = { status: 409, body: { code: 'caller_conflict', errors: [{ pointer: '/alias' }] } };
    expect(await add({ alias: 'main', key: secret })).toMatchObject(taken);
    await announce();
    expect(await add({ alias: 'main', key: secret })).toMatchObject(taken);
    const known = { status: 409, body: { code: 'caller_conflict', errors: [{ pointer: '/key' }] } };
    expect(await add({ alias: 'extra', key: 'hush-main' })).toMatchObject(known);
    expect(await api.database.keptCredential.count()).toBe(0);
  });

  test('is taken away again, and stays sealed for the work that is out', async () => {
    await add({ alias: 'extra', key: newKey() }, 'groq');
    const removed = await api.call('DELETE /v1/providers/groq/credentials/extra');
    expect(removed).toMatchObject({ status: 204, body: '' });
    expect(await list('groq')).toEqual([]);
    expect(wired.dependencies.configured.has('groq')).toBe(false);
    expect(await api.database.keptCredential.count()).toBe(1);
    expect((await api.call('DELETE /v1/providers/groq/credentials/extra')).status).toBe(404);
    expect((await add({ alias: 'extra', key: newKey() }, 'groq')).status).toBe(201);
  });

  test('of Cloudflare needs the account that the environment names', async () => {
    const answer = await add({ alias: 'extra', key: 'token' }, 'cloudflare');
    expect(answer).toMatchObject({ status: 409, body: { code: 'caller_conflict' } });
    expect(answer.body.detail).toContain('CLOUDFLARE_ACCOUNT_ID');
  });
});

describe('a key of the environment', () => {
  test('is listed before a worker has started with it, and can be changed afterwards', async () => {
    expect(await list()).toEqual([{ ...fresh, alias: 'main', source: 'environment' }]);
    const switchOff = () => api.call(`POST ${path}/main/disable`);
    expect(await switchOff()).toMatchObject({ status: 409, body: { code: 'caller_conflict' } });
    await announce();
    expect(await list()).toEqual([{ ...fresh, alias: 'main', source: 'environment' }]);
    expect(await switchOff()).toMatchObject({ status: 200, body: { status: 'disabled', disabledBy: 'operator' } });
  });

  test('cannot be taken away here', async () => {
    await announce();
    const answer = await api.call(`DELETE ${path}/main`);
    expect(answer).toMatchObject({ status: 409, body: { code: 'caller_conflict' } });
    expect(answer.body.detail).toContain('FAL_API_KEYS');
    expect(await list()).toHaveLength(1);
  });
});

describe('the list', () => {
  test('tells paused, disabled and active keys apart, with what went wrong last', async () => {
    for (const alias of ['a', 'b', 'c']) await add({ alias, key: `key of ${alias}`.replaceAll(' ', '-') });
    await announce();
    const at = new Date('2026-11-20T10:00:00Z');
    const mark = (alias: string, data: object) =>
      api.database.providerCredential.updateMany({ where: { alias }, data });
    const pausedUntil = new Date(Date.now() + 3_600_000);
    await mark('a', { pausedUntil, failures: 2, lastErrorCode: 'provider_rate_limited', lastErrorAt: at });
    await mark('b', { disabledBy: 'provider_auth', disabledAt: at, lastErrorCode: 'provider_auth', lastErrorAt: at });
    await mark('c', { pausedUntil: at, lastUsedAt: at, priority: 1 });
    const past = { status: 'active', pausedUntil: null, lastUsedAt: at.toISOString() };
    const lastError = (code: string) => ({ code, at: at.toISOString() });
    expect(await list()).toEqual([
      { ...fresh, alias: 'c', source: 'api', priority: 1, ...past },
      {
        ...{ ...fresh, alias: 'a', source: 'api', status: 'paused', failures: 2 },
        ...{ pausedUntil: pausedUntil.toISOString(), lastError: lastError('provider_rate_limited') },
      },
      {
        ...{ ...fresh, alias: 'b', source: 'api', status: 'disabled', disabledBy: 'provider_auth' },
        lastError: lastError('provider_auth'),
      },
      { ...fresh, alias: 'main', source: 'environment' },
    ]);
  });

  test('counts what each key has been used for', async () => {
    await announce();
    await add({ alias: 'extra', key: secret });
    const { database } = api;
    const id = 'gen_01KAKQ5V9Z0000000000000000';
    const { id: tenantId } = await database.tenant.findFirstOrThrow();
    await database.generation.create({
      data: { id, tenantId, medium: 'video', request: {}, metadata: {}, requestHash: 'hash', deadlineAt: new Date() },
    });
    const { model } = makeCandidate('fal/veo3.1');
    const work: [status: string, costUsd: string | null, daysAgo: number, credential: string][] = [
      ['submitted', null, 0, 'main'],
      ['succeeded', '0.1', 0, 'main'],
      ['failed', '0.2', 0, 'main'],
      ['succeeded', '5', 40, 'main'],
      ['succeeded', '7', 0, 'extra'],
    ];
    for (const [index, [status, costUsd, daysAgo, credential]] of work.entries()) {
      const sentAt = new Date(Date.now() - daysAgo * 86_400_000);
      const key = { generationId: id, number: index + 1, provider: 'fal', model, credential };
      const costs = { costUsd, estimatedUsd: '0.4' };
      await database.attempt.create({ data: { ...key, status, ...costs, sentAt, priceVersion: 'test' } });
      await database.send.create({ data: { ...key, epoch: 1, at: sentAt } });
    }
    await database.$executeRaw`UPDATE sends SET at = now() - interval '1 hour' WHERE number = 3`;
    const usages = (await list()).map(({ alias, usage }) => [alias, usage]);
    expect(Object.fromEntries(usages)).toEqual({
      main: { requestsLastMinute: 2, requestsLastDay: 3, jobsInFlight: 1, spendThisMonthUsd: '0.7' },
      extra: { requestsLastMinute: 1, requestsLastDay: 1, jobsInFlight: 0, spendThisMonthUsd: '7' },
    });
  });

  test('is empty for a provider without a key, and not there for what is no provider', async () => {
    expect(await list('openai')).toEqual([]);
    const answer = await api.call('GET /v1/providers/acme/credentials');
    expect(answer).toMatchObject({ status: 404, body: { code: 'caller_not_found' } });
  });
});

describe('changes', () => {
  beforeEach(async () => {
    await announce();
  });

  test('of priority and weight count for either kind of key', async () => {
    await add({ alias: 'extra', key: secret });
    expect((await api.call(`PATCH ${path}/main`, { priority: 3 })).body).toMatchObject({ priority: 3, weight: 1 });
    expect((await api.call(`PATCH ${path}/extra`, { weight: 0.5 })).body).toMatchObject({ priority: 100, weight: 0.5 });
  });

  test.each<[string, object, string]>([
    ['nothing in it', {}, ''],
    ['another field', { alias: 'x' }, '/alias'],
    ['a priority that is none', { priority: 'high' }, '/priority'],
  ])('with %s are refused', async (_what, body, pointer) => {
    const answer = await api.call(`PATCH ${path}/main`, body);
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ pointer }] } });
  });

  test('of the switch hold at once and leave an event', async () => {
    expect((await api.call(`POST ${path}/main/disable`)).body).toMatchObject({ status: 'disabled' });
    expect((await api.call(`POST ${path}/main/enable`)).body).toMatchObject({ status: 'active', disabledBy: null });
    const events = await api.database.providerEvent.findMany({ orderBy: { id: 'asc' } });
    expect(events.map(({ type, provider, credential }) => [type, provider, credential])).toEqual([
      ['key.disabled', 'fal', 'main'],
      ['key.enabled', 'fal', 'main'],
    ]);
  });

  test.each([
    ['GET', ''],
    ['PATCH', ''],
    ['DELETE', ''],
    ['POST', '/enable'],
    ['POST', '/disable'],
  ])('%s %s answers 404 for a key that is not there', async (method, verb) => {
    const answer = await api.call(`${method} ${path}/nobody${verb}`, method === 'PATCH' ? { priority: 1 } : undefined);
    expect(answer).toMatchObject({ status: 404, body: { code: 'caller_not_found' } });
  });
});

describe('who may', () => {
  const routes: [scope: 'operate' | 'admin', route: string, body: object | undefined, status: number][] = [
    ['operate', `GET ${path}`, undefined, 200],
    ['operate', `GET ${path}/main`, undefined, 200],
    ['admin', `POST ${path}`, {}, 422],
    ['operate', `PATCH ${path}/main`, {}, 422],
    ['operate', `POST ${path}/main/disable`, undefined, 200],
    ['operate', `POST ${path}/main/enable`, undefined, 200],
    ['admin', `DELETE ${path}/main`, undefined, 409],
  ];

  test.each(routes)('%s is what %s takes', async (scope, route, body, status) => {
    await announce();
    const others = (['submit', 'read', 'operate'] as const).filter((other) => other !== scope);
    const without = await api.call(route, body, withKey(await api.addKey({ scopes: [...others] })));
    expect(without).toMatchObject({ status: 403, body: { code: 'caller_forbidden' } });
    const holding = await api.call(route, body, withKey(await api.addKey({ scopes: [scope] })));
    expect(holding.status).toBe(status);
  });

  test("change is the operator's own tenant, for keys serve all of them", async () => {
    await announce();
    const key = withKey(await api.addKey({ tenant: await api.addTenant(), scopes: ['admin'] }));
    const answers = [
      await api.call(`POST ${path}`, { alias: 'extra', key: secret }, key),
      await api.call(`PATCH ${path}/main`, { priority: 1 }, key),
      await api.call(`POST ${path}/main/disable`, undefined, key),
      await api.call(`DELETE ${path}/main`, undefined, key),
    ];
    expect(answers.map(({ status }) => status)).toEqual([403, 403, 403, 403]);
    expect((await api.call(`PUT ${path}`, {})).headers.get('allow')).toBe('GET, POST');
  });
});
