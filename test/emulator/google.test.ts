import { ApiError, GenerateVideosOperation, GoogleGenAI, VideoGenerationReferenceType } from '@google/genai';
import { startEmulator } from '../../src/emulator/server';
import { control, magicOf, postJson, readJson, useEmulator } from './support';

const current = useEmulator();
const base = (): string => `${current().url}/google/v1beta`;
const headers = (key = 'key_test'): Record<string, string> => ({ 'x-goog-api-key': key });

const clientOf = (apiKey = 'key_test'): GoogleGenAI =>
  // With a fetch of our own it looks for no dispatcher, which a test's VM hides from it.
  new GoogleGenAI({ apiKey, httpOptions: { baseUrl: `${current().url}/google`, fetch } });

const fast = 'veo-3.1-fast-generate-preview';
const png = 'iVBORw0KGgo=';
const image = { bytesBase64Encoded: png, mimeType: 'image/png' };

const submit = (body: unknown, model = fast, key?: string): Promise<Response> =>
  postJson(`${base()}/models/${model}:predictLongRunning`, body, headers(key));

const bodyOf = (parameters: object = {}, instance: object = {}): object => ({
  instances: [{ prompt: 'a red bicycle', ...instance }],
  parameters,
});

const get = async (path: string, key?: string): Promise<Record<string, unknown>> =>
  readJson(await fetch(`${base()}/${path}`, { headers: headers(key) }));

type GoogleError = { code: number; message: string; status: string; details?: Record<string, unknown>[] };

const errorOf = async (response: Response): Promise<GoogleError> => (await readJson(response))['error'] as GoogleError;

const nameOf = async (response: Promise<Response>): Promise<string> => String((await readJson(await response))['name']);

const uriOf = (operation: Record<string, unknown>, index = 0): string => {
  const { response } = operation as {
    response: { generateVideoResponse: { generatedSamples: { video: { uri: string } }[] } };
  };
  return response.generateVideoResponse.generatedSamples[index]?.video.uri ?? '';
};

const download = (uri: string, key?: string): Promise<Response> => fetch(uri, { headers: headers(key) });

test('makes a video through the official client, which is then downloaded with the key', async () => {
  const begun = await clientOf().models.generateVideos({
    model: fast,
    source: { prompt: 'a red bicycle', image: { imageBytes: png, mimeType: 'image/png' } },
    config: {
      numberOfVideos: 1,
      durationSeconds: 8,
      aspectRatio: '9:16',
      resolution: '1080p',
      personGeneration: 'allow_adult',
      negativePrompt: 'blur',
      lastFrame: { imageBytes: png, mimeType: 'image/png' },
      webhookConfig: { uris: ['https://example.com/hook'], userMetadata: { trace: 't1' } },
    },
  });
  expect(begun.name).toMatch(new RegExp(`^models/${fast}/operations/[a-z0-9]{12}$`));
  const resumed = new GenerateVideosOperation();
  resumed.name = begun.name ?? '';
  const done = await clientOf().operations.getVideosOperation({ operation: resumed });
  expect(done.done).toBe(true);
  const uri = done.response?.generatedVideos?.[0]?.video?.uri ?? '';
  expect(uri).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/google\/v1beta\/files\/[a-z0-9]+:download\?alt=media$/);
  const response = await download(uri);
  expect(response.headers.get('content-type')).toBe('video/mp4');
  expect(magicOf(new Uint8Array(await response.arrayBuffer()))).toBe('mp4');
  expect(await current().ledger()).toMatchObject([
    { provider: 'google', model: fast, medium: 'video', costUsd: '0.96', state: 'succeeded', submits: 1 },
  ]);
});

test('shows a pending operation by nothing but its name', async () => {
  await current().set({ latencyScale: 1 });
  const name = await nameOf(submit(bodyOf()));
  expect(await get(name)).toEqual({ name });
  await current().addFault({ provider: 'google', operation: 'poll', kind: 'stuck' });
  expect(await get(name)).toEqual({ name });
  expect(await current().ledger()).toMatchObject([{ state: 'running', costUsd: '0.8' }]);
});

