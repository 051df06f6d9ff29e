import { ulid } from 'ulid';
import { writeCallbackToken } from '../../src/api/callback-token';
import type { Workflows } from '../../src/api/dependencies';
import { connectDatabase } from '../../src/stores/database';
import { listCallbacks } from '../../src/stores/provider-callbacks';
import { eventually } from '../support/stack';
import { now, startApi, videoRequest, type Answer, type ApiServer } from './api-server';

const secret = 'a secret of at least sixteen characters';

type Told = { generationId: string; number: number; kept: number };

let api: ApiServer;
/** What the workflow service was told, and how many messages were there to be read by then. */
const told: Told[] = [];

const nobody = (): Promise<never> => Promise.reject(new Error('no workflow service here'));

const workflowsTelling = (callBack: Workflows['callBack']): Workflows => ({
  start: () => undefined,
  cancel: () => Promise.resolve(),
  resolve: () => Promise.resolve(),
  callBack,
  isReachable: () => Promise.resolve(true),
  probe: nobody,
});

beforeAll(async () => {
  const callBack: Workflows['callBack'] = async (key) => {
    const kept = await listCallbacks(api.database, key);
    told.push({ ...key, kept: kept.length });
  };
  api = await startApi({ secret, workflows: workflowsTelling(callBack) });
});

afterAll(() => api.close());

/** A generation whose attempt 1 at fal is only planned. */
const planAttempt = async (): Promise<string> => {
  const { id } = (await api.call('POST /v1/generations', videoRequest)).body;
  await api.database.attempt.create({
    data: { generationId: id, number: 1, provider: 'fal', model: 'fal/veo3.1', priceVersion: 'made up' },
  });
  return id;
};

const routeOf = (generationId: string, { number = 1, provider = 'fal', by = secret } = {}): string =>
  `/webhooks/providers/${provider}/${writeCallbackToken(by, { provider, generationId, number })}`;

/** As providers call: without any key of ours. */
const post = (route: string, body: unknown = { status: 'OK' }, headers: Record<string, string> = {}): Promise<Answer> =>
  api.call(`POST ${route}`, body, { Authorization: '', ...headers });

const keptOf = (generationId: string) => listCallbacks(api.database, { generationId, number: 1 });
const toldOf = (id: string): Told[] => told.filter(({ generationId }) => generationId === id);

test('keeps a message as it came, also about an attempt that is only planned, answers at once and then tells the attempt', async () => {
  const id = await planAttempt();
  const body = ' {"status":"OK", "payload": "\u00fcn\u00efc\u00f6de"}\n';
  const answer = await post(routeOf(id), body, {
    'Content-Type': 'application/json; charset=utf-8',
    'User-Agent': 'a provider',
    'X-Fal-Webhook-Request-Id': 'request',
    'X-Fal-Webhook-Signature': 'ab01',
    'Webhook-Id': 'msg_1',
    Cookie: 'a=b',
    'X-Forwarded-For': '192.0.2.1',
    'X-Sureshot-Received-At': '2020-01-01T00:00:00Z',
  });
  expect(answer).toMatchObject({ status: 200, body: {} });
  expect(await keptOf(id)).toEqual([
    {
      body,
      headers: {
        'content-type': 'application/json; charset=utf-8',
        'user-agent': 'a provider',
        'x-fal-webhook-request-id': 'request',
        'x-fal-webhook-signature': 'ab01',
        'webhook-id': 'msg_1',
        'x-sureshot-received-at': now.toISOString(),
      },
    },
  ]);
  await eventually(() => Promise.resolve(toldOf(id).length === 1));
  expect(toldOf(id)).toEqual([{ generationId: id, number: 1, kept: 1 }]);
});

test('a repetition is kept once, and told again', async () => {
  const id = await planAttempt();
  const answers = await Promise.all([1, 2, 3].map(() => post(routeOf(id))));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(await keptOf(id)).toHaveLength(1);
  await eventually(() => Promise.resolve(toldOf(id).length === 3));
});

test('any number of messages is accepted, twenty are kept', async () => {
  const id = await planAttempt();
  for (let index = 0; index < 22; index += 1)
    expect(await post(routeOf(id), { index })).toMatchObject({ status: 200, body: {} });
  expect(await keptOf(id)).toHaveLength(20);
  await eventually(() => Promise.resolve(toldOf(id).length === 20));
});

test.each([
  ['no JSON', 'status=OK', { 'Content-Type': 'application/x-www-form-urlencoded' }, 'status=OK'],
  ['broken JSON', '{"status":', { 'Content-Type': 'application/json' }, '{"status":'],
  ['no text', new Uint8Array([0x61, 0xff, 0x00, 0x62]), { 'Content-Type': 'image/png' }, 'a\ufffdb'],
  ['nothing at all', undefined, {}, ''],
])('takes a body that is %s', async (_what, body, headers: Record<string, string>, wanted) => {
  const id = await planAttempt();
  expect((await post(routeOf(id), body ?? '', headers)).status).toBe(200);
  expect((await keptOf(id)).map((callback) => callback.body)).toEqual([wanted]);
});

