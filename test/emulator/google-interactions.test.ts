import { GoogleGenAI, type Interactions } from '@google/genai';
import { magicOf, postJson, readJson, useEmulator } from './support';

const current = useEmulator();
const headers = (key = 'key_test'): Record<string, string> => ({ 'x-goog-api-key': key });

const clientOf = (apiKey = 'key_test', apiVersion = 'v1beta'): GoogleGenAI =>
  // With a fetch of our own it looks for no dispatcher, which a test's VM hides from it.
  new GoogleGenAI({ apiKey, apiVersion, httpOptions: { baseUrl: `${current().url}/google`, fetch } });

const model = 'gemini-omni-1.1-flash';
const once = { maxRetries: 0 };

const video = { type: 'video', aspect_ratio: '9:16', duration: '8s', resolution: '720p', delivery: 'uri' } as const;

const body = { model, input: 'a red bicycle', background: true, response_format: video };

type Create = Interactions.CreateModelInteractionParamsNonStreaming;

const create = (more: object = {}, client = clientOf()): Promise<Interactions.Interaction> =>
  client.interactions.create({ ...body, ...more } as Create, once) as Promise<Interactions.Interaction>;

const post = (given: object, key?: string): Promise<Response> =>
  postJson(`${current().url}/google/v1beta/interactions`, given, headers(key));

const show = async (id: string, query = ''): Promise<Record<string, unknown>> =>
  readJson(await fetch(`${current().url}/google/v1beta/interactions/${id}${query}`, { headers: headers() }));

const failureOf = async (call: Promise<unknown>): Promise<{ status: unknown; code: unknown; message: string }> => {
  const error: unknown = await call.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  const { status, error: inner } = error as { status: number; error: { error?: object; code?: string } };
  const { code, message } = (inner.error ?? inner) as { code: string; message: string };
  return { status, code, message };
};

const outputOf = (interaction: Interactions.Interaction): { uri?: string | undefined; data?: string | undefined } => {
  const step = interaction.steps?.find(({ type }) => type === 'model_output');
  const [content] = step?.type === 'model_output' ? (step.content ?? []) : [];
  if (content?.type !== 'video') throw new Error('no video');
  return content;
};

test('makes a film in the background through the official client, downloaded with the key', async () => {
  await current().set({ latencyScale: 1 });
  const begun = await create({ labels: { trace: 'a-1' }, webhook_config: { uris: ['https://example.com/hook'] } });
  expect(begun).toMatchObject({ status: 'in_progress', object: 'interaction', model, labels: { trace: 'a-1' } });
  expect(begun.id).toMatch(/^v1_[\w-]+$/);
  expect((await clientOf().interactions.get(begun.id, {}, once)) as object).toMatchObject({ status: 'in_progress' });
  await current().set({ latencyScale: 0 });
  const { id } = await create();
  const done = (await clientOf().interactions.get(id, {}, once)) as Interactions.Interaction;
  expect(done).toMatchObject({ id, status: 'completed', output_video: { mime_type: 'video/mp4' } });
  const uri = outputOf(done).uri ?? '';
  expect(uri).toMatch(/\/google\/v1beta\/files\/[a-z0-9]{13}:download\?alt=media$/);
  const response = await fetch(uri, { headers: headers() });
  expect(magicOf(new Uint8Array(await response.arrayBuffer()))).toBe('mp4');
  expect((await fetch(uri, { headers: headers('another') })).status).toBe(403);
});

test('speaks snake_case on the wire, with the tokens it charges for', async () => {
  const { id } = await create();
  const shown = await show(id, '?stream=false');
  expect(shown).toEqual({
    id,
    object: 'interaction',
    model,
    role: 'model',
    status: 'completed',
    created: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/) as string,
    updated: expect.any(String) as string,
    steps: [
      {
        type: 'model_output',
        content: [{ type: 'video', mime_type: 'video/mp4', uri: expect.any(String) as string }],
      },
    ],
    usage: {
      total_tokens: 46_340,
      total_input_tokens: 4,
      input_tokens_by_modality: [{ modality: 'text', tokens: 4 }],
      total_cached_tokens: 0,
      total_output_tokens: 46_336,
      output_tokens_by_modality: [{ modality: 'video', tokens: 46_336 }],
      total_tool_use_tokens: 0,
      total_thought_tokens: 0,
    },
  });
  const input = ((await show(id, '?include_input=true'))['steps'] as object[])[0];
  expect(input).toEqual({ type: 'user_input', content: [{ type: 'text', text: 'a red bicycle' }] });
  expect(await current().ledger()).toMatchObject([
    { provider: 'google', operation: id, model, medium: 'video', costUsd: '0.810886', state: 'succeeded', submits: 1 },
  ]);
});