test('says what was made in the words of the wire', async () => {
  const name = await nameOf(submit(bodyOf({ sampleCount: 2, durationSeconds: 5 }), 'veo-2.0-generate-001'));
  const operation = await get(name);
  expect(operation).toEqual({
    name,
    done: true,
    response: {
      '@type': 'type.googleapis.com/google.ai.generativelanguage.v1beta.PredictLongRunningResponse',
      generateVideoResponse: {
        generatedSamples: [{ video: { uri: uriOf(operation, 0) } }, { video: { uri: uriOf(operation, 1) } }],
      },
    },
  });
  const [first, second] = [await download(uriOf(operation, 0)), await download(uriOf(operation, 1))];
  expect(Buffer.from(await first.arrayBuffer()).equals(Buffer.from(await second.arrayBuffer()))).toBe(false);
  expect(await current().ledger()).toMatchObject([{ costUsd: '3.5' }]);
});

test.each([
  ['veo-3.0-generate-001', { durationSeconds: 4 }, '1.6'],
  ['veo-3.0-fast-generate-001', { durationSeconds: 6 }, '0.9'],
  ['veo-3.1-generate-preview', {}, '3.2'],
  ['veo-3.1-generate-preview', { resolution: '4k' }, '4.8'],
  ['veo-3.1-fast-generate-preview', { resolution: '4k' }, '2.4'],
  ['veo-3.1-lite-generate-preview', { resolution: '1080p' }, '0.64'],
])('books %s with %j at %s USD', async (model, parameters, costUsd) => {
  expect((await submit(bodyOf(parameters), model)).status).toBe(200);
  expect(await current().ledger()).toMatchObject([{ model, costUsd, state: 'succeeded' }]);
});

test.each([
  ['content', '[refuse]', { error: { code: 3 } }],
  ['internal', '[fail]', { error: { code: 13 } }],
  ['filtered', '[filter]', { response: { generateVideoResponse: { raiMediaFilteredCount: 1 } } }],
])('ends an operation without a video (%s) as done, and charges nothing', async (_, prompt, expected) => {
  const operation = await get(await nameOf(submit(bodyOf({}, { prompt }))));
  expect(operation).toMatchObject({ done: true, ...expected });
  expect(JSON.stringify(operation)).not.toContain('generatedSamples');
  expect(await current().ledger()).toMatchObject([{ state: 'failed', costUsd: '0' }]);
});

test.each(['failed', 'content_refused', 'filtered'])('ends an operation by the fault "%s" on a poll', async (kind) => {
  await current().set({ latencyScale: 1 });
  const name = await nameOf(submit(bodyOf()));
  await current().addFault({ provider: 'google', operation: 'poll', kind });
  expect(await get(name)).toMatchObject({ done: true });
  expect(await current().ledger()).toMatchObject([{ state: 'failed', costUsd: '0' }]);
});

const reference = { image, referenceType: 'ASSET' };
const anotherModel = 'veo-3.0-generate-001';

test.each([
  ['a duration out of the set', bodyOf({ durationSeconds: 5 }), fast, 'value between 4 and 8, inclusive'],
  ['a duration in quotes', bodyOf({ durationSeconds: '8' }), fast, '`durationSeconds` needs to be a number'],
  ['1080p with six seconds', bodyOf({ durationSeconds: 6, resolution: '1080p' }), fast, 'duration of 6 seconds'],
  ['a ratio it has not', bodyOf({ aspectRatio: '1:1' }), fast, '1:1 for aspectRatio'],
  ['4k of a model without', bodyOf({ resolution: '4k' }), anotherModel, '4k for resolution'],
  ['two samples', bodyOf({ sampleCount: 2 }), fast, '`sampleCount` is out of bound'],
  ['people forbidden', bodyOf({ personGeneration: 'dont_allow' }), fast, 'dont_allow for personGeneration'],
  ['sound on or off', bodyOf({ generateAudio: true }), fast, "`generateAudio` isn't supported by this model"],
  ['a resolution for Veo 2', bodyOf({ resolution: '720p' }), 'veo-2.0-generate-001', "`resolution` isn't supported"],
  ['a seed that is no number', bodyOf({ seed: 'x' }), fast, '`seed` needs to be a number'],
  ['enhancing by a word', bodyOf({ enhancePrompt: 'yes' }), fast, '`enhancePrompt` needs to be a boolean'],
  ['an image in the wrong words', bodyOf({}, { image: { data: png } }), fast, "`data` isn't supported"],
  ['an image that is none', bodyOf({}, { image: { ...image, mimeType: 'text/plain' } }), fast, 'Unsupported mime type'],
  ['a last frame alone', bodyOf({}, { lastFrame: image }), fast, '`lastFrame` needs an `image`'],
  [
    'references of Veo 3',
    bodyOf({}, { referenceImages: [reference] }),
    anotherModel,
    "`referenceImages` isn't supported",
  ],
  ['four references', bodyOf({}, { referenceImages: Array(4).fill(reference) }), fast, 'between 1 and 3'],
  ['a style reference', bodyOf({}, { referenceImages: [{ image, referenceType: 'STYLE' }] }), fast, 'STYLE for'],
  [
    'references in four seconds',
    bodyOf({ durationSeconds: 4 }, { referenceImages: [reference] }),
    fast,
    'referenceImages is not supported for a duration of 4 seconds',
  ],
  ['a foreign video', bodyOf({}, { video: { uri: 'https://example.com/a.mp4' } }), fast, 'generated by Veo'],
  ['no prompt', { instances: [{}] }, fast, 'prompt must not be empty'],
  ['two instances', { instances: [{ prompt: 'a' }, { prompt: 'b' }] }, fast, 'Exactly one instance'],
])('refuses %s', async (_, body, model, message) => {
  const response = await submit(body, model);
  expect(response.status).toBe(400);
  const error = await errorOf(response);
  expect(error).toMatchObject({ code: 400, status: 'INVALID_ARGUMENT' });
  expect(error.message).toContain(message);
  expect(await current().ledger()).toEqual([]);
});

