import { endGeneration, startApi, videoRequest, withKey, type ApiServer } from './api-server';

let api: ApiServer;

beforeEach(async () => {
  api = await startApi({ queuedPerTenant: 2 });
});

afterEach(() => api.close());

const create = (headers?: Record<string, string>, body: object = videoRequest) =>
  api.call('POST /v1/generations', body, headers);

const idempotently = (key: string) => ({ 'Idempotency-Key': key });

test('a tenant with as many as it may have is asked to come back, and is told when', async () => {
  const { body: first } = await create();
  await create();
  const refused = await create();
  expect(refused).toMatchObject({ status: 429, body: { code: 'policy_rate_limited', retryable: true } });
  const header = (name: string) => refused.headers.get(name);
  expect(header('retry-after')).toBe('30');
  expect(header('ratelimit')).toBe('"queued";r=0;t=30');
  expect(header('ratelimit-policy')).toBe('"queued";q=2');
  expect(refused.body.detail).toContain('2 generations');
  expect(api.started).toHaveLength(2);
  await endGeneration(api.database, first.id, 'failed');
  expect((await create()).status).toBe(202);
});

test('what is wrong is said first: a refused request would not be accepted later either', async () => {
  await create();
  await create();
  expect((await create({}, { medium: 'video' })).status).toBe(422);
});

test('another tenant has places of its own', async () => {
  await create();
  await create();
  const tenant = await api.addTenant();
  expect((await create(withKey(await api.addKey({ tenant, scopes: ['submit', 'read'] })))).status).toBe(202);
});

test('a repeated request is answered as before, and a refused one has not used its key up', async () => {
  const first = await create(idempotently('first'));
  const { body: second } = await create();
  const again = await create(idempotently('first'));
  expect(again).toMatchObject({ status: 202, body: { id: first.body.id } });
  expect(again.headers.get('idempotency-replayed')).toBe('true');
  expect((await create(idempotently('third'))).status).toBe(429);
  await endGeneration(api.database, second.id);
  const third = await create(idempotently('third'));
  expect([third.status, third.headers.get('idempotency-replayed')]).toEqual([202, null]);
});

test('of many at once exactly as many are accepted as there are places', async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => create()));
  const statuses = answers.map(({ status }) => status).sort();
  expect(statuses).toEqual([202, 202, ...Array.from({ length: 18 }, () => 429)]);
  expect(await api.database.generation.count()).toBe(2);
});

test('keeps no bytes of what it refuses', async () => {
  await create();
  await create();
  const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
  const image = { base64: png, contentType: 'image/png' };
  const refused = await create({}, { ...videoRequest, input: { ...videoRequest.input, image } });
  expect(refused.status).toBe(429);
  expect(await api.blobKeys()).toEqual([]);
});

describe('a re-run', () => {
  const fail = async (): Promise<string> => {
    const { body } = await create();
    await endGeneration(api.database, body.id, 'failed');
    return body.id;
  };

  test('takes a place like a new generation', async () => {
    const id = await fail();
    await create();
    const { body: other } = await create();
    const refused = await api.call(`POST /v1/generations/${id}/rerun`, {}, idempotently('key'));
    expect(refused).toMatchObject({ status: 429, body: { code: 'policy_rate_limited' } });
    expect(refused.headers.get('ratelimit')).toBe('"queued";r=0;t=30');
    expect(refused.headers.get('retry-after')).toBe('30');
    await endGeneration(api.database, other.id);
    const accepted = await api.call(`POST /v1/generations/${id}/rerun`, {}, idempotently('key'));
    expect(accepted.status).toBe(202);
    const again = await api.call(`POST /v1/generations/${id}/rerun`, {}, idempotently('key'));
    expect(again).toMatchObject({ status: 202, body: { id: accepted.body.id } });
  });

  test('of many tells which ones found no place', async () => {
    await fail();
    await fail();
    await create();
    const { status, body } = await api.call('POST /v1/generations/rerun', {});
    expect(status).toBe(202);
    expect(body.data).toHaveLength(1);
    expect(body).toMatchObject({ skipped: [{ code: 'policy_rate_limited', retryable: true }] });
  });
});
