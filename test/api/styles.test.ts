import { startApi, withKey, type ApiServer } from './api-server';

let api: ApiServer;

beforeAll(async () => {
  api = await startApi();
});

afterAll(() => api.close());

test('lists the looks that can be asked for by id, with the words they become and an example', async () => {
  const { status, body } = await api.call('GET /v1/styles');
  expect(status).toBe(200);
  const ids = body.data.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids).toEqual(
    expect.arrayContaining([
      'cinematic',
      'anime',
      'photorealistic',
      'watercolor',
      '3d',
      'pixel',
      'line-art',
      'product',
    ]),
  );
  for (const style of body.data)
    expect(style).toEqual({
      id: expect.stringMatching(/\S/),
      name: expect.stringMatching(/\S/),
      promptFragment: expect.stringMatching(/\S/),
      example: expect.stringMatching(/\S/),
    });
});

test('takes a key with the scope read', async () => {
  const allowed = await api.call('GET /v1/styles', undefined, withKey(await api.addKey({ scopes: ['read'] })));
  const refused = await api.call('GET /v1/styles', undefined, withKey(await api.addKey({ scopes: ['submit'] })));
  const unknown = await api.call('GET /v1/styles', undefined, { Authorization: '' });
  expect([allowed.status, refused.status, unknown.status]).toEqual([200, 403, 401]);
});

test('is only read', async () => {
  const { status, headers } = await api.call('POST /v1/styles', {});
  expect([status, headers.get('allow')]).toEqual([405, 'GET']);
});