test('answers in the same request without background, with the bytes unless a uri is asked for', async () => {
  const client = clientOf('key_test', 'v1');
  const input = [
    { type: 'image', data: 'iVBORw0KGgo=', mime_type: 'image/png' },
    { type: 'text', text: 'it rolls' },
  ];
  const generation_config = { video_config: { task: 'image_to_video' } };
  const done = await create({ background: false, response_format: undefined, input, generation_config }, client);
  expect(done).toMatchObject({ status: 'completed', usage: { total_input_tokens: 260, total_output_tokens: 57_920 } });
  expect(magicOf(Buffer.from(outputOf(done).data ?? '', 'base64'))).toBe('mp4');
  const next = await create({
    previous_interaction_id: done.id,
    generation_config: { video_config: { task: 'edit' } },
  });
  expect(next).toMatchObject({ previous_interaction_id: done.id });
});

test('cancels what runs in the background, and nothing else', async () => {
  const finished = await create();
  expect(await failureOf(clientOf().interactions.cancel(finished.id, {}, once))).toMatchObject({
    status: 400,
    code: 'failed_precondition',
  });
  await current().set({ latencyScale: 1 });
  const { id } = await create();
  expect(await clientOf().interactions.cancel(id, {}, once)).toMatchObject({ id, status: 'cancelled' });
  expect(await show(id)).toMatchObject({ status: 'cancelled' });
  expect((await current().ledger()).map(({ state }) => state)).toEqual(['succeeded', 'canceled']);
});

test('forgets what is deleted, which was made and charged all the same', async () => {
  const { id } = await create();
  await clientOf().interactions.delete(id, {}, once);
  expect(await failureOf(clientOf().interactions.get(id, {}, once))).toMatchObject({ status: 404, code: 'not_found' });
  expect(await failureOf(clientOf().interactions.delete(id, {}, once))).toMatchObject({ status: 404 });
  expect(await current().ledger()).toMatchObject([{ costUsd: '0.810886' }]);
});

test('finds an interaction by its id and its account alone', async () => {
  const { id } = await create();
  expect(await failureOf(clientOf('another').interactions.get(id, {}, once))).toMatchObject({ status: 404 });
  const list = await fetch(`${current().url}/google/v1beta/interactions`, { headers: headers() });
  expect(list.status).toBe(404);
  const unstored = await create({ background: false, store: false });
  expect(await failureOf(clientOf().interactions.get(unstored.id, {}, once))).toMatchObject({ status: 404 });
});

test.each([
  ['[refuse]', 'prohibited_content', 400],
  ['[filter]', 'content_blocked', 400],
  ['[fail]', 'api_error', 500],
])('fails for "%s" as a state with the error %s, or as an answer with %d', async (input, code, status) => {
  const { id } = await create({ input });
  expect(await show(id)).toMatchObject({ status: 'failed', errors: [{ code, message: expect.any(String) as string }] });
  expect((await show(id))['steps']).toBeUndefined();
  expect(await failureOf(create({ input, background: false }))).toMatchObject({ status, code });
  expect((await current().ledger()).map(({ costUsd, state }) => [costUsd, state])).toEqual([
    ['0', 'failed'],
    ['0', 'failed'],
  ]);
});

test.each(['failed', 'content_refused', 'filtered'])('ends by the fault "%s" on a poll', async (kind) => {
  await current().set({ latencyScale: 1 });
  const { id } = await create();
  await current().addFault({ provider: 'google', operation: 'poll', kind, match: { prompt: 'bicycle' } });
  expect(await show(id)).toMatchObject({ status: 'failed' });
});

