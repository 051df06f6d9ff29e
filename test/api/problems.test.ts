import { randomUUID } from 'node:crypto';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { connectDatabase } from '../../src/stores/database';
import { adminKey, startApi, videoRequest, type ApiServer } from './api-server';

let api: ApiServer;

beforeAll(async () => {
  api = await startApi();
});

afterAll(() => api.close());

test('a problem has every member of RFC 9457 and of ours', async () => {
  const answer = await api.call('GET /v1/generations/gen_0?x=secret');
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  expect(answer.body).toEqual({
    type: 'urn:sureshot:problem:caller_not_found',
    title: 'Not found',
    status: 404,
    detail: expect.any(String) as string,
    instance: '/v1/generations/gen_0',
    code: 'caller_not_found',
    retryable: false,
    requestId: answer.headers.get('x-request-id'),
    errors: [],
  });
});

test.each(['GET /', 'GET /v1/nothing', 'POST /v1', 'GET /v1/models/fal/nothing', 'GET /v1/models/%E0%A4%A'])(
  'answers what there is not as a problem: %s',
  async (route) => {
    const { status, body } = await api.call(route);
    expect([400, 404]).toContain(status);
    expect(body.code).toBe(status === 404 ? 'caller_not_found' : 'caller_malformed');
  },
);

test.each([
  ['DELETE /v1/generations', 'GET, POST'],
  ['PUT /v1/generations/gen_0', 'GET'],
  ['GET /v1/generations/gen_0/cancel', 'POST'],
  ['POST /v1/models', 'GET'],
  ['GET /v1/tenants', 'POST'],
])('names the methods that %s could be', async (route, allow) => {
  const answer = await api.call(route);
  expect(answer).toMatchObject({ status: 405, body: { status: 405, code: 'caller_malformed' } });
  expect(answer.headers.get('allow')).toBe(allow);
});

describe('a body that cannot be read', () => {
  const refusals: [string, string, Record<string, string>][] = [
    ['no JSON', '{"medium": "video",', {}],
    ['a lone value', '"video"', {}],
    ['no JSON type', 'medium=video', { 'Content-Type': 'application/x-www-form-urlencoded' }],
    ['an unknown encoding', '{}', { 'Content-Encoding': 'zip' }],
    ['an unknown charset', '{}', { 'Content-Type': 'application/json; charset=latin9' }],
    ['an encoding it does not have', '{}', { 'Content-Encoding': 'gzip' }],
  ];

  test.each(refusals)('is malformed: %s', async (_name, body, headers) => {
    const answer = await api.call('POST /v1/generations', body, headers);
    expect(answer).toMatchObject({ status: 400, body: { code: 'caller_malformed', retryable: false } });
  });

  test('is too large above 72 MB', async () => {
    const body = JSON.stringify({ ...videoRequest, user: 'x'.repeat(72 * 1024 * 1024) });
    const answer = await api.call('POST /v1/generations', body);
    expect(answer).toMatchObject({ status: 413, body: { code: 'caller_payload_too_large' } });
  });
});

