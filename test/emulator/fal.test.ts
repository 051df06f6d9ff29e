import { createFalClient, type ApiError, type FalClient } from '@fal-ai/client';
import { readImageSize } from '../../src/emulator/image-size';
import { startEmulator } from '../../src/emulator/server';
import { control, magicOf, outcomesOf, postJson, readJson, useEmulator, usualOutcomes } from './support';

const current = useEmulator();

/** The official client has no base URL: only its fetch can be turned to another host. */
const clientOf = (key = 'id:secret'): FalClient =>
  createFalClient({
    credentials: key,
    retry: { maxRetries: 0 },
    fetch: (input, init) => {
      const url = new URL(input instanceof Request ? input.url : String(input));
      // What the emulator itself names (where to send a file) is its own address already.
      if (!url.hostname.endsWith('fal.run') && !url.hostname.endsWith('fal.ai')) return fetch(url, init);
      const host = url.hostname === 'rest.fal.ai' ? '/rest' : '';
      return fetch(`${current().url}/fal${host}${url.pathname}${url.search}`, init);
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

const history = async (query: Record<string, string>, key = 'admin:secret'): Promise<Record<string, unknown>> =>
  readJson(
    await fetch(`${current().url}/fal/platform/v1/models/requests/by-endpoint?${String(new URLSearchParams(query))}`, {
      headers: { authorization: `Key ${key}` },
    }),
  );

const idsOf = ({ items }: Record<string, unknown>): unknown[] =>
  (items as { request_id: string }[]).map(({ request_id: id }) => id);

test('finds by its seed a request whose answer was lost, while it runs and after', async () => {
  await current().set({ latencyScale: 10 });
  await current().addFault({ provider: 'fal', kind: 'drop_after_accept' });
  const submitted = postJson(
    `${current().url}/fal/${flux}`,
    { ...input, seed: 4711 },
    { authorization: 'Key id:secret' },
  );
  await expect(submitted).rejects.toThrow();
  const query = { endpoint_id: `${flux},fal-ai/veo3.1`, expand: 'payloads' };
  const [item] = (await history(query))['items'] as Record<string, unknown>[];
  expect(item).toMatchObject({ endpoint_id: flux, ended_at: null, status_code: null, json_input: { seed: 4711 } });
  expect(item).not.toHaveProperty('json_output');
  expect(await current().ledger()).toMatchObject([{ operation: item?.['request_id'], marks: { seed: 4711 } }]);
});

test('filters and pages the request history', async () => {
  const submit = async (prompt: string): Promise<string> =>
    (await clientOf().queue.submit(flux, { input: { ...input, prompt } })).request_id;
  const [good, bad] = [await submit('a boat'), await submit('a boat [fail]')];
  const all = { endpoint_id: flux };
  expect(idsOf(await history(all)).sort()).toEqual([good, bad].sort());
  expect(idsOf(await history({ ...all, status: 'success' }))).toEqual([good]);
  expect(idsOf(await history({ ...all, status: 'error' }))).toEqual([bad]);
  expect(idsOf(await history({ ...all, request_id: bad }))).toEqual([bad]);
  expect(idsOf(await history({ ...all, start: '2199-01-01' }))).toEqual([]);
  expect(idsOf(await history({ ...all, end: '2020-01-01T00:00:00Z' }))).toEqual([]);
  const page = await history({ ...all, limit: '1' });
  expect(page).toMatchObject({ next_cursor: 'Mg==', has_more: true });
  const next = await history({ ...all, limit: '1', cursor: 'Mg==' });
  expect(next).toMatchObject({ next_cursor: null, has_more: false });
  expect([...idsOf(page), ...idsOf(next)].sort()).toEqual([good, bad].sort());
  const [item] = (await history({ ...all, status: 'success', expand: 'payloads' }))['items'] as Record<
    string,
    unknown
  >[];
  expect(item).toMatchObject({ json_output: { images: [{ content_type: 'image/jpeg' }] } });
  expect(await history({ ...all, limit: '101' })).toMatchObject({ error: { type: 'validation_error' } });
});

test('shows the last day of the request history unless told otherwise', async () => {
  let nowMs = Date.now();
  const emulator = await startEmulator({ latencyScale: 0, clock: () => nowMs });
  await postJson(`${emulator.url}/fal/${flux}`, input, { authorization: 'Key id:secret' });
  nowMs += 25 * 3_600_000;
  const list = async (more: string): Promise<number> => {
    const url = `${emulator.url}/fal/platform/v1/models/requests/by-endpoint?endpoint_id=${flux}${more}`;
    const answer = await readJson(await fetch(url, { headers: { authorization: 'Key admin' } }));
    return (answer['items'] as unknown[]).length;
  };
  expect([await list(''), await list(`&start=${new Date(0).toISOString()}`)]).toEqual([0, 1]);
  await emulator.close();
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

const resultOf = async (submitted: Promise<Response>): Promise<Record<string, unknown>> => {
  const { response_url: url } = await readJson(await submitted);
  return readJson(await fetch(String(url), { headers: { authorization: 'Key id:secret' } }));
};

const pngOf = (width: number, height: number): Buffer => {
  const head = Buffer.from('89504e470d0a1a0a0000000d4948445200000000000000000802000000', 'hex');
  head.writeUInt32BE(width, 16);
  head.writeUInt32BE(height, 20);
  return head;
};

const uriOf = (bytes: Buffer): string => `data:image/png;base64,${bytes.toString('base64')}`;

test.each([
  ['fal-ai/flux/dev', { image_size: { width: 1024, height: 1536 } }, [1024, 1536], '0.05'],
  ['fal-ai/flux/schnell', { image_size: 'square_hd', num_inference_steps: 4 }, [1024, 1024], '0.003'],
  ['fal-ai/flux-pro/v1.1', { image_size: 'portrait_16_9', safety_tolerance: '5' }, [576, 1024], '0.04'],
  ['fal-ai/flux-pro/v1.1-ultra', { aspect_ratio: '1:1', raw: true, num_images: 2 }, [2048, 2048], '0.12'],
  ['fal-ai/fast-sdxl', { format: 'png', image_size: 'square' }, [512, 512], '0.0025'],
  ['fal-ai/flux/dev/image-to-image', { image_url: uriOf(pngOf(640, 320)), strength: 0.8 }, [640, 320], '0.03'],
])('draws with %s in the wanted size at its price', async (endpoint, extra, [width, height], costUsd) => {
  const { images } = await resultOf(submitRaw(endpoint, { ...input, ...extra }));
  const { url } = (images as { url: string }[])[0] ?? { url: '' };
  expect(images).toMatchObject([{ width, height }, ...(costUsd === '0.12' ? [{}] : [])]);
  expect(readImageSize(Buffer.from(await (await fetch(url)).arrayBuffer()))).toEqual({ width, height });
  expect(await current().ledger()).toMatchObject([{ model: endpoint, costUsd }]);
});

test.each([
  ['fal-ai/veo3.1/image-to-video', { image_url: 'https://example.com/a.png' }, '3.2'],
  [
    'fal-ai/veo3.1/first-last-frame-to-video',
    { first_frame_url: uriOf(pngOf(9, 16)), last_frame_url: 'https://example.com/b.png' },
    '3.2',
  ],
  ['fal-ai/veo3.1/reference-to-video', { image_urls: ['https://example.com/a.png'], duration: '6s' }, '2.4'],
  ['fal-ai/veo3.1/fast', { resolution: '4k', generate_audio: false }, '2.4'],
  ['fal-ai/veo3.1/fast/image-to-video', { image_url: 'https://example.com/a.png', duration: '4s' }, '0.6'],
])('films with %s at its price', async (endpoint, extra, costUsd) => {
  const { video } = await resultOf(submitRaw(endpoint, { ...input, ...extra }));
  expect(video).toMatchObject({ content_type: 'video/mp4', file_name: 'output.mp4' });
  expect(await current().ledger()).toMatchObject([{ medium: 'video', costUsd }]);
});

test.each([
  ['too many steps for schnell', 'fal-ai/flux/schnell', { num_inference_steps: 28 }, 'num_inference_steps'],
  [
    'a first frame without a last one',
    'fal-ai/veo3.1/first-last-frame-to-video',
    { first_frame_url: 'https://example.com/a.png' },
    'last_frame_url',
  ],
  ['no reference', 'fal-ai/veo3.1/reference-to-video', { image_urls: [] }, 'image_urls'],
  ['an image that is no URL', 'fal-ai/flux/dev/image-to-image', { image_url: 'a.png' }, 'image_url'],
  ['a shape that is none', 'fal-ai/flux-pro/v1.1-ultra', { aspect_ratio: 'wide' }, 'aspect_ratio'],
])('refuses %s', async (_, endpoint, extra, field) => {
  const response = await submitRaw(endpoint, { ...input, ...extra });
  expect([response.status, await readJson(response)]).toMatchObject([422, { detail: [{ loc: ['body', field] }] }]);
  expect(await current().ledger()).toEqual([]);
});

test('stores a file for the official client and knows the size of the image in it', async () => {
  const file = new Blob([new Uint8Array(pngOf(320, 640))], { type: 'image/png' });
  const url = await clientOf().storage.upload(file);
  expect(Buffer.from(await (await fetch(url)).arrayBuffer()).equals(pngOf(320, 640))).toBe(true);
  const { images } = await resultOf(submitRaw('fal-ai/flux/dev/image-to-image', { ...input, image_url: url }));
  expect(images).toMatchObject([{ width: 320, height: 640 }]);
  expect((await fetch(`${url}?signature=wrong`, { method: 'PUT', body: 'x' })).status).toBe(403);
  expect((await fetch(url.replace(/files\/[^/]+/, 'files/none'))).status).toBe(404);
});

test('uploads blobs in the input on its own, as the official client does', async () => {
  const image_url = new Blob([new Uint8Array(pngOf(64, 128))], { type: 'image/png' });
  const { request_id } = await clientOf().queue.submit('fal-ai/flux/dev/image-to-image', {
    input: { ...input, image_url },
  });
  const { data } = await clientOf().queue.result('fal-ai/flux/dev', { requestId: request_id });
  expect(data).toMatchObject({ images: [{ width: 64, height: 128 }] });
});

test('streams the status until it is COMPLETED', async () => {
  await current().set({ latencyScale: 0.1 });
  const { request_id } = await clientOf().queue.submit(flux, { input });
  const stream = await clientOf().queue.streamStatus(flux, { requestId: request_id, connectionMode: 'server' });
  const statuses: string[] = [];
  for await (const { status } of stream) statuses.push(status);
  expect([statuses[0], statuses.at(-1)]).toEqual(['IN_QUEUE', 'COMPLETED']);
});

test('keeps what the headers and the query ask for', async () => {
  const headers = { authorization: 'Key id:secret', 'x-fal-no-retry': '1', 'x-fal-queue-priority': 'low' };
  const url = `${current().url}/fal/${flux}`;
  expect((await postJson(`${url}?fal_webhook=https%3A%2F%2Fexample.com`, input, headers)).status).toBe(200);
  expect(await current().requests('?kind=submit')).toMatchObject([{ query: { fal_webhook: 'https://example.com' } }]);
  expect((await postJson(url, input, { ...headers, 'x-fal-queue-priority': 'urgent' })).status).toBe(400);
  expect((await postJson(url, input, { ...headers, 'x-fal-request-timeout': '0' })).status).toBe(400);
  expect(await current().ledger()).toHaveLength(1);
});

test('fails what no runner began in time, free of charge', async () => {
  let nowMs = 1_000_000;
  const emulator = await startEmulator({ latencyScale: 1, clock: () => nowMs });
  await control(emulator).set({ limits: { fal: { concurrent: 1 } } });
  const headers = { authorization: 'Key id:secret' };
  await postJson(`${emulator.url}/fal/fal-ai/veo3.1`, input, headers);
  const { status_url, response_url } = await readJson(
    await postJson(`${emulator.url}/fal/${flux}`, input, { ...headers, 'x-fal-request-timeout': '5' }),
  );
  nowMs += 4_000;
  expect(await readJson(await fetch(String(status_url), { headers }))).toMatchObject({ status: 'IN_QUEUE' });
  nowMs += 2_000;
  const status = await readJson(await fetch(String(status_url), { headers }));
  expect(status).toMatchObject({ status: 'COMPLETED', error_type: 'request_timeout' });
  const result = await fetch(String(response_url), { headers });
  expect([result.status, result.headers.get('x-fal-request-timeout-type')]).toEqual([504, 'user']);
  expect((await control(emulator).ledger())[1]).toMatchObject({ state: 'failed', costUsd: '0' });
  await emulator.close();
});

test.each([
  [flux, input],
  ['fal-ai/flux-pro/v1.1-ultra', input],
  ['fal-ai/veo3.1', input],
  ['fal-ai/veo3.1/image-to-video', { ...input, image_url: 'https://example.com/a.png' }],
])('%s goes wrong in every way', async (endpoint, body) => {
  expect(await outcomesOf(current(), 'fal', () => submitRaw(endpoint, body))).toEqual(usualOutcomes);
});
