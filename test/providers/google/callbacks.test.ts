import { createGoogle } from '../../../src/providers/google';
import type { Callback } from '../../../src/providers/provider';
import { createTransport, type Transport } from '../../../src/providers/transport';
import { makeCall, modelOf } from '../../support/provider-calls';
import { json, startRecordingServer, type RecordingServer } from '../../support/recording-server';
import { callLikeGoogle, makeRsa, makeToken, toKeySet } from '../../support/signed-callbacks';

const veo = modelOf('google/veo-3.1-fast-generate-preview');
const omni = modelOf('google/gemini-omni-1.1-flash');
const sentAt = new Date('2026-11-21T10:00:00Z');
const seconds = sentAt.getTime() / 1_000;
const key = makeRsa();
const stranger = makeRsa();
const published = toKeySet({ ...stranger, kid: 'old' }, { ...key, kid: 'k1' });

let server: RecordingServer;
let transport: Transport;
let read: (callback: Callback, model?: typeof veo) => Promise<unknown>;

beforeAll(async () => {
  server = await startRecordingServer(json({}));
  transport = createTransport();
});
/** Another adapter each time: each keeps the keys it has seen. */
beforeEach(() => {
  const provider = createGoogle(transport);
  server.answer(json(published));
  read = async (callback, model = veo) => provider.readCallback?.(model, callback, makeCall(`${server.url}/google`));
});
afterAll(async () => {
  await transport.close();
  await server.close();
});

const event = (type: string, id: string): string =>
  JSON.stringify({ type, version: 'v1', timestamp: sentAt.toISOString(), data: { id, file_name: 'files/a' } });
const token = (claims: object = { iat: seconds, exp: seconds + 600 }, header: object = { alg: 'RS256', kid: 'k1' }) =>
  makeToken(key, header, claims);
const call = (body: string, by = token(), receivedAt = sentAt) => callLikeGoogle(by, body, { sentAt, receivedAt });
const generated = event('video.generated', 'abc-1');

test.each([
  ['abc-1', `models/${veo.providerModel}/operations/abc-1`],
  ['operations/abc-1', `models/${veo.providerModel}/operations/abc-1`],
  ['models/veo-3.1/operations/abc-1', 'models/veo-3.1/operations/abc-1'],
])('knows the operation of a video that is called %s', async (name, id) => {
  expect(await read(call(event('video.generated', name)))).toEqual({ id });
  expect(server.requests).toMatchObject([{ method: 'GET', path: '/google/.well-known/jwks.json' }]);
  expect(server.requests[0]?.headers).not.toHaveProperty('x-goog-api-key');
});

test.each(['completed', 'failed', 'cancelled'])('knows the interaction that has %s', async (ending) => {
  expect(await read(call(event(`interaction.${ending}`, 'int_1')), omni)).toEqual({ id: 'int_1' });
});

test('asks for the keys once', async () => {
  await read(call(generated));
  expect(await read(call(generated, token({})))).toMatchObject({ id: expect.stringContaining('abc-1') as string });
  expect(server.requests).toHaveLength(1);
});

test('calls a token forged that another key has signed, or that names another', async () => {
  expect(await read(call(generated, makeToken(stranger, { alg: 'RS256', kid: 'k1' }, { iat: seconds })))).toBe(
    'forged',
  );
  expect(await read(call(generated, token({ iat: seconds }, { alg: 'RS256', kid: 'old' })))).toBe('forged');
  const [header, , signature] = token().split('.');
  const claims = Buffer.from(JSON.stringify({ iat: seconds + 1 })).toString('base64url');
  expect(await read(call(generated, `${header}.${claims}.${signature}`))).toBe('forged');
});

const later = (ms: number): Date => new Date(sentAt.getTime() + ms);

test.each<[string, () => Callback]>([
  ['a message without a token', () => call(generated, '')],
  ['the secret form of another kind of webhook', () => call(generated, 'v1,c2lnbmF0dXJl')],
  ['a token that nobody signed', () => call(generated, token({}, { alg: 'none', kid: 'k1' }))],
  ['a token of a shared secret', () => call(generated, token({}, { alg: 'HS256', kid: 'k1' }))],
  ['a token without the name of its key', () => call(generated, token({}, { alg: 'RS256' }))],
  ['a token that had expired', () => call(generated, token({ exp: seconds - 301 }))],
  ['a token of tomorrow', () => call(generated, token({ iat: seconds + 301 }))],
  ['a repeated message', () => call(generated, token(), later(301_000))],
  ['a name that is not of their shape', () => call(event('video.generated', 'models/x/../files/y'))],
  ['news of something else', () => call(event('batch.succeeded', 'abc-1'))],
  ['news of an interaction', () => call(event('interaction.completed', 'abc-1'))],
  ['what is not JSON', () => call('<html>')],
])('calls %s forged without asking for keys', async (_name, callback) => {
  expect(await read(callback())).toBe('forged');
  expect(server.requests).toEqual([]);
});

test('calls a name forged that is no interaction', async () => {
  expect(await read(call(event('interaction.completed', 'a/b')), omni)).toBe('forged');
  expect(await read(call(generated), omni)).toBe('forged');
});

test('passes the trouble of fetching keys on', async () => {
  server.answer(json({ error: { code: 503, status: 'UNAVAILABLE', message: 'm' } }, 503));
  await expect(read(call(generated))).rejects.toMatchObject({ name: 'ProviderError', code: 'provider_overloaded' });
});

test('announces the ends of videos only', () => {
  const provider = createGoogle(transport);
  const announced = provider.models.filter((model) => provider.announces?.(model) === true);
  expect(announced).toEqual(provider.models.filter(({ medium }) => medium === 'video'));
  expect(announced.length).toBeGreaterThan(1);
});
