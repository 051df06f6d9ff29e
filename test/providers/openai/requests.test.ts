import { createOpenai } from '../../../src/providers/openai';
import { useRecordedProvider } from '../../support/golden';
import { image, makeCall, makeReadyInput, modelOf, secret, tinyPng } from '../../support/provider-calls';
import { json } from '../../support/recording-server';

const current = useRecordedProvider(createOpenai);
const call = () => makeCall(`${current.server.url}/openai/v1`);
const headers = { authorization: `Bearer ${secret}`, 'x-stainless-retry-count': '0', connection: 'close' };
const completion = json({
  id: 'c',
  choices: [{ index: 0, message: { role: 'assistant', content: 'A bicycle.' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 12, completion_tokens: 3, total_tokens: 15 },
});

test('draws images and hands over their bytes', async () => {
  current.server.answer(
    json({
      created: 1,
      data: [{ b64_json: tinyPng }],
      output_format: 'png',
      usage: { input_tokens: 5, output_tokens: 200 },
    }),
  );
  const input = makeReadyInput({ size: '1024x1024', quality: 'low', format: 'png' });
  const outcome = await current.provider.submit(modelOf('openai/gpt-image-2'), input, call());
  expect(outcome).toMatchObject({
    state: 'succeeded',
    outputs: [{ kind: 'bytes', contentType: 'image/png', bytes: Buffer.from(tinyPng, 'base64') }],
    usage: { images: 1, inputTokens: 5, outputTokens: 200 },
  });
  expect(current.server.requests).toMatchObject([{ method: 'POST', path: '/openai/v1/images/generations', headers }]);
  expect(current.server.requests[0]?.body).toEqual({
    model: 'gpt-image-2',
    prompt: input.prompt,
    n: 1,
    size: '1024x1024',
    quality: 'low',
    output_format: 'png',
  });
});

test('writes text by a schema from a system prompt, messages, a prompt and an image', async () => {
  current.server.answer(completion);
  const schema = {
    type: 'object',
    properties: { a: { type: 'string' } },
    required: ['a'],
    additionalProperties: false,
  };
  const input = makeReadyInput({
    system: 'be brief',
    messages: [{ role: 'assistant', content: 'hi' }],
    image,
    schema,
    maxTokens: 50,
    temperature: 0.2,
  });
  const outcome = await current.provider.submit(modelOf('openai/gpt-4o-mini'), input, call());
  expect(outcome).toMatchObject({
    state: 'succeeded',
    outputs: [{ kind: 'text', text: 'A bicycle.' }],
    usage: { inputTokens: 12, outputTokens: 3 },
  });
  expect(current.server.requests).toMatchObject([{ method: 'POST', path: '/openai/v1/chat/completions', headers }]);
  expect(current.server.requests[0]?.body).toEqual({
    model: 'gpt-4o-mini',
    messages: [
      { role: 'system', content: 'be brief' },
      { role: 'assistant', content: 'hi' },
      {
        role: 'user',
        content: [
          { type: 'text', text: input.prompt },
          { type: 'image_url', image_url: { url: `data:image/png;base64,${tinyPng}` } },
        ],
      },
    ],
    max_completion_tokens: 50,
    temperature: 0.2,
    response_format: { type: 'json_schema', json_schema: { name: 'answer', schema, strict: true } },
  });
});

const piece = (delta: unknown, rest: Record<string, unknown> = {}) =>
  `data: ${JSON.stringify({ id: 'c', choices: [{ index: 0, delta, finish_reason: null, ...rest }] })}\n\n`;

const streamOf =
  (...pieces: string[]) =>
  (response: import('node:http').ServerResponse) =>
    void response.writeHead(200, { 'content-type': 'text/event-stream' }).end(pieces.join(''));

test('streams text to whoever listens and returns the whole', async () => {
  const usage = `data: ${JSON.stringify({ id: 'c', choices: [], usage: { prompt_tokens: 1, completion_tokens: 2 } })}\n\n`;
  current.server.answer(
    streamOf(
      piece({ content: 'Hel' }),
      piece({ content: 'lo' }),
      piece({}, { finish_reason: 'stop' }),
      usage,
      'data: [DONE]\n\n',
    ),
  );
  const deltas: string[] = [];
  const listening = { ...call(), onText: (delta: string) => deltas.push(delta) };
  const outcome = await current.provider.submit(modelOf('openai/gpt-4o'), makeReadyInput(), listening);
  expect(outcome).toMatchObject({
    state: 'succeeded',
    outputs: [{ text: 'Hello' }],
    usage: { inputTokens: 1, outputTokens: 2 },
  });
  expect(deltas).toEqual(['Hel', 'lo']);
  expect(listening.exchanges).toHaveLength(1);
  expect(current.server.requests[0]?.body).toMatchObject({ stream: true, stream_options: { include_usage: true } });
});

test('takes a stream that ends early for a lost answer', async () => {
  current.server.answer(streamOf(piece({ content: 'Hel' }), 'data: [DONE]\n\n'));
  const submitting = current.provider.submit(modelOf('openai/gpt-4o'), makeReadyInput(), {
    ...call(),
    onText: () => undefined,
  });
  await expect(submitting).rejects.toMatchObject({ code: 'provider_bad_response', accepted: 'unknown' });
});

test.each(['stalls', 'breaks'])('keeps the deadline and the verdict when a stream %s', async (how) => {
  current.server.answer((response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(piece({ content: 'Hel' }), () => (how === 'breaks' ? response.destroy() : undefined));
  });
  const listening = { ...call(), deadlineMs: 300, onText: () => undefined };
  const submitting = current.provider.submit(modelOf('openai/gpt-4o'), makeReadyInput(), listening);
  const code = how === 'breaks' ? 'provider_server_error' : 'provider_timeout';
  await expect(submitting).rejects.toMatchObject({ code, accepted: 'unknown' });
  expect(listening.exchanges).toHaveLength(1);
});

const sent = () => current.server.requests[0];
const dataUri = `data:image/png;base64,${tinyPng}`;

test('edits an image with others beside it, as a form', async () => {
  current.server.answer(json({ data: [{ b64_json: tinyPng }] }));
  const input = makeReadyInput({ image, referenceImages: [image], size: '1024x1024', quality: 'low', format: 'webp' });
  expect(await current.provider.submit(modelOf('openai/gpt-image-2'), input, call())).toMatchObject({
    outputs: [{ contentType: 'image/webp' }],
  });
  expect(current.server.requests).toMatchObject([
    {
      method: 'POST',
      path: '/openai/v1/images/edits',
      headers: { ...headers, 'content-type': expect.stringMatching(/^multipart\/form-data/) as string },
    },
  ]);
  const form = String(sent()?.body);
  for (const [name, value] of Object.entries({
    model: 'gpt-image-2',
    prompt: input.prompt,
    n: 1,
    output_format: 'webp',
  }))
    expect(form).toContain(`name="${name}"\r\n\r\n${value}\r\n`);
  expect(form.match(/name="image\[\]"; filename="image\d.png"\r\nContent-Type: image\/png/g)).toHaveLength(2);
});

test('asks a retired image model for bytes', async () => {
  current.server.answer(json({ data: [{ b64_json: tinyPng }] }));
  const input = makeReadyInput({ size: '1792x1024', quality: 'hd' });
  await current.provider.submit(modelOf('openai/dall-e-3'), input, call());
  expect(sent()?.body).toEqual({
    model: 'dall-e-3',
    prompt: input.prompt,
    n: 1,
    size: '1792x1024',
    quality: 'hd',
    response_format: 'b64_json',
  });
});

test('shows several images in one message and stores nothing', async () => {
  current.server.answer(completion);
  await current.provider.submit(modelOf('openai/gpt-4o'), makeReadyInput({ image, referenceImages: [image] }), call());
  expect(sent()?.body).toEqual({
    model: 'gpt-4o',
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'a red bicycle in the rain' },
          { type: 'image_url', image_url: { url: dataUri } },
          { type: 'image_url', image_url: { url: dataUri } },
        ],
      },
    ],
  });
});

