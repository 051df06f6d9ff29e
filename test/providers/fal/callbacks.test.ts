import { createFal } from '../../../src/providers/fal';
import type { Callback } from '../../../src/providers/provider';
import { createTransport, type Transport } from '../../../src/providers/transport';
import { makeCall, modelOf } from '../../support/provider-calls';
import { json, startRecordingServer, type RecordingServer } from '../../support/recording-server';
import { makeEd25519, makeRsa, signLikeFal, toKeySet } from '../../support/signed-callbacks';

const veo = modelOf('fal/veo3.1');
const id = '019aa111-2222-7333-8444-555566667777';
const body = JSON.stringify({ request_id: id, gateway_request_id: id, status: 'OK', payload: { seed: 7 } });
const sentAt = new Date('2026-11-21T10:00:00Z');
const key = makeEd25519();
const published = toKeySet(makeRsa(), makeEd25519(), key);

let server: RecordingServer;
let transport: Transport;
let read: (callback: Callback) => Promise<unknown>;

beforeAll(async () => {
  server = await startRecordingServer(json({}));
  transport = createTransport();
});
/** Another adapter each time: each keeps the keys it has seen. */
beforeEach(() => {
  const provider = createFal(transport);
  server.answer(json(published));
  read = async (callback) => provider.readCallback?.(veo, callback, makeCall(`${server.url}/fal`));
});
afterAll(async () => {
  await transport.close();
  await server.close();
});

test('knows the work a signed message speaks of, long after it came', async () => {
  expect(await read(signLikeFal(key, body, { sentAt }))).toEqual({ id });
  expect(server.requests).toMatchObject([{ method: 'GET', path: '/fal/rest/.well-known/jwks.json' }]);
  expect(server.requests[0]?.headers).not.toHaveProperty('authorization');
});

test('is told of failed work too, and asks for the keys once', async () => {
  const failed = JSON.stringify({ request_id: id, status: 'ERROR', error: 'Invalid status code: 422' });
  expect(await read(signLikeFal(key, failed, { sentAt }))).toEqual({ id });
  expect(await read(signLikeFal(key, body, { sentAt }))).toEqual({ id });
  expect(server.requests).toHaveLength(1);
});

test('is looked at by owner and app whatever the endpoint was', async () => {
  server.answer(json({ status: 'IN_PROGRESS' }));
  await createFal(transport).check?.(modelOf('fal/veo3.1/fast'), { id }, makeCall(`${server.url}/fal`));
  expect(server.requests).toMatchObject([{ path: `/fal/fal-ai/veo3.1/requests/${id}/status?logs=0` }]);
});

const signed = (text = body) => signLikeFal(key, text, { sentAt });
const without = (name: string): Callback => {
  const { [name]: _left, ...headers } = signed().headers;
  return { headers, body };
};

test.each<[string, () => Callback]>([
  ['a body that was altered', () => ({ ...signed(), body: body.replace('"seed":7', '"seed":8') })],
  ['a key that is not theirs', () => signLikeFal(makeEd25519(), body, { sentAt })],
  ['the signature of another message', () => ({ headers: signed('{}').headers, body })],
])('calls %s forged', async (_name, callback) => {
  expect(await read(callback())).toBe('forged');
});

test.each<[string, () => Callback]>([
  ['a message without its signature', () => without('x-fal-webhook-signature')],
  ['a message without its user', () => without('x-fal-webhook-user-id')],
  ['a message without its time', () => without('x-fal-webhook-timestamp')],
  ['a signature that is none', () => ({ headers: { ...signed().headers, 'x-fal-webhook-signature': 'zz' }, body })],
  ['a time that is none', () => ({ headers: { ...signed().headers, 'x-fal-webhook-timestamp': 'now' }, body })],
  ['a repeated message', () => signLikeFal(key, body, { sentAt, receivedAt: new Date(sentAt.getTime() + 301_000) })],
  ['a message of tomorrow', () => signLikeFal(key, body, { sentAt, receivedAt: new Date(sentAt.getTime() - 301_000) })],
  ['a name that is not of their shape', () => signed(JSON.stringify({ request_id: '../../x', status: 'OK' }))],
  ['a message about nothing', () => signed('{}')],
  ['what is not JSON', () => signed('<html>')],
])('calls %s forged without asking for keys', async (_name, callback) => {
  expect(await read(callback())).toBe('forged');
  expect(server.requests).toEqual([]);
});

test('passes the trouble of fetching keys on', async () => {
  server.answer(json({ detail: 'busy' }, 503));
  await expect(read(signed())).rejects.toMatchObject({ name: 'ProviderError', code: 'provider_overloaded' });
  server.answer(json({ nothing: true }));
  await expect(read(signed())).rejects.toMatchObject({ code: 'provider_bad_response' });
  server.answer((response) => response.end('<html>'));
  await expect(read(signed())).rejects.toMatchObject({ code: 'provider_bad_response' });
});

test('announces all of its models', () => {
  const provider = createFal(transport);
  expect(provider.models.every((model) => provider.announces?.(model) === true)).toBe(true);
});
