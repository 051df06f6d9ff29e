import { createFalClient, type ApiError, type FalClient } from '@fal-ai/client';
import { magicOf, postJson, readJson, useEmulator } from './support';

const current = useEmulator();

/** The official client has no base URL: only its fetch can be turned to another host. */
const clientOf = (key = 'id:secret'): FalClient =>
  createFalClient({
    credentials: key,
    retry: { maxRetries: 0 },
    fetch: (input, init) => {
      const url = new URL(input instanceof Request ? input.url : String(input));
      return fetch(`${current().url}/fal${url.pathname}${url.search}`, init);
    },
  });

const flux = 'fal-ai/flux/dev';
const input = { prompt: 'a red bicycle in the rain' };

const raw = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${current().url}/fal${path}`, {
    ...init,
    headers: { authorization: 'Key id:secret', 'content-type': 'application/json' },
  });

const submitRaw = (endpoint: string, body: Record<string, unknown>, key = 'id:secret'): Promise<Response> =>
  postJson(`${current().url}/fal/${endpoint}`, body, { authorization: `Key ${key}` });

test('runs an image through the official client', async () => {
  const { request_id } = await clientOf().queue.submit(flux, {
    input: { ...input, image_size: { width: 640, height: 384 }, num_images: 2, seed: 7 },
  });
  const status = await clientOf().queue.status(flux, { requestId: request_id, logs: true });
  expect(status).toMatchObject({ status: 'COMPLETED', request_id });
  const { data, requestId } = await clientOf().queue.result(flux, { requestId: request_id });
  expect(requestId).toBe(request_id);
  expect(data).toMatchObject({ seed: 7, has_nsfw_concepts: [false, false], prompt: input.prompt });
  const { url = '', content_type } = (data as { images: { url: string; content_type?: string }[] }).images[1] ?? {};
  expect(content_type).toBe('image/jpeg');
  expect(magicOf(new Uint8Array(await (await fetch(url)).arrayBuffer()))).toBe('jpeg');
  expect(await current().ledger()).toMatchObject([
    { provider: 'fal', operation: request_id, model: flux, costUsd: '0.05', state: 'succeeded' },
  ]);
});

test('runs a video with the price of its seconds, resolution and sound', async () => {
  const submitted = await readJson(
    await submitRaw('fal-ai/veo3.1', { ...input, duration: '4s', resolution: '4k', generate_audio: false }),
  );
  const result = await readJson(
    await fetch(String(submitted['response_url']), { headers: { authorization: 'Key id:secret' } }),
  );
  const { url } = result['video'] as { url: string };
  expect(magicOf(new Uint8Array(await (await fetch(url)).arrayBuffer()))).toBe('mp4');
  expect(await current().ledger()).toMatchObject([{ costUsd: '1.6' }]);
});

test('answers 202 while queued and in progress, 200 when completed', async () => {
  await current().set({ latencyScale: 1, limits: { fal: { concurrent: 1 } } });
  const first = await readJson(await submitRaw(flux, input));
  const second = await readJson(await submitRaw(flux, input));
  expect([first['queue_position'], second['queue_position']]).toEqual([0, 0]);
  const third = await readJson(await submitRaw(flux, input));
  expect(third['queue_position']).toBe(1);
  const queued = await raw(`/fal-ai/flux/requests/${String(third['request_id'])}/status`);
  expect([queued.status, (await readJson(queued))['status']]).toEqual([202, 'IN_QUEUE']);
  await current().addFault({ provider: 'fal', kind: 'stuck', operation: 'poll' });
  const running = await raw(`/fal-ai/flux/requests/${String(first['request_id'])}/status`);
  expect([running.status, (await readJson(running))['status']]).toEqual([202, 'IN_PROGRESS']);
  const early = await raw(`/fal-ai/flux/requests/${String(first['request_id'])}`);
  expect(early.status).toBe(400);
});

test('knows a request at its application only, not at the full endpoint', async () => {
  const { request_id } = await readJson(await submitRaw(flux, input));
  expect((await raw(`/fal-ai/flux/requests/${String(request_id)}/status`)).status).toBe(200);
  expect((await raw(`/fal-ai/flux/dev/requests/${String(request_id)}/status`)).status).toBe(405);
  expect((await raw(`/fal-ai/fast-sdxl/requests/${String(request_id)}/status`)).status).toBe(404);
});

test('calls a failed request COMPLETED and answers its error as the result', async () => {
  const { request_id } = await clientOf().queue.submit(flux, { input: { prompt: '[fail] please' } });
  const status = await clientOf().queue.status(flux, { requestId: request_id });
  expect(status).toMatchObject({ status: 'COMPLETED', error_type: 'internal_server_error' });
  const error = await clientOf()
    .queue.result(flux, { requestId: request_id })
    .catch((caught: unknown) => caught as ApiError<unknown>);
  expect(error).toMatchObject({ name: 'ApiError', status: 500, body: { detail: [{ type: 'internal_server_error' }] } });
  expect(await current().ledger()).toMatchObject([{ state: 'failed', costUsd: '0' }]);
});

test('blacks a filtered image and calls it a success', async () => {
  await current().addFault({ provider: 'fal', kind: 'filtered' });
  const { request_id } = await clientOf().queue.submit(flux, { input });
  const { data } = await clientOf().queue.result(flux, { requestId: request_id });
  expect(data).toMatchObject({ has_nsfw_concepts: [true] });
  expect(await current().ledger()).toMatchObject([{ state: 'succeeded' }]);
});

test('has the four answers to a cancel', async () => {
  await current().set({ latencyScale: 1, limits: { fal: { concurrent: 1 } } });
  const [running, queued] = [
    await readJson(await submitRaw(flux, input)),
    await readJson(await submitRaw(flux, input)),
  ];
  await current().addFault({ provider: 'fal', kind: 'stuck', operation: 'poll' });
  await raw(`/fal-ai/flux/requests/${String(running['request_id'])}/status`);
  const cancel = (id: unknown): Promise<Response> =>
    raw(`/fal-ai/flux/requests/${String(id)}/cancel`, { method: 'PUT' });
  expect((await cancel(queued['request_id'])).status).toBe(200);
  expect((await cancel(running['request_id'])).status).toBe(202);
  expect((await cancel(running['request_id'])).status).toBe(400);
  expect((await cancel('nobody')).status).toBe(404);
  const ledger = await current().ledger();
  expect(ledger.map(({ state, costUsd }) => [state, costUsd])).toEqual([
    ['canceled', '0.025'],
    ['canceled', '0'],
  ]);
  const status = await readJson(await raw(`/fal-ai/flux/requests/${String(queued['request_id'])}/status`));
  expect(status).toMatchObject({ status: 'COMPLETED', error_type: 'client_cancelled' });
});

test.each([
  ['a missing prompt', flux, {}, ['body', 'prompt'], 'missing'],
  ['a number for a duration', 'fal-ai/veo3.1', { ...input, duration: 8 }, ['body', 'duration'], 'literal_error'],
  ['too many images', flux, { ...input, num_images: 5 }, ['body', 'num_images'], 'less_than_equal'],
  ['no image to animate', 'fal-ai/veo3.1/image-to-video', input, ['body', 'image_url'], 'missing'],
  ['refused content', flux, { prompt: 'a [refuse] thing' }, ['body', 'prompt'], 'content_policy_violation'],
])('refuses %s with 422', async (_, endpoint, body, loc, type) => {
  const response = await submitRaw(endpoint, body);
  expect(response.status).toBe(422);
  expect(await readJson(response)).toMatchObject({ detail: [{ loc, type }] });
  expect(await current().ledger()).toEqual([]);
});

test('refuses bad keys, empty accounts and unknown applications', async () => {
  const statuses = await Promise.all([
    fetch(`${current().url}/fal/${flux}`, { method: 'POST' }),
    submitRaw(flux, input, 'invalid'),
    submitRaw(flux, input, 'exhausted'),
    submitRaw('fal-ai/unknown', input),
  ]);
  expect(statuses.map(({ status }) => status)).toEqual([401, 401, 403, 404]);
  expect(JSON.stringify(await readJson(statuses[2]))).toContain('User is locked. Reason: Exhausted balance');
});

test('lists requests with their input to an admin key only', async () => {
  const submitted = await readJson(
    await submitRaw(`${flux}?fal_webhook=https%3A%2F%2Fexample.com%2Fhook`, { ...input, seed: 42 }),
  );
  const list = (key: string): Promise<Response> =>
    fetch(
      `${current().url}/fal/platform/v1/models/requests/by-endpoint?endpoint_id=${encodeURIComponent(flux)}&expand=payloads`,
      {
        headers: { authorization: `Key ${key}` },
      },
    );
  expect((await list('id:secret')).status).toBe(403);
  const { items } = await readJson(await list('admin:secret'));
  expect(items).toMatchObject([{ request_id: submitted['request_id'], status_code: 200, json_input: { seed: 42 } }]);
});

test('expires an artifact after the lifetime the caller chose', async () => {
  const { request_id } = await clientOf().queue.submit(flux, {
    input,
    headers: { 'x-fal-object-lifecycle-preference': '{"expiration_duration_seconds":0}' },
  });
  const { data } = await clientOf().queue.result(flux, { requestId: request_id });
  const { url = '' } = (data as { images: { url: string }[] }).images[0] ?? {};
  let response = await fetch(url);
  while (response.status === 200) response = await fetch(url);
  expect(response.status).toBe(410);
});
