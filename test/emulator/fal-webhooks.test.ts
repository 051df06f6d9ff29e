import { createHash, createPublicKey, verify, type JsonWebKey } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmulator } from '../../src/emulator/server';
import { useReceiver, type Received } from './receiver';
import { control, postJson, readJson, useEmulator } from './support';

const current = useEmulator();
const receiver = useReceiver();
const auth = { authorization: 'Key id:secret' };
const flux = 'fal-ai/flux/dev';

type Submitted = { request_id: string; status_url: string; response_url: string; cancel_url: string };

const submitTo = async (url: string, body: Record<string, unknown> = {}): Promise<Submitted> => {
  const hook = encodeURIComponent(`${receiver().url}/hook?token=t1`);
  const input = { prompt: 'a paper boat', seed: 7, ...body };
  return (await readJson(await postJson(`${url}/fal/${flux}?fal_webhook=${hook}`, input, auth))) as Submitted;
};

const submit = (body: Record<string, unknown> = {}): Promise<Submitted> => submitTo(current().url, body);

const isGenuine = async (url: string, { headers, body }: Received): Promise<boolean> => {
  const { keys } = await readJson(await fetch(`${url}/fal/rest/.well-known/jwks.json`));
  const names = ['request-id', 'user-id', 'timestamp'];
  const digest = createHash('sha256').update(body).digest('hex');
  const message = [...names.map((name) => String(headers[`x-fal-webhook-${name}`])), digest].join('\n');
  const signature = Buffer.from(String(headers['x-fal-webhook-signature']), 'hex');
  return (keys as JsonWebKey[]).some(({ kty, crv, x }) =>
    verify(
      null,
      Buffer.from(message),
      createPublicKey({ key: { kty, crv, x } as JsonWebKey, format: 'jwk' }),
      signature,
    ),
  );
};

type Deliveries = { data: Record<string, unknown>[]; owed: number };

const deliveriesAt = async (url: string): Promise<Deliveries> =>
  (await (await fetch(`${url}/__emulator/webhooks`)).json()) as Deliveries;

/** Until nothing is owed any more. */
const settled = async (): Promise<Record<string, unknown>[]> => {
  let deliveries = await deliveriesAt(current().url);
  while (deliveries.owed > 0) deliveries = await deliveriesAt(current().url);
  return deliveries.data;
};

const addFault = async (kind: string, more: Record<string, unknown> = {}): Promise<void> => {
  const response = await current().addFault({ provider: 'fal', operation: 'webhook', kind, ...more });
  expect(response.status).toBe(201);
};

test('tells the address of a submit that it is done, with the result and a signature', async () => {
  const { request_id: id, response_url: url } = await submit();
  const [delivery] = await receiver().waitFor(1);
  expect(delivery?.path).toBe('/hook?token=t1');
  const payload = await readJson(await fetch(url, { headers: auth }));
  expect(delivery?.json).toEqual({ request_id: id, gateway_request_id: id, status: 'OK', payload });
  expect(delivery?.headers['x-fal-webhook-request-id']).toBe(id);
  expect(Math.abs(Number(delivery?.headers['x-fal-webhook-timestamp']) - Date.now() / 1000)).toBeLessThan(5);
  expect(await isGenuine(current().url, delivery as Received)).toBe(true);
  expect(await isGenuine(current().url, { ...(delivery as Received), body: '{}' })).toBe(false);
});

test('lists deliveries without the secret part of their address', async () => {
  const { request_id: operation } = await submit();
  const data = await settled();
  const host = new URL(receiver().url).host;
  expect(data).toEqual([
    { provider: 'fal', operation, host, attempt: 1, status: 200, fault: null, at: expect.any(String) as string },
  ]);
});

test('says what went wrong in an error message', async () => {
  await submit({ prompt: 'a paper boat [fail]' });
  const [delivery] = await receiver().waitFor(1);
  expect(delivery?.json).toMatchObject({
    status: 'ERROR',
    error: 'Invalid status code: 500',
    payload: { detail: [{ type: 'internal_server_error' }] },
  });
});