describe('X-Request-Id', () => {
  test('is taken over when it is sane', async () => {
    const answer = await api.call('GET /v1/models', undefined, { 'X-Request-Id': 'trace-42.a:b' });
    expect(answer.headers.get('x-request-id')).toBe('trace-42.a:b');
  });

  test.each(['two words', '<script>', 'x'.repeat(129)])('is made anew instead of %.20s', async (id) => {
    const answer = await api.call('GET /v1/models', undefined, { 'X-Request-Id': id });
    expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  test.each(['GET /healthz', 'GET /nothing', 'GET /v1/generations', 'DELETE /v1/models'])('is on %s', async (route) => {
    expect((await api.call(route)).headers.get('x-request-id')).toBeTruthy();
  });
});

test('answers carry the headers of helmet and are not kept by caches', async () => {
  const { headers } = await api.call('GET /v1/models');
  expect(headers.get('x-powered-by')).toBeNull();
  expect(headers.get('x-content-type-options')).toBe('nosniff');
  expect(headers.get('cache-control')).toBe('no-store');
});

test('the log has a line for each request, without keys, prompts and queries', async () => {
  const [prompt, tag] = ['a very secret prompt', 'a-very-secret-tag'];
  const body = { ...videoRequest, input: { prompt }, tags: [tag] };
  const { headers } = await api.call('POST /v1/generations', body, { 'X-Request-Id': 'logged-1' });
  await api.call('POST /v1/generations', `{"prompt": "${prompt}"`);
  await api.call('POST /v1/generations', { ...body, medium: prompt });
  await api.call(`GET /v1/generations?tag=${tag}`);
  const { body: made } = await api.call('POST /v1/api-keys', { name: 'logged', scopes: ['read'] });
  await api.call('GET /v1/models', undefined, { Authorization: `Bearer ${made.key}` });
  const log = api.log.join('');
  expect(headers.get('x-request-id')).toBe('logged-1');
  expect(log).toContain('"id":"logged-1"');
  expect(log).toContain('"status":202');
  for (const secret of [prompt, tag, adminKey, made.key, 'uthorization']) expect(log).not.toContain(secret);
});

describe('a fault of ours', () => {
  test('is answered without its cause, and logged with the request id', async () => {
    const broken = await startApi({
      newId: () => {
        throw new TypeError('cannot reach 10.1.2.3:5432');
      },
    });
    const answer = await broken.call('POST /v1/generations', videoRequest, { 'X-Request-Id': 'faulty' });
    expect(answer).toMatchObject({ status: 500, body: { code: 'system_internal', retryable: true } });
    const line = broken.log.find((entry) => entry.includes('faulty')) as string;
    expect(JSON.parse(line)).toMatchObject({
      level: 50,
      error: { name: 'TypeError', message: 'cannot reach [address]', origin: expect.stringContaining('at ') as string },
    });
    for (const text of [JSON.stringify(answer.body), line]) expect(text).not.toMatch(/10\.1\.2\.3|node_modules/);
    await broken.close();
  });

  test('does not log the prompt when the row cannot be written', async () => {
    const id = (await api.call('POST /v1/generations', videoRequest)).body.id;
    const prompt = `prompt ${randomUUID()}`;
    // the same id a second time: the INSERT fails
    const broken = await startApi({ newId: () => id });
    const request = { ...videoRequest, input: { prompt } };
    await broken.call('POST /v1/generations', request);
    const answer = await broken.call('POST /v1/generations', request);
    expect(answer).toMatchObject({ status: 500, body: { code: 'system_internal' } });
    expect(broken.log.join('')).not.toContain(prompt);
    await broken.close();
  });
});

describe('without PostgreSQL', () => {
  const listenSilently = async (): Promise<Server> => {
    const server = createServer((socket) => socket.on('error', () => undefined));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return server;
  };

  test('answers 503 and when to ask again', async () => {
    const database = connectDatabase({ url: 'postgresql://nobody@127.0.0.1:1/nothing', poolSize: 1 });
    const cut = await startApi({ database });
    const answer = await cut.call('POST /v1/generations', videoRequest);
    expect(answer).toMatchObject({ status: 503, body: { code: 'system_unavailable', retryable: true } });
    expect(answer.headers.get('retry-after')).toBe('5');
    expect(JSON.stringify(answer.body) + cut.log.join('')).not.toContain('127.0.0.1');
    expect(await cut.call('GET /healthz')).toMatchObject({ status: 200, body: { status: 'ok' } });
    expect(await cut.call('GET /readyz')).toMatchObject({
      status: 503,
      body: { status: 'unavailable', database: 'down', temporal: 'up' },
    });
    await cut.close();
  });

  test('a server that says nothing is no database either', async () => {
    const silent = await listenSilently();
    const { port } = silent.address() as AddressInfo;
    const database = connectDatabase({ url: `postgresql://nobody@127.0.0.1:${port}/nothing`, poolSize: 1 });
    const cut = await startApi({ database });
    const [ready, list] = await Promise.all([cut.call('GET /readyz'), cut.call('GET /v1/generations')]);
    expect(ready.status).toBe(503);
    expect(list).toMatchObject({ status: 503, body: { code: 'system_unavailable' } });
    await cut.close();
    silent.close();
  }, 20_000);
});
