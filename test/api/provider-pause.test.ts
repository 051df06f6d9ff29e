import { clearProviders } from '../support/clear-providers';
import { startApi, withKey, type ApiServer } from './api-server';

let api: ApiServer;

beforeAll(async () => {
  api = await startApi({ aliases: new Map([['fal', ['main']]]) });
});

afterAll(() => api.close());

beforeEach(() => clearProviders(api.database));

const pause = (body?: unknown, headers?: Record<string, string>) =>
  api.call('POST /v1/providers/fal/pause', body, headers);
const resume = (body?: unknown, headers?: Record<string, string>) =>
  api.call('POST /v1/providers/fal/resume', body, headers);

const events = async () =>
  (await api.database.providerEvent.findMany({ orderBy: { id: 'asc' } })).map(({ provider, type, data }) => ({
    ...{ provider, type, data },
  }));

const queue = () => api.database.queue.findUnique({ where: { provider: 'fal' } });

test('a pause holds until somebody resumes', async () => {
  const paused = await pause({ reason: 'their status page is red' });
  expect(paused).toMatchObject({ status: 200, body: { provider: 'fal', paused: true, pause: { waiting: 'wait' } } });
  expect(await queue()).toMatchObject({ pausedAt: expect.any(Date), pausedWork: 'wait' });
  const { body } = await api.call('GET /v1/providers');
  expect(body.data.find(({ id }) => id === 'fal')).toMatchObject({ paused: true, pause: { waiting: 'wait' } });
  expect(body.data.find(({ id }) => id === 'mock')).toMatchObject({ paused: false, pause: null });
  expect(await resume()).toMatchObject({ status: 200, body: { provider: 'fal', paused: false, pause: null } });
  expect(await queue()).toMatchObject({ pausedAt: null, pausedWork: null });
  expect(await events()).toEqual([
    {
      ...{ provider: 'fal', type: 'provider.paused' },
      data: { waiting: 'wait', reason: 'their status page is red' },
    },
    { provider: 'fal', type: 'provider.resumed', data: {} },
  ]);
});

test('a second pause changes nothing, and is not told', async () => {
  const first = await pause();
  expect((await pause()).body).toEqual(first.body);
  expect(await events()).toHaveLength(1);
});

test('a second pause may decide otherwise about those who wait', async () => {
  const first = await pause();
  const second = await pause({ waiting: 'reroute' });
  expect(second.body).toEqual({
    ...first.body,
    pause: { ...(first.body as unknown as { pause: object }).pause, waiting: 'reroute' },
  });
  expect(await events()).toHaveLength(2);
});

test('who is not paused is resumed in peace', async () => {
  expect(await resume()).toMatchObject({ status: 200, body: { paused: false } });
  expect(await events()).toEqual([]);
});

test('who waits is looked at again at once after a pause', async () => {
  await pause();
  const later = new Date(Date.now() + 3_600_000);
  await api.database.queue.update({ where: { provider: 'fal' }, data: { nextAt: later } });
  await resume();
  expect((await queue())?.nextAt?.getTime()).toBeLessThan(later.getTime());
});

test.each([
  [{ waiting: 'stop' }, '/waiting'],
  [{ reason: '' }, '/reason'],
  [{ until: '2027' }, '/until'],
])('refuses the body %j', async (body, pointer) => {
  expect(await pause(body)).toMatchObject({ status: 422, body: { errors: [{ pointer }] } });
  expect(await queue()).toBeNull();
});

test('what to do with those who wait is no question of a resume', async () => {
  expect((await resume({ waiting: 'wait' })).status).toBe(422);
});

test('one that there is not cannot be paused', async () => {
  expect((await api.call('POST /v1/providers/nobody/pause')).status).toBe(404);
  expect((await api.call('POST /v1/providers/nobody/resume')).status).toBe(404);
  expect((await api.call('GET /v1/providers/fal/pause')).headers.get('allow')).toBe('POST');
});

test('takes the scope operate, of the tenant that the providers belong to', async () => {
  const tenant = await api.addTenant();
  const foreign = withKey(await api.addKey({ tenant, scopes: ['operate', 'admin'] }));
  const other = withKey(await api.addKey({ scopes: ['read', 'submit'] }));
  for (const headers of [foreign, other]) {
    expect((await pause({}, headers)).status).toBe(403);
    expect((await resume({}, headers)).status).toBe(403);
  }
  expect(await queue()).toBeNull();
  expect((await pause({}, withKey(await api.addKey({ scopes: ['operate'] })))).status).toBe(200);
});