test('a body may have 1 MB and not more', async () => {
  const id = await planAttempt();
  const large = await post(routeOf(id), 'a'.repeat(1024 * 1024 + 1));
  expect(large).toMatchObject({ status: 413, body: { code: 'caller_payload_too_large' } });
  expect(large.body.detail).toContain('1 MB');
  expect(await keptOf(id)).toEqual([]);
  expect((await post(routeOf(id), 'a'.repeat(1024 * 1024))).status).toBe(200);
});

test('a message about what is not there is accepted and forgotten', async () => {
  const gone = `gen_${ulid()}`;
  const id = await planAttempt();
  for (const route of [routeOf(gone), routeOf(id, { number: 2 }), routeOf(id, { provider: 'google' })])
    expect(await post(route)).toMatchObject({ status: 200, body: {} });
  expect([await keptOf(gone), await keptOf(id)]).toEqual([[], []]);
  expect([toldOf(gone), toldOf(id)]).toEqual([[], []]);
});

/** Every way in which an address can be wrong. */
const wrongRoutes: [string, (id: string) => string][] = [
  ['signed by somebody else', (id) => routeOf(id, { by: 'another secret of sixteen characters' })],
  ['of another provider', (id) => routeOf(id).replace('/fal/', '/google/')],
  ['of a provider that nobody knows', (id) => routeOf(id).replace('/fal/', '/nobody/')],
  ['of another attempt', (id) => routeOf(id).replace('.1.', '.2.')],
  ['of another generation', (id) => routeOf(id).replace(id, `gen_${ulid()}`)],
  ['cut', (id) => routeOf(id).slice(0, -1)],
  ['longer than it is', (id) => `${routeOf(id)}A`],
  ['without a signature', (id) => `/webhooks/providers/fal/${id}.1.`],
  ['of nothing', () => '/webhooks/providers/fal/token'],
];

test.each(wrongRoutes)('an address %s is no route', async (_what, routeFor) => {
  const id = await planAttempt();
  const route = routeFor(id);
  const unknown = await post('/webhooks/nothing');
  const answer = await post(route);
  expect(answer.status).toBe(404);
  const detail = `there is no POST ${route}`;
  const { requestId } = answer.body as unknown as { requestId: string };
  expect(answer.body).toEqual({ ...unknown.body, requestId, detail, instance: route });
  expect(await keptOf(id)).toEqual([]);
  expect(toldOf(id)).toEqual([]);
});

test.each(['GET', 'PUT', 'DELETE'])('has no %s, whatever the address', async (method) => {
  for (const route of [routeOf(`gen_${ulid()}`), '/webhooks/providers/fal/token']) {
    const answer = await api.call(`${method} ${route}`);
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe('POST');
  }
});

test('neither an address nor what was sent is logged', async () => {
  const id = await planAttempt();
  const route = routeOf(id);
  const token = route.split('/').at(-1) ?? '';
  await post(route, { prompt: 'a secret prompt' }, { 'Webhook-Id': 'a secret header' });
  await post(`${route}/`, { prompt: 'a secret prompt' });
  await post(route.replace('webhooks', 'WebHooks'));
  await post(`${route}.forged`, { prompt: 'a secret prompt' });
  await api.call(`GET ${route}/more?token=${token}`);
  const [, , signature = ''] = token.split('.');
  await eventually(() =>
    Promise.resolve(api.log.some((line) => line.includes('"method":"GET"') && line.includes('[token]'))),
  );
  const log = api.log.join('');
  expect(log).toContain('/webhooks/providers/fal/[token]');
  for (const secretText of [signature, 'a secret prompt', 'a secret header']) expect(log).not.toContain(secretText);
});

test('without PostgreSQL the provider is asked to send again, and a forger learns nothing of it', async () => {
  const database = connectDatabase({ url: 'postgresql://nobody@127.0.0.1:1/nothing', poolSize: 1 });
  const id = `gen_${ulid()}`;
  const workflows = workflowsTelling((key) => Promise.resolve(void told.push({ ...key, kept: 0 })));
  const cut = await startApi({ database, secret, workflows });
  const answer = await cut.call(`POST ${routeOf(id)}`, { status: 'OK' });
  expect(answer).toMatchObject({ status: 503, body: { code: 'system_unavailable', retryable: true } });
  expect(answer.headers.get('retry-after')).toBe('5');
  expect(await cut.call(`POST ${routeOf(id)}A`, { status: 'OK' })).toMatchObject({ status: 404 });
  expect(cut.log.join('')).not.toContain(routeOf(id).split('.').at(-1));
  expect(toldOf(id)).toEqual([]);
  await cut.close();
});