test.each([
  ['an unknown name', { inputs: 'a' }, 'parameter_unknown', "Unknown parameter 'inputs'."],
  ['camelCase', { responseFormat: video }, 'parameter_unknown', "'responseFormat'"],
  [
    'an unknown name inside',
    { response_format: { ...video, fps: 24 } },
    'parameter_unknown',
    "Unknown parameter 'response_format.fps'.",
  ],
  [
    'an unknown name in a block',
    { input: [{ type: 'text', text: 'a', role: 'user' }] },
    'parameter_unknown',
    "Unknown parameter 'input[0].role'.",
  ],
  [
    'a length in numbers',
    { response_format: { ...video, duration: 8 } },
    'invalid_request',
    'response_format.duration',
  ],
  ['too long a film', { response_format: { ...video, duration: '11s' } }, 'invalid_request', 'between 3s and 10s'],
  ['a ratio it has not', { response_format: { ...video, aspect_ratio: '1:1' } }, 'invalid_request', 'aspect_ratio'],
  ['a resolution it has not', { response_format: { ...video, resolution: '480p' } }, 'invalid_request', 'resolution'],
  ['a bucket', { response_format: { ...video, gcs_uri: 'gs://a/b' } }, 'parameter_unknown', 'gcs_uri'],
  ['background without store', { store: false }, 'invalid_request', 'store'],
  ['an empty input', { input: [] }, 'invalid_request', 'input'],
  ['an image of nothing', { input: [{ type: 'image', mime_type: 'image/png' }] }, 'invalid_request', 'needs data'],
  [
    'an image task without image',
    { generation_config: { video_config: { task: 'image_to_video' } } },
    'invalid_request',
    'needs an image',
  ],
  ['an edit of nothing', { generation_config: { video_config: { task: 'edit' } } }, 'invalid_request', 'needs a video'],
  ['labels in capitals', { labels: { Trace: 'a' } }, 'invalid_request', 'labels'],
  ['a hook that is no URL', { webhook_config: { uris: ['nowhere'] } }, 'invalid_request', 'webhook_config.uris[0]'],
])('refuses %s in the words of this API', async (_, more, code, message) => {
  const response = await post({ ...body, ...more });
  expect(response.status).toBe(400);
  expect(await readJson(response)).toEqual({ error: { code, message: expect.stringContaining(message) as string } });
  expect(await current().ledger()).toEqual([]);
});

test('knows neither other models nor interactions that never were', async () => {
  expect(await failureOf(create({ model: 'gemini-omni-9' }))).toMatchObject({ status: 404, code: 'model_not_found' });
  expect(await failureOf(create({ previous_interaction_id: 'v1_x' }))).toMatchObject({
    status: 404,
    code: 'not_found',
  });
});

test('has errors of its own for keys, money and limits', async () => {
  const refusal = async (response: Response): Promise<unknown[]> => {
    const { code, message } = (await readJson(response))['error'] as { code: string; message: string };
    return [response.status, code, message];
  };
  const anyText = expect.any(String) as string;
  const missing = await fetch(`${current().url}/google/v1beta/interactions/v1_x`);
  expect(await refusal(missing)).toEqual([401, 'authentication', anyText]);
  expect(await refusal(await post(body, 'invalid'))).toEqual([401, 'authentication', anyText]);
  expect(await refusal(await post(body, 'exhausted'))).toEqual([402, 'payment_required', anyText]);
  await current().set({ limits: { google: { requestsPerMinute: 1 } } });
  await post(body);
  expect(await refusal(await post(body))).toEqual([
    429,
    'rate_limit_exceeded',
    expect.stringMatching(/Please retry in \d+s\.$/) as string,
  ]);
  await current().set({ limits: { google: { requestsPerMinute: null, requestsPerDay: 1 } } });
  expect((await refusal(await post(body)))[1]).toBe('quota_exceeded');
  await current().addFault({ provider: 'google', operation: 'poll', kind: 'status', status: 503 });
  const { status } = await fetch(`${current().url}/google/v1beta/interactions/v1_x`, { headers: headers() });
  expect(status).toBe(503);
});

test('loses an answer after it accepted the work, which cannot be found again', async () => {
  for (const kind of ['drop_after_accept', 'truncated_json', 'empty_object', 'invalid_json', 'html']) {
    await current().addFault({ provider: 'google', operation: 'submit', kind });
    await post(body)
      .then((response) => response.text())
      .catch(() => undefined);
  }
  expect((await current().ledger()).map(({ submits }) => submits)).toEqual([4, 4, 4, 4]);
});

test('streams what it made as the steps of an interaction', async () => {
  const events: string[] = [];
  const params = { ...body, background: false, stream: true as const };
  const stream = (await clientOf().interactions.create(params, once)) as AsyncIterable<{ event_type: string }>;
  for await (const event of stream) events.push(event.event_type);
  expect(events).toEqual([
    'interaction.created',
    'interaction.status_update',
    'step.start',
    'step.delta',
    'step.stop',
    'interaction.completed',
  ]);
  await current().set({ latencyScale: 0.01 });
  const { id } = await create();
  const followed: string[] = [];
  const later = (await clientOf().interactions.get(id, { stream: true }, once)) as AsyncIterable<{
    event_type: string;
  }>;
  for await (const event of later) followed.push(event.event_type);
  expect(followed).toEqual(events);
});
