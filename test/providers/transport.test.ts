import { createServer, type AddressInfo, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createTransport, TransportError, type Purpose, type Transport } from '../../src/providers/transport';
import { makeCall, secret } from '../support/provider-calls';
import { json, startRecordingServer, type RecordingServer } from '../support/recording-server';

let server: RecordingServer;
let transport: Transport;

beforeEach(async () => {
  server = await startRecordingServer(json({ ok: true }));
  transport = createTransport({ maximumBytes: 10_000 });
});

afterEach(async () => {
  await transport.close();
  await server.close();
});

const send = async (purpose: Purpose, overrides: Parameters<typeof makeCall>[1] = {}, path = '/v1/x') => {
  const call = makeCall(server.url, { deadlineMs: 400, ...overrides });
  const line = transport.open(call, purpose);
  const outcome = await line
    .fetch(`${server.url}${path}`, { method: 'POST', headers: { authorization: `Bearer ${secret}` }, body: '{"a":1}' })
    .then(async (response) => ({ status: response.status, body: await response.text() }))
    .catch((error: unknown) => error as TransportError);
  return { call, line, outcome };
};

test('hands the whole answer to the SDK and tells the exchange once', async () => {
  server.answer(json({ ok: true }, 200, { 'x-request-id': 'r-1', 'set-cookie': 'session=1', 'retry-after': '3' }));
  const { call, line, outcome } = await send('submit');
  expect(outcome).toEqual({ status: 200, body: '{"ok":true}' });
  expect(server.requests).toMatchObject([{ method: 'POST', path: '/v1/x', body: { a: 1 } }]);
  expect(call.exchanges).toMatchObject([{ status: 200, requestId: 'r-1', headers: { 'retry-after': '3' } }]);
  expect(call.exchanges[0]?.headers).not.toHaveProperty('set-cookie');
  expect(line.answer()).toMatchObject({ status: 200, text: '' });
});

test('keeps the text of a refusal for the adapter', async () => {
  server.answer(json({ error: 'no' }, 422));
  const { line } = await send('submit');
  expect(line.answer()).toMatchObject({ status: 422, text: '{"error":"no"}' });
});

test('gives each submit a connection of its own and lets checks share one', async () => {
  await send('submit');
  await send('submit');
  await send('check');
  await nextTurn(); // undici frees a connection one turn after its answer
  await send('check');
  const [first, second, third, fourth] = server.requests;
  expect(new Set([first?.socket, second?.socket, third?.socket]).size).toBe(3);
  expect(fourth?.socket).toBe(third?.socket);
  expect(first?.headers.connection).toBe('close');
});

test('refuses a second request of one submit', async () => {
  const line = transport.open(makeCall(server.url), 'submit');
  await line.fetch(`${server.url}/one`);
  await expect(line.fetch(`${server.url}/two`)).rejects.toMatchObject({ reason: 'second_request' });
  expect(server.requests).toHaveLength(1);
});

test('sends a submit once even where the fetch standard would repeat it', async () => {
  server.answer(json({}, 421), json({ ok: true }));
  const { outcome } = await send('submit');
  expect(outcome).toBeInstanceOf(TransportError);
  expect(server.requests).toHaveLength(1);
});

test('sends nothing more on a line that has failed', async () => {
  server.answer((response) => response.destroy());
  const { line } = await send('check');
  await expect(line.fetch(`${server.url}/again`)).rejects.toThrow(TransportError);
  expect(server.requests).toHaveLength(1);
});

test('follows no redirect, so the key stays with the host it was meant for', async () => {
  server.answer((response) => response.writeHead(307, { location: '/elsewhere' }).end());
  const { outcome } = await send('submit');
  expect(outcome).toMatchObject({ status: 307 });
  expect(server.requests).toHaveLength(1);
});

test('knows a refused connection as not sent', async () => {
  const { url } = server;
  await server.close();
  const line = transport.open(makeCall(url), 'submit');
  await expect(line.fetch(`${url}/x`)).rejects.toMatchObject({ sent: 'not_sent', reason: 'unreachable' });
});