test('says nothing of a request that was taken off the queue', async () => {
  await current().set({ latencyScale: 10 });
  const { cancel_url: url } = await submit();
  expect((await fetch(url, { method: 'PUT', headers: auth })).status).toBe(200);
  expect(await settled()).toEqual([]);
});

test('fails a late start although nobody looks, and says so', async () => {
  await current().set({ latencyScale: 1, limits: { fal: { concurrent: 1 } } });
  await submit();
  const hook = encodeURIComponent(receiver().url);
  const headers = { ...auth, 'x-fal-request-timeout': '0.2' };
  await postJson(`${current().url}/fal/${flux}?fal_webhook=${hook}`, { prompt: 'in a hurry' }, headers);
  const [delivery] = await receiver().waitFor(1);
  expect(delivery?.json).toMatchObject({ status: 'ERROR', error: 'Invalid status code: 504' });
});

test('tries again until it is welcome, signed anew each time', async () => {
  receiver().answers.push(500, null, 302, 204);
  await submit();
  const data = await settled();
  expect(data.map(({ attempt, status }) => [attempt, status])).toEqual([
    [1, 500],
    [2, null],
    [3, 302],
    [4, 204],
  ]);
  const genuine = await Promise.all(receiver().received.map((delivery) => isGenuine(current().url, delivery)));
  expect(genuine).toEqual([true, true, true, true]);
});

test('gives up after ten retries in two hours', async () => {
  let nowMs = Date.now();
  const emulator = await startEmulator({ latencyScale: 1, clock: () => nowMs });
  const attempts = async (count: number): Promise<Deliveries> => {
    let deliveries = await deliveriesAt(emulator.url);
    while (deliveries.data.length < count) deliveries = await deliveriesAt(emulator.url);
    return deliveries;
  };
  receiver().answers.push(...Array.from({ length: 20 }, () => 503));
  await submitTo(emulator.url);
  nowMs += 4_000;
  await attempts(1);
  const startMs = nowMs;
  for (let retry = 1; retry <= 10; retry += 1) {
    nowMs = startMs + Math.ceil((7_200_000 * (2 ** retry - 1)) / 1023) + retry;
    await attempts(retry + 1);
  }
  const { data, owed } = await attempts(11);
  expect([data.length, owed]).toEqual([11, 0]);
  const times = data.map(({ at }) => Date.parse(String(at)) - startMs);
  expect(times[0]).toBe(0);
  expect(Math.round((times[10] ?? 0) / 60_000)).toBe(120);
  await emulator.close();
});

test('loses a webhook', async () => {
  await addFault('webhook_lost');
  const { request_id: operation } = await submit();
  expect(await settled()).toMatchObject([{ operation, attempt: 0, status: null, fault: 'webhook_lost' }]);
  expect(receiver().received).toEqual([]);
});

test('delivers a webhook twice', async () => {
  await addFault('webhook_duplicate');
  await submit();
  await settled();
  const bodies = receiver().received.map(({ body }) => body);
  expect(bodies).toHaveLength(2);
  expect(bodies[0]).toBe(bodies[1]);
});

test('delivers a webhook before the answer to the submit, which the client may never see', async () => {
  await current().set({ latencyScale: 10 });
  await addFault('webhook_early', { match: { prompt: 'fast' } });
  await current().addFault({ provider: 'fal', kind: 'drop_after_accept' });
  let isAnswered = false;
  const answer = submit({ prompt: 'a fast boat' })
    .catch(() => 'lost')
    .finally(() => (isAnswered = true));
  const [delivery] = await receiver().waitFor(1);
  expect(isAnswered).toBe(false);
  expect(await answer).toBe('lost');
  const [entry] = await current().ledger();
  expect(entry).toMatchObject({ operation: delivery?.json['request_id'], state: 'succeeded' });
  expect(delivery?.json).toMatchObject({ status: 'OK' });
  await submit({ prompt: 'a slow boat' });
  expect((await deliveriesAt(current().url)).owed).toBe(1);
});