test('refuses names it does not know with the violations, and reads snake_case like camelCase', async () => {
  const error = await errorOf(
    await submit({
      ...bodyOf(),
      colour: 1,
      webhook_config: { uris: ['https://example.com/'], user_metadata: {}, urls: 1 },
    }),
  );
  const unknown = (name: string, at: string): string =>
    `Invalid JSON payload received. Unknown name "${name}"${at}: Cannot find field.`;
  expect(error.message).toBe(`${unknown('colour', '')}\n${unknown('urls', " at 'webhook_config'")}`);
  expect(error.details).toEqual([
    {
      '@type': 'type.googleapis.com/google.rpc.BadRequest',
      fieldViolations: [
        { description: unknown('colour', '') },
        { field: 'webhook_config', description: unknown('urls', " at 'webhook_config'") },
      ],
    },
  ]);
  const torn = await fetch(`${base()}/models/${fast}:predictLongRunning`, {
    method: 'POST',
    headers: { ...headers(), 'content-type': 'application/json' },
    body: '{"instances":',
  });
  expect([torn.status, (await errorOf(torn)).message]).toEqual([
    400,
    expect.stringMatching(/^Invalid JSON payload received\. /),
  ]);
  expect(await current().ledger()).toEqual([]);
});

test('takes references and extends a video of its own', async () => {
  const references = await clientOf().models.generateVideos({
    model: 'veo-3.1-generate-preview',
    source: { prompt: 'a red bicycle' },
    config: {
      referenceImages: [
        { image: { imageBytes: png, mimeType: 'image/png' }, referenceType: VideoGenerationReferenceType.ASSET },
      ],
    },
  });
  const uri = uriOf(await get(references.name ?? ''));
  expect((await submit(bodyOf({}, { video: { uri } }))).status).toBe(200);
  expect((await submit(bodyOf({}, { video: { uri } }), fast, 'another')).status).toBe(400);
});

test('lists operations without prompt and time, and cancels none', async () => {
  const names = [await nameOf(submit(bodyOf())), await nameOf(submit(bodyOf()))];
  await submit(bodyOf(), 'veo-3.1-generate-preview');
  const listed = (await get(`models/${fast}/operations`))['operations'] as Record<string, unknown>[];
  expect(listed.map(({ name }) => name)).toEqual(names);
  expect(Object.keys(listed[0] ?? {}).sort()).toEqual(['done', 'name', 'response']);
  const first = await get(`models/${fast}/operations?pageSize=1`);
  const second = await get(`models/${fast}/operations?pageSize=1&pageToken=${String(first['nextPageToken'])}`);
  expect([first, second].map((page) => (page['operations'] as { name: string }[])[0]?.name)).toEqual(names);
  expect(second['nextPageToken']).toBeUndefined();
  expect(await get(`models/${fast}/operations`, 'another')).toEqual({ operations: [] });
  const cancel = await postJson(`${base()}/${names[0]}:cancel`, {}, headers());
  expect([cancel.status, cancel.headers.get('content-type')]).toEqual([404, 'text/html; charset=UTF-8']);
});

