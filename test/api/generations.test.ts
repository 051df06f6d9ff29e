import { endGeneration, startApi, videoRequest, withKey, type ApiServer, type Body } from './api-server';

let api: ApiServer;
/** Of the test's own tenant. */
let own: Record<string, string>;

const newTenant = async (): Promise<Record<string, string>> =>
  withKey(await api.addKey({ tenant: await api.addTenant(), scopes: ['submit', 'read'] }));

beforeAll(async () => {
  api = await startApi();
});

beforeEach(async () => {
  own = await newTenant();
});

afterAll(() => api.close());

const call = (route: string, headers = own) => api.call(route, undefined, headers);

const create = async (change: object = {}, headers = own): Promise<string> => {
  const answer = await api.call('POST /v1/generations', { ...videoRequest, ...change }, headers);
  expect(answer.status).toBe(202);
  return answer.body.id;
};

const addAttempt = (generationId: string, number: number, change: object): Promise<unknown> =>
  api.database.attempt.create({
    data: {
      generationId,
      number,
      provider: 'fal',
      model: 'fal/veo3.1',
      estimatedUsd: '3.20',
      priceVersion: 'fal 2026-11-21',
      ...change,
    },
  });

describe('GET /v1/generations/{id}', () => {
  test('asks to come again while the generation is not terminal', async () => {
    const id = await create();
    const running = await call(`GET /v1/generations/${id}`);
    expect(running).toMatchObject({ status: 200, body: { id, status: 'queued' } });
    expect(Number(running.headers.get('retry-after'))).toBeGreaterThan(0);
    await endGeneration(api.database, id);
    const ended = await call(`GET /v1/generations/${id}`);
    expect(ended.headers.get('retry-after')).toBeNull();
  });

  test('shows the latest attempt as provider and model, and adds the money up', async () => {
    const id = await create();
    await addAttempt(id, 1, { status: 'failed', costUsd: '0.10', errorCode: 'provider_failed', errorMessage: 'no' });
    await addAttempt(id, 2, { provider: 'mock', model: 'mock/video', status: 'ambiguous', possibleCostUsd: '0.00005' });
    await addAttempt(id, 3, { provider: 'runway', model: 'runway/gen4.5', status: 'submitted', estimatedUsd: '1.5' });
    const { body } = await call(`GET /v1/generations/${id}`);
    expect(body).toMatchObject({ provider: 'runway', model: 'runway/gen4.5', object: 'generation' });
    expect(body.cost).toEqual({
      reservedUsd: '1.5',
      actualUsd: '0.1',
      possibleUsd: '0.00005',
      priceVersion: 'fal 2026-11-21',
    });
    expect(body.attempts[0]).toMatchObject({
      number: 1,
      costUsd: '0.1',
      error: { code: 'provider_failed', message: 'no', retryable: true },
    });
    expect(body.attempts[0]).not.toHaveProperty('estimatedUsd');
  });

  test('lists artifacts with their addresses', async () => {
    const id = await create();
    const artifact = { contentType: 'video/mp4', bytes: 12, sha256: 'ab', key: 'k', attempt: 1 };
    await api.database.artifact.create({ data: { generationId: id, index: 0, ...artifact } });
    const { body } = await call(`GET /v1/generations/${id}`);
    expect(body.artifacts).toEqual([
      { index: 0, contentType: 'video/mp4', bytes: 12, sha256: 'ab', url: `/v1/generations/${id}/artifacts/0` },
    ]);
  });

  test('shows the error of a failed generation', async () => {
    const id = await create();
    const data = { status: 'failed', errorCode: 'provider_all_failed', errorMessage: 'none could' };
    await api.database.generation.update({ where: { id }, data });
    const { body } = await call(`GET /v1/generations/${id}`);
    expect(body.error).toEqual({ code: 'provider_all_failed', message: 'none could', retryable: true });
  });

  test.each(['gen_01ARZ3NDEKTSV4RRFFQ69G5FAV', 'nothing', '%00', 'a%2Fb', 'x'.repeat(300)])(
    'answers 404 for %s',
    async (id) => {
      const answer = await call(`GET /v1/generations/${id}`);
      expect(answer).toMatchObject({ status: 404, body: { code: 'caller_not_found', retryable: false } });
    },
  );
});