const reasoning = modelOf('openai/gpt-5.5');
const finished = {
  id: 'resp_1',
  status: 'completed',
  output: [{ type: 'message', content: [{ type: 'output_text', text: 'Hello' }] }],
  usage: { input_tokens: 1, output_tokens: 2 },
};

test('thinks in the background, is looked at and cancelled', async () => {
  current.server.answer(json({ id: 'resp_1', status: 'queued' }));
  const schema = { type: 'object' };
  const input = makeReadyInput({
    system: 'be brief',
    messages: [{ role: 'assistant', content: 'hi' }],
    image,
    schema,
    maxTokens: 50,
  });
  const operation = { id: 'resp_1' };
  expect(await current.provider.submit(reasoning, input, call())).toEqual({ state: 'pending', operation });
  expect(current.server.requests).toMatchObject([{ method: 'POST', path: '/openai/v1/responses', headers }]);
  expect(sent()?.body).toEqual({
    model: 'gpt-5.5',
    instructions: 'be brief',
    input: [
      { role: 'assistant', content: 'hi' },
      {
        role: 'user',
        content: [
          { type: 'input_text', text: input.prompt },
          { type: 'input_image', image_url: dataUri, detail: 'auto' },
        ],
      },
    ],
    max_output_tokens: 50,
    text: { format: { type: 'json_schema', name: 'answer', schema, strict: true } },
    background: true,
    metadata: { trace: 'gen_1/attempt/1' },
    stream: false,
  });

  current.server.answer(json(finished));
  expect(await current.provider.check?.(reasoning, operation, call())).toMatchObject({
    state: 'succeeded',
    outputs: [{ kind: 'text', text: 'Hello' }],
    usage: { inputTokens: 1, outputTokens: 2 },
  });
  expect(sent()).toMatchObject({ method: 'GET', path: '/openai/v1/responses/resp_1' });

  current.server.answer(json({ id: 'resp_1', status: 'cancelled' }));
  expect(await current.provider.cancel?.(reasoning, operation, call())).toBe('confirmed');
  expect(sent()).toMatchObject({ method: 'POST', path: '/openai/v1/responses/resp_1/cancel' });
});