test('keeps a file to its account, and asks for media', async () => {
  const uri = uriOf(await get(await nameOf(submit(bodyOf()))));
  expect((await download(uri, 'another')).status).toBe(403);
  const invalid = await download(uri, 'invalid');
  expect([invalid.status, JSON.stringify(await readJson(invalid))]).toEqual([
    400,
    expect.stringContaining('API_KEY_INVALID'),
  ]);
  expect((await fetch(uri)).status).toBe(403);
  expect((await fetch(`${uri}&key=key_test`)).status).toBe(200);
  expect(await readJson(await download(uri.replace('?alt=media', '')))).toEqual({});
  const head = await fetch(uri, { method: 'HEAD', headers: headers() });
  const metadata = await get(uri.slice(uri.indexOf('files/')).replace(':download?alt=media', ''));
  expect(metadata).toMatchObject({
    mimeType: 'video/mp4',
    state: 'ACTIVE',
    downloadUri: uri,
    sizeBytes: head.headers.get('content-length'),
  });
  expect((await download(`${base()}/files/abcabcabcabc0:download?alt=media`)).status).toBe(403);
  const seen = await current().requests('?provider=google&kind=artifact');
  expect(JSON.stringify(seen)).not.toContain('key_test');
});

test('spoils a download in every way', async () => {
  const uri = uriOf(await get(await nameOf(submit(bodyOf()))));
  const whole = Buffer.from(await (await download(uri)).arrayBuffer());
  const fault = (kind: string, more: object = {}): Promise<Response> =>
    current().addFault({ provider: 'google', kind, match: { model: fast }, ...more });
  await fault('artifact_expired');
  expect((await download(uri)).status).toBe(403);
  await fault('artifact_truncated');
  await expect(download(uri).then((response) => response.arrayBuffer())).rejects.toThrow();
  await fault('artifact_wrong_length');
  expect(Number((await download(uri)).headers.get('content-length'))).toBe(whole.length + 1000);
  await fault('artifact_oversized', { sizeBytes: 1_000_000 });
  expect((await (await download(uri)).arrayBuffer()).byteLength).toBeGreaterThanOrEqual(1_000_000);
  await fault('status', { operation: 'artifact', status: 503 });
  expect((await errorOf(await download(uri))).status).toBe('UNAVAILABLE');
});

test('refuses keys in its own way: 403 without one, 400 with a wrong one, never 401', async () => {
  const missing = await fetch(`${base()}/models`);
  expect([missing.status, (await errorOf(missing)).status]).toEqual([403, 'PERMISSION_DENIED']);
  const invalid = await submit(bodyOf(), fast, 'invalid');
  const error = await errorOf(invalid);
  expect([invalid.status, error.status]).toEqual([400, 'INVALID_ARGUMENT']);
  expect(error.details?.[0]).toMatchObject({ reason: 'API_KEY_INVALID', domain: 'googleapis.com' });
  const exhausted = await errorOf(await submit(bodyOf(), fast, 'exhausted'));
  expect(exhausted).toMatchObject({ code: 429, status: 'RESOURCE_EXHAUSTED' });
  expect(exhausted.message).toContain('prepayment credits are depleted');
  const thrown: unknown = await clientOf('invalid')
    .models.generateVideos({ model: fast, source: { prompt: 'a' } })
    .catch((caught: unknown) => caught);
  expect(thrown instanceof ApiError ? JSON.parse(thrown.message) : undefined).toMatchObject({ error: { code: 400 } });
});

const detailOf = (error: GoogleError, name: string): Record<string, unknown> | undefined =>
  error.details?.find((detail) => detail['@type'] === `type.googleapis.com/google.rpc.${name}`);