describe('GET /v1/generations', () => {
  const idsOf = (body: Body): string[] => body.data.map((row) => row.id);

  test('pages from the newest to the oldest', async () => {
    const created: string[] = [];
    for (let count = 0; count < 5; count += 1) created.push(await create());
    const first = await call('GET /v1/generations?limit=2');
    expect(first).toMatchObject({ status: 200, body: { hasMore: true } });
    const second = await call(`GET /v1/generations?limit=2&after=${first.body.nextCursor}`);
    const third = await call(`GET /v1/generations?limit=2&after=${second.body.nextCursor}`);
    expect(third.body).toMatchObject({ hasMore: false, nextCursor: null });
    const pages = [first, second, third].flatMap(({ body }) => idsOf(body));
    expect(pages).toEqual([...created].sort().reverse());
  });

  test('filters by status, medium, provider and tag', async () => {
    const tagged = await create({ tags: ['summer', 'beach'] });
    const text = await create({ medium: 'text', model: 'mock/text', input: { prompt: 'x' } });
    await endGeneration(api.database, text);
    await addAttempt(tagged, 1, {});
    const list = async (query: string) => idsOf((await call(`GET /v1/generations?${query}`)).body);
    expect(await list('status=succeeded')).toEqual([text]);
    expect(await list('medium=video')).toEqual([tagged]);
    expect(await list('provider=fal')).toEqual([tagged]);
    expect(await list('tag=beach')).toEqual([tagged]);
    expect(await list('tag=beach&status=succeeded')).toEqual([]);
  });

  test.each([
    ['limit=0', '/limit'],
    ['limit=101', '/limit'],
    ['limit=ten', '/limit'],
    ['status=done', '/status'],
    ['status=queued&status=failed', '/status'],
    ['medium=film', '/medium'],
    ['tag=%00', '/tag'],
    ['after=abc', '/after'],
    ['after=Z2VuXzE.AAAAAAAAAAAAAAAAAAAAAA', '/after'],
    ['sort=asc', '/sort'],
  ])('refuses ?%s', async (query, pointer) => {
    const answer = await call(`GET /v1/generations?${query}`);
    expect(answer).toMatchObject({ status: 400, body: { code: 'caller_malformed', errors: [{ pointer }] } });
  });

  test("does not take another tenant's cursor", async () => {
    await create();
    await create();
    const { body } = await call('GET /v1/generations?limit=1');
    const answer = await call(`GET /v1/generations?after=${body.nextCursor}`, await newTenant());
    expect(answer.status).toBe(400);
  });
});

describe('POST /v1/generations/{id}/cancel', () => {
  test('writes the wish down and tells the workflow, as often as it is asked', async () => {
    const id = await create();
    const first = await call(`POST /v1/generations/${id}/cancel`);
    const second = await call(`POST /v1/generations/${id}/cancel`);
    expect([first.status, second.status]).toEqual([202, 202]);
    expect(second.body).toMatchObject({ id, status: 'queued', cancelRequestedAt: first.body.cancelRequestedAt });
    expect(first.body.cancelRequestedAt).not.toBeNull();
    expect(api.canceled.filter((canceled) => canceled === id)).toHaveLength(2);
  });

  test('leaves a terminal generation as it is', async () => {
    const id = await create();
    await endGeneration(api.database, id);
    const answer = await call(`POST /v1/generations/${id}/cancel`);
    expect(answer).toMatchObject({ status: 202, body: { status: 'succeeded', cancelRequestedAt: null } });
    expect(api.canceled).not.toContain(id);
  });

  test('answers 404 when there is none', async () => {
    expect((await call('POST /v1/generations/gen_0/cancel')).status).toBe(404);
  });
});

test('a tenant sees, lists and cancels only its own', async () => {
  const ours = await create();
  await api.database.artifact.create({
    data: { generationId: ours, index: 0, attempt: 1, contentType: 'text/plain', bytes: 1, sha256: 'a', key: 'k' },
  });
  const other = withKey(await api.addKey({ tenant: await api.addTenant(), scopes: ['admin'] }));
  const theirs = await create({}, other);
  for (const route of [
    `GET /v1/generations/${ours}`,
    `POST /v1/generations/${ours}/cancel`,
    `GET /v1/generations/${ours}/artifacts/0`,
  ])
    expect(await call(route, other)).toMatchObject({
      status: 404,
      body: { code: 'caller_not_found' },
    });
  const { body } = await call('GET /v1/generations', other);
  expect(body.data).toMatchObject([{ id: theirs }]);
  const row = await api.database.generation.findUniqueOrThrow({ where: { id: ours } });
  expect(row.cancelRequestedAt).toBeNull();
  expect(api.canceled).not.toContain(ours);
});