test('delivers a webhook late', async () => {
  await addFault('webhook_late', { delayMs: 300 });
  const { status_url: url } = await submit();
  expect(await readJson(await fetch(url, { headers: auth }))).toMatchObject({ status: 'COMPLETED' });
  expect(receiver().received).toEqual([]);
  const [{ at } = {}] = await settled();
  const [{ endedAt } = {}] = await current().ledger();
  expect(Date.parse(String(at)) - Date.parse(String(endedAt))).toBeGreaterThanOrEqual(300);
});

test('sends a forgery ahead of the true one', async () => {
  await addFault('webhook_forged');
  await submit();
  const data = await settled();
  expect(data.map(({ fault }) => fault)).toEqual(['webhook_forged', null]);
  const genuine = await Promise.all(receiver().received.map((delivery) => isGenuine(current().url, delivery)));
  expect(genuine).toEqual([false, true]);
});

test('spends a fault so often, and on what it matches', async () => {
  await addFault('webhook_lost', { times: 2, match: { model: flux, prompt: 'boat' } });
  for (const prompt of ['a boat', 'a train', 'a boat', 'a boat']) {
    await submit({ prompt });
    await settled();
  }
  expect((await settled()).map(({ fault }) => fault)).toEqual(['webhook_lost', null, 'webhook_lost', null]);
});

test('names what a webhook fault may be', async () => {
  const refusalOf = async (fault: Record<string, unknown>): Promise<string> => {
    const response = await current().addFault({ provider: 'fal', ...fault });
    expect(response.status).toBe(422);
    return JSON.stringify(await readJson(response));
  };
  const kinds = /webhook_lost, webhook_duplicate, webhook_early, webhook_late, webhook_forged/;
  expect(await refusalOf({ operation: 'webhook', kind: 'html' })).toMatch(kinds);
  expect(await refusalOf({ operation: 'submit', kind: 'webhook_lost' })).toMatch(kinds);
  expect(await refusalOf({ kind: 'webhook_late' })).toMatch(/delayMs: .*at least 1/);
  expect(await refusalOf({ kind: 'webhook_stolen' })).toMatch(/webhook_lost.*webhook_forged/);
  expect(await refusalOf({ operation: 'hook', kind: 'webhook_lost' })).toMatch(/submit.*webhook/);
});

test('delivers after a restart what was owed before, with the key of before', async () => {
  const statePath = join(mkdtempSync(join(tmpdir(), 'emulator-')), 'state.jsonl');
  const first = await startEmulator({ statePath, latencyScale: 0 });
  receiver().answers.push(...Array.from({ length: 50 }, () => 503));
  const { request_id: refused } = await submitTo(first.url);
  await receiver().waitFor(1);
  await control(first).set({ latencyScale: 0.5 });
  const { request_id: running } = await submitTo(first.url);
  await first.close();
  const before = receiver().received.splice(0);
  expect(new Set(before.map(({ json }) => json['request_id']))).toEqual(new Set([refused]));
  receiver().answers.length = 0;
  const second = await startEmulator({ statePath, latencyScale: 0 });
  let deliveries = await deliveriesAt(second.url);
  while (deliveries.owed > 0) deliveries = await deliveriesAt(second.url);
  const arrived = deliveries.data.map(({ operation, status }) => [operation, status]);
  expect(arrived.sort()).toEqual([refused, running].sort().map((id) => [id, 200]));
  for (const delivery of [...before, ...receiver().received]) expect(await isGenuine(second.url, delivery)).toBe(true);
  await second.close();
  const third = await startEmulator({ statePath, latencyScale: 0 });
  expect(await deliveriesAt(third.url)).toEqual({ data: [], owed: 0 });
  await third.close();
});