const event = (type: string, rest: Record<string, unknown> = {}) =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...rest })}\n\n`;

test('streams a response to whoever listens, and stores nothing', async () => {
  current.server.answer(
    streamOf(
      event('response.created', { response: { id: 'resp_1', status: 'in_progress' } }),
      event('response.output_text.delta', { delta: 'Hel' }),
      event('response.output_text.delta', { delta: 'lo' }),
      event('response.completed', { response: finished }),
    ),
  );
  const deltas: string[] = [];
  const listening = { ...call(), onText: (delta: string) => deltas.push(delta) };
  expect(await current.provider.submit(reasoning, makeReadyInput(), listening)).toMatchObject({
    state: 'succeeded',
    outputs: [{ text: 'Hello' }],
  });
  expect(deltas).toEqual(['Hel', 'lo']);
  expect(sent()?.body).toMatchObject({ stream: true, store: false });
  expect(sent()?.body).not.toHaveProperty('background');
});

test('takes a response whose stream ends early for a lost answer', async () => {
  current.server.answer(streamOf(event('response.output_text.delta', { delta: 'Hel' })));
  const submitting = current.provider.submit(reasoning, makeReadyInput(), { ...call(), onText: () => undefined });
  await expect(submitting).rejects.toMatchObject({ code: 'provider_bad_response', accepted: 'unknown' });
});

test('speaks with a voice, a format and a speed', async () => {
  current.server.answer((reply) => void reply.writeHead(200, { 'content-type': 'audio/flac' }).end('fLaCsound'));
  const voiceSettings = { stability: null, similarityBoost: null, style: null, useSpeakerBoost: null, speed: 1.5 };
  const input = makeReadyInput({ voice: 'coral', format: 'flac', voiceSettings });
  expect(await current.provider.submit(modelOf('openai/tts-1'), input, call())).toMatchObject({
    outputs: [{ kind: 'bytes', contentType: 'audio/flac', bytes: new Uint8Array(Buffer.from('fLaCsound')) }],
    usage: { characters: 25 },
  });
  expect(current.server.requests).toMatchObject([{ method: 'POST', path: '/openai/v1/audio/speech', headers }]);
  expect(sent()?.body).toEqual({
    model: 'tts-1',
    input: input.prompt,
    voice: 'coral',
    response_format: 'flac',
    speed: 1.5,
  });
});

test('shoots a video from an image, as a form, and looks at it', async () => {
  const model = modelOf('openai/sora-2');
  current.server.answer(json({ id: 'video_1', status: 'queued', progress: 0 }));
  const input = makeReadyInput({ image, durationSeconds: 8, size: '1280x720' });
  const operation = { id: 'video_1' };
  expect(await current.provider.submit(model, input, call())).toEqual({ state: 'pending', operation, progress: 0 });
  expect(current.server.requests).toMatchObject([{ method: 'POST', path: '/openai/v1/videos', headers }]);
  const form = String(sent()?.body);
  for (const [name, value] of Object.entries({ model: 'sora-2', seconds: 8, size: '1280x720' }))
    expect(form).toContain(`name="${name}"\r\n\r\n${value}\r\n`);
  expect(form).toContain('name="input_reference"; filename="image.png"');

  current.server.answer(json({ id: 'video_1', status: 'completed', progress: 100, seconds: '8' }));
  expect(await current.provider.check?.(model, operation, call())).toMatchObject({
    outputs: [{ kind: 'url', url: `${current.server.url}/openai/v1/videos/video_1/content` }],
  });
  expect(sent()).toMatchObject({ method: 'GET', path: '/openai/v1/videos/video_1' });
  expect(await current.provider.cancel?.(model, operation, call())).toBe('unable');
});

test('tries a key on the cheapest model', async () => {
  current.server.answer(json({ id: 'gpt-5.5', object: 'model' }));
  expect(await current.provider.probe(call())).toEqual({ model: 'gpt-5.5' });
  expect(current.server.requests).toMatchObject([{ method: 'GET', path: '/openai/v1/models/gpt-5.5' }]);
  current.server.answer(json({ error: { message: 'm', code: 'invalid_api_key' } }, 401));
  await expect(current.provider.probe(call())).rejects.toMatchObject({ code: 'provider_auth', scope: 'credential' });
});

describe('through a gateway', () => {
  const through = (key: string) => {
    const gateway = { url: `${current.server.url}/gateway`, key, modelPrefix: 'openai/' };
    return makeCall('http://127.0.0.1:1', { credential: { alias: 'a', secret, baseUrl: null, gateway } });
  };
  const input = makeReadyInput();
  const logged = json({ choices: [{ message: { content: 'A bicycle.' }, finish_reason: 'stop' }] }, 200, {
    'x-request-id': 'r-1',
    'cf-aig-log-id': 'log-1',
  });

  test('goes once and uncached through Cloudflare, with both keys', async () => {
    current.server.answer(logged);
    const talked = through('cf-aig-token');
    await current.provider.submit(modelOf('openai/gpt-4o-mini'), input, talked);
    expect(current.server.requests).toMatchObject([
      {
        path: '/gateway/chat/completions',
        headers: {
          ...headers,
          'cf-aig-authorization': 'Bearer cf-aig-token',
          'cf-aig-skip-cache': 'true',
          'cf-aig-max-attempts': '1',
          'cf-aig-metadata': '{"trace":"gen_1/attempt/1"}',
        },
        body: { model: 'openai/gpt-4o-mini' },
      },
    ]);
    expect(talked.exchanges).toMatchObject([{ requestId: 'log-1' }]);
  });

  test('goes to nobody else through Vercel, with the key of Vercel', async () => {
    current.server.answer(logged);
    await current.provider.submit(modelOf('openai/gpt-4o-mini'), input, through('vck_token'));
    expect(sent()).toMatchObject({ headers: { authorization: 'Bearer vck_token' } });
    expect(sent()?.headers).not.toHaveProperty('cf-aig-max-attempts');
    expect(sent()?.body).toEqual({
      model: 'openai/gpt-4o-mini',
      messages: [{ role: 'user', content: input.prompt }],
      providerOptions: { gateway: { only: ['openai'] } },
    });
  });

  test('draws under the prefixed name', async () => {
    current.server.answer(json({ data: [{ b64_json: tinyPng }] }));
    await current.provider.submit(modelOf('openai/gpt-image-2'), input, through('vck_token'));
    expect(sent()).toMatchObject({
      path: '/gateway/images/generations',
      body: { model: 'openai/gpt-image-2', providerOptions: { gateway: { only: ['openai'] } } },
    });
  });

  test('waits for a response: whether a gateway passes looks on is not told', async () => {
    current.server.answer(json(finished));
    expect(await current.provider.submit(reasoning, input, through('cf-aig-token'))).toMatchObject({
      state: 'succeeded',
    });
    expect(sent()?.body).toMatchObject({ model: 'openai/gpt-5.5', store: false, stream: false });
    expect(sent()?.body).not.toHaveProperty('background');
  });

  test('keeps its key out of every error', async () => {
    const key = 'vck_plain-words-that-look-like-nothing';
    current.server.answer(json({ error: { message: `no: ${key}.`, code: 'invalid_api_key' } }, 401));
    const error: unknown = await current.provider
      .submit(modelOf('openai/gpt-4o-mini'), input, through(key))
      .catch((thrown: unknown) => thrown);
    expect(String((error as Error).message)).not.toContain(key);
  });
});