test('knows an unknown host as not sent', async () => {
  const line = transport.open(makeCall(server.url), 'submit');
  await expect(line.fetch('http://no-such-host.invalid/x')).rejects.toMatchObject({ sent: 'not_sent' });
});

test('knows a failed TLS handshake as not sent', async () => {
  const line = transport.open(makeCall(server.url), 'submit');
  await expect(line.fetch(server.url.replace('http:', 'https:'))).rejects.toMatchObject({ sent: 'not_sent' });
});

test('knows a deadline during the TLS handshake as not sent', async () => {
  const sockets: Socket[] = [];
  const silent = createServer((socket) => sockets.push(socket));
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  const line = transport.open(makeCall(server.url, { deadlineMs: 200 }), 'submit');
  await expect(line.fetch(`https://127.0.0.1:${port}/x`)).rejects.toMatchObject({
    sent: 'not_sent',
    reason: 'deadline',
  });
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => silent.close(resolve));
});

test('cannot know what became of a request whose connection breaks before the headers', async () => {
  server.answer((response) => response.destroy());
  expect((await send('submit')).outcome).toMatchObject({ sent: 'unknown', reason: 'interrupted' });
});

test('cannot know what became of a request whose answer is cut', async () => {
  server.answer((response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('{"id":', () => response.destroy());
  });
  const { call, outcome } = await send('submit');
  expect(outcome).toMatchObject({ sent: 'unknown', reason: 'interrupted' });
  expect(call.exchanges).toMatchObject([{ status: 200 }]);
});

test.each(['headers', 'body'])('keeps the deadline while the %s stall', async (where) => {
  server.answer((response) => {
    if (where === 'body') response.writeHead(200, { 'content-type': 'application/json' }).write('{');
  });
  const startedAt = performance.now();
  const { outcome } = await send('submit', { deadlineMs: 200 });
  expect(outcome).toMatchObject({ sent: 'unknown', reason: 'deadline' });
  expect(performance.now() - startedAt).toBeLessThan(1_000);
});

test('tells an abort by the caller from the deadline', async () => {
  server.answer(() => controller.abort());
  const controller = new AbortController();
  const { outcome } = await send('check', { signal: controller.signal });
  expect(outcome).toMatchObject({ reason: 'aborted' });
});

test('stops reading an answer that is too large', async () => {
  server.answer((response) => response.end('x'.repeat(20_000)));
  expect((await send('submit')).outcome).toMatchObject({ sent: 'unknown', reason: 'too_large' });
});

test('tells sent from not sent of requests that run at the same time', async () => {
  server.answer((response) => response.destroy());
  const sent = Array.from({ length: 10 }, () => send('submit').then(({ outcome }) => outcome));
  const unsent = Array.from({ length: 10 }, () =>
    transport
      .open(makeCall(server.url), 'submit')
      .fetch('http://127.0.0.1:1/x')
      .catch((error: unknown) => error),
  );
  for (const outcome of await Promise.all(sent)) expect(outcome).toMatchObject({ sent: 'unknown' });
  for (const outcome of await Promise.all(unsent)) expect(outcome).toMatchObject({ sent: 'not_sent' });
});

test('rewrites a fixed host before anything is resolved', async () => {
  const line = transport.open(makeCall(server.url), 'check', (url) => new URL(url.pathname, server.url));
  await line.fetch('https://queue.fal.run/fal-ai/x');
  expect(server.requests).toMatchObject([{ path: '/fal-ai/x' }]);
});

test('looks like no network error to an SDK that repeats those', async () => {
  server.answer((response) => response.destroy());
  const { outcome } = await send('submit');
  expect(outcome).toMatchObject({ name: 'TransportError' });
  expect(outcome).not.toHaveProperty('code');
  expect((outcome as TransportError).cause).toBeUndefined();
});