test.each([
  ['requestsPerMinute', 'PerMinute', /^\d+s$/],
  ['requestsPerDay', 'PerDay', /^\d+s$/],
  ['concurrent', 'Concurrent', /^34\.4s$/],
])('answers 429 over %s with the quota and a delay in the body alone', async (limit, quotaId, delay) => {
  await current().set({ latencyScale: 1, limits: { google: { [limit]: 1 } } });
  await submit(bodyOf());
  const response = await submit(bodyOf());
  expect([response.status, response.headers.get('retry-after')]).toEqual([429, null]);
  const error = await errorOf(response);
  expect(error.status).toBe('RESOURCE_EXHAUSTED');
  expect(detailOf(error, 'QuotaFailure')).toMatchObject({
    violations: [{ quotaId: expect.stringContaining(quotaId) as string, quotaValue: '1' }],
  });
  expect(detailOf(error, 'Help')).toBeDefined();
  expect(detailOf(error, 'RetryInfo')?.['retryDelay']).toMatch(delay);
  expect(await current().ledger()).toHaveLength(1);
});

test.each([
  [429, 7.5, 'RESOURCE_EXHAUSTED'],
  [500, undefined, 'INTERNAL'],
  [503, undefined, 'UNAVAILABLE'],
  [504, undefined, 'DEADLINE_EXCEEDED'],
  [403, undefined, 'PERMISSION_DENIED'],
])('fails with %d on request', async (status, retryAfter, name) => {
  await current().addFault({
    provider: 'google',
    kind: 'status',
    status,
    ...(retryAfter === undefined ? {} : { retryAfter }),
  });
  const response = await submit(bodyOf());
  const error = await errorOf(response);
  expect([response.status, error.code, error.status]).toEqual([status, status, name]);
  if (retryAfter !== undefined) expect(detailOf(error, 'RetryInfo')).toMatchObject({ retryDelay: '7.5s' });
  expect(await current().ledger()).toEqual([]);
});

test('loses an answer after it accepted the work, which is then listed and charged', async () => {
  await current().addFault({
    provider: 'google',
    kind: 'drop_after_accept',
    match: { prompt: 'bicycle', model: fast },
  });
  await expect(submit(bodyOf())).rejects.toThrow();
  expect((await get(`models/${fast}/operations`))['operations']).toHaveLength(1);
  expect(await current().ledger()).toMatchObject([{ costUsd: '0.8', submits: 1 }]);
});

test('knows neither other models nor other versions', async () => {
  const error = await errorOf(await submit(bodyOf(), 'veo-9'));
  expect(error).toMatchObject({ code: 404, status: 'NOT_FOUND' });
  expect(error.message).toContain('models/veo-9 is not found for API version v1beta');
  expect(
    (await postJson(`${current().url}/google/v1/models/${fast}:predictLongRunning`, bodyOf(), headers())).status,
  ).toBe(404);
  expect((await errorOf(await submit(bodyOf(), 'gemini-2.5-flash'))).message).toContain(
    'not supported for predictLongRunning',
  );
  expect((await errorOf(await fetch(`${base()}/models/${fast}/operations/none`, { headers: headers() }))).code).toBe(
    404,
  );
});

test('retires models on their day when the lifecycle is strict, and lists what is left', async () => {
  let nowMs = Date.parse('2026-06-29T12:00:00Z');
  const old = control(await startEmulator({ latencyScale: 0, clock: () => nowMs }));
  const ask = (model: string): Promise<Response> =>
    postJson(`${old.url}/google/v1beta/models/${model}:predictLongRunning`, bodyOf(), headers());
  const statuses = async (): Promise<number[]> =>
    Promise.all(['veo-2.0-generate-001', anotherModel, fast].map(async (model) => (await ask(model)).status));
  try {
    await old.set({ strictLifecycle: true });
    const uri = uriOf(
      await readJson(await fetch(`${old.url}/google/v1beta/${await nameOf(ask(fast))}`, { headers: headers() })),
    );
    expect(await statuses()).toEqual([200, 200, 200]);
    nowMs = Date.parse('2026-06-30T12:00:00Z');
    expect(await statuses()).toEqual([404, 404, 200]);
    expect((await download(uri)).status).toBe(200);
    nowMs = Date.parse('2026-10-22T00:00:00Z');
    expect(await statuses()).toEqual([404, 404, 404]);
    expect((await errorOf(await ask(fast))).message).toContain('no longer available');
    expect((await download(uri)).status).toBe(403);
    const listed = await readJson(await fetch(`${old.url}/google/v1beta/models`, { headers: headers() }));
    expect(JSON.stringify(listed)).not.toContain('veo');
    await old.set({ strictLifecycle: false });
    expect(await statuses()).toEqual([200, 200, 200]);
  } finally {
    await old.emulator.close();
  }
});
