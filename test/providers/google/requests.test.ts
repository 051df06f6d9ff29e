import type { ServerResponse } from 'node:http';
import { createGoogle } from '../../../src/providers/google';
import { useRecordedProvider } from '../../support/golden';
import { image, makeCall, makeReadyInput, modelOf, secret, tinyPng } from '../../support/provider-calls';
import { json } from '../../support/recording-server';

const current = useRecordedProvider(createGoogle);
const call = () => makeCall(`${current.server.url}/google`);
const headers = { 'x-goog-api-key': secret, 'content-type': 'application/json', connection: 'close' };
const picture = { bytesBase64Encoded: tinyPng, mimeType: 'image/png' };
const inlinePicture = { inlineData: { mimeType: 'image/png', data: tinyPng } };
const name = 'models/veo-3.1-generate-preview/operations/abc123';
const veo = () => modelOf('google/veo-3.1-generate-preview');
const omni = () => modelOf('google/gemini-omni-1.1-flash');
const interaction = (rest: Record<string, unknown> = {}) => json({ id: 'v1_abc', status: 'in_progress', ...rest });

const answerText = {
  candidates: [{ content: { role: 'model', parts: [{ text: 'A bicycle.' }] }, finishReason: 'STOP' }],
};

const refusals = [400, 401, 403, 404, 408, 409, 429, 500, 502, 503, 504];

describe('Veo', () => {
  const film = { durationSeconds: 8, aspectRatio: '16:9', resolution: '720p', audio: true };

  test('makes a film of a text', async () => {
    current.server.answer(json({ name }));
    const input = makeReadyInput({ ...film, negativePrompt: 'blur' });
    expect(await current.provider.submit(veo(), input, call())).toEqual({
      state: 'pending',
      operation: { id: name, seconds: 8 },
    });
    const path = '/google/v1beta/models/veo-3.1-generate-preview:predictLongRunning';
    expect(current.server.requests).toMatchObject([{ method: 'POST', path, headers }]);
    expect(current.server.requests[0]?.body).toEqual({
      instances: [{ prompt: input.prompt }],
      parameters: {
        sampleCount: 1,
        durationSeconds: 8,
        aspectRatio: '16:9',
        resolution: '720p',
        negativePrompt: 'blur',
      },
    });
  });

  test('makes a film between two frames, and lets its end be announced', async () => {
    current.server.answer(json({ name }));
    const input = makeReadyInput({ ...film, prompt: null, image, lastFrame: image });
    const webhookUrl = 'https://hooks.example/google';
    await current.provider.submit(veo(), input, { ...call(), webhookUrl });
    expect(current.server.requests[0]?.body).toEqual({
      instances: [{ image: picture, lastFrame: picture }],
      parameters: { sampleCount: 1, durationSeconds: 8, aspectRatio: '16:9', resolution: '720p' },
      webhookConfig: { uris: [webhookUrl], userMetadata: { trace: 'gen_1/attempt/1' } },
    });
  });

  test('makes a film of reference images', async () => {
    current.server.answer(json({ name }));
    await current.provider.submit(veo(), makeReadyInput({ referenceImages: [image, image] }), call());
    const reference = { image: picture, referenceType: 'ASSET' };
    expect(current.server.requests[0]?.body).toMatchObject({
      instances: [{ referenceImages: [reference, reference] }],
    });
  });

  test('refuses a first frame beside reference images, without asking', async () => {
    current.server.answer(json({ name }));
    const input = makeReadyInput({ image, referenceImages: [image] });
    const submitting = current.provider.submit(veo(), input, call());
    await expect(submitting).rejects.toMatchObject({ code: 'caller_invalid_request', accepted: 'no' });
    expect(current.server.requests).toHaveLength(0);
  });

  test('looks at an operation', async () => {
    current.server.answer(json({ name }));
    const operation = { id: name, seconds: 8 };
    expect(await current.provider.check?.(veo(), operation, call())).toEqual({ state: 'pending', operation });
    expect(current.server.requests).toMatchObject([
      { method: 'GET', path: `/google/v1beta/${name}`, headers: { 'x-goog-api-key': secret } },
    ]);
  });

  test('hands over a film that only the key opens', async () => {
    const uri = `${current.server.url}/google/v1beta/files/abc:download?alt=media`;
    const response = { generateVideoResponse: { generatedSamples: [{ video: { uri } }] } };
    current.server.answer(json({ name, done: true, response }));
    expect(await current.provider.check?.(veo(), { id: name, seconds: 8 }, call())).toMatchObject({
      state: 'succeeded',
      outputs: [{ kind: 'url', url: uri, credentialHeader: { name: 'x-goog-api-key', scheme: null } }],
      usage: { seconds: 8 },
    });
  });

  test('cannot be cancelled, and nobody is asked', async () => {
    current.server.answer(json({}));
    expect(await current.provider.cancel?.(veo(), { id: name }, call())).toBe('unable');
    expect(current.server.requests).toHaveLength(0);
  });
});

describe('Omni', () => {
  const film = { durationSeconds: 8, aspectRatio: '9:16', resolution: '1080p', audio: true };

  test('makes a film in the background', async () => {
    current.server.answer(interaction());
    const input = makeReadyInput(film);
    expect(await current.provider.submit(omni(), input, { ...call(), trace: 'gen_01ABC-1' })).toEqual({
      state: 'pending',
      operation: { id: 'v1_abc', seconds: 8 },
    });
    expect(current.server.requests).toMatchObject([{ method: 'POST', path: '/google/v1beta/interactions', headers }]);
    expect(current.server.requests[0]?.body).toEqual({
      model: 'gemini-omni-1.1-flash',
      input: [{ type: 'text', text: input.prompt }],
      background: true,
      store: true,
      response_format: {
        type: 'video',
        delivery: 'uri',
        aspect_ratio: '9:16',
        resolution: '1080p',
        duration: '8s',
      },
      generation_config: { video_config: { task: 'text_to_video' } },
      labels: { trace: 'gen_01abc-1' },
    });
  });

  test.each([
    ['image_to_video', { image }],
    ['reference_to_video', { referenceImages: [image] }],
  ])('starts from images as the task %s', async (task, media) => {
    current.server.answer(interaction());
    const webhookUrl = 'https://hooks.example/google';
    await current.provider.submit(omni(), makeReadyInput({ ...film, ...media }), { ...call(), webhookUrl });
    expect(current.server.requests[0]?.body).toMatchObject({
      input: [{ type: 'image', data: tinyPng, mime_type: 'image/png' }, { type: 'text' }],
      generation_config: { video_config: { task } },
      webhook_config: { uris: [webhookUrl], user_metadata: { trace: 'gen_1/attempt/1' } },
    });
  });

  test('looks at an interaction', async () => {
    current.server.answer(interaction());
    const operation = { id: 'v1_abc', seconds: 8 };
    expect(await current.provider.check?.(omni(), operation, call())).toEqual({ state: 'pending', operation });
    expect(current.server.requests).toMatchObject([
      {
        method: 'GET',
        path: '/google/v1beta/interactions/v1_abc?stream=false',
        headers: { 'x-goog-api-key': secret },
      },
    ]);
  });

  test.each([
    ['cancelled', 'confirmed'],
    ['in_progress', 'requested'],
    ['completed', 'too_late'],
  ])('reads the answer %s to a cancel as %s', async (status, expected) => {
    current.server.answer(json({ id: 'v1_abc', status }));
    expect(await current.provider.cancel?.(omni(), { id: 'v1_abc' }, call())).toBe(expected);
    expect(current.server.requests).toMatchObject([
      { method: 'POST', path: '/google/v1beta/interactions/v1_abc/cancel', headers: { 'x-goog-api-key': secret } },
    ]);
  });

  const refusal = json({ error: { code: 'failed_precondition', message: 'not running' } }, 400);

  test('finds out by a look that a refused cancel came too late', async () => {
    const video = { type: 'video', uri: 'https://x.example/a.mp4', mime_type: 'video/mp4' };
    const steps = [{ type: 'model_output', content: [video] }];
    current.server.answer(refusal, json({ id: 'v1_abc', status: 'completed', steps }));
    expect(await current.provider.cancel?.(omni(), { id: 'v1_abc' }, call())).toBe('too_late');
    expect(current.server.requests.map(({ method }) => method)).toEqual(['POST', 'GET']);
  });

  test('does not take a refused cancel of running work for an end', async () => {
    current.server.answer(refusal, interaction());
    const canceling = current.provider.cancel?.(omni(), { id: 'v1_abc' }, call());
    await expect(canceling).rejects.toMatchObject({ httpStatus: 400 });
  });

  test.each(refusals)('asks once whatever goes wrong: %d', async (status) => {
    for (const ask of [
      () => current.provider.submit(omni(), makeReadyInput(film), call()),
      () => current.provider.check?.(omni(), { id: 'v1_abc' }, call()),
    ]) {
      current.server.answer(json({ error: { code: 'api_error', message: 'm' } }, status));
      await expect(ask()).rejects.toMatchObject({ httpStatus: status });
      expect(current.server.requests).toHaveLength(1);
    }
  });

  test('asks once when the connection breaks', async () => {
    current.server.answer((response) => response.destroy());
    const submitting = current.provider.submit(omni(), makeReadyInput(film), call());
    await expect(submitting).rejects.toMatchObject({ code: 'provider_server_error', accepted: 'unknown' });
    expect(current.server.requests).toHaveLength(1);
  });
});

describe('Gemini', () => {
  const flash = () => modelOf('google/gemini-2.5-flash');

  test('writes text by a schema from a system prompt, messages, media and a prompt', async () => {
    current.server.answer(
      json({
        ...answerText,
        usageMetadata: { promptTokenCount: 12, candidatesTokenCount: 3, thoughtsTokenCount: 4, totalTokenCount: 19 },
      }),
    );
    const schema = { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] };
    const input = makeReadyInput({
      system: 'be brief',
      messages: [
        { role: 'system', content: 'and kind' },
        { role: 'user', content: 'hello' },
        { role: 'assistant', content: 'hi' },
      ],
      image,
      video: { bytes: Buffer.from('film'), contentType: 'video/mp4' },
      schema,
      maxTokens: 50,
      temperature: 0.2,
      seed: 7,
    });
    expect(await current.provider.submit(flash(), input, call())).toMatchObject({
      state: 'succeeded',
      outputs: [{ kind: 'text', text: 'A bicycle.' }],
      usage: { inputTokens: 12, outputTokens: 7 },
    });
    const path = '/google/v1beta/models/gemini-2.5-flash:generateContent';
    expect(current.server.requests).toMatchObject([{ method: 'POST', path, headers }]);
    expect(current.server.requests[0]?.body).toEqual({
      contents: [
        { role: 'user', parts: [{ text: 'hello' }] },
        { role: 'model', parts: [{ text: 'hi' }] },
        {
          role: 'user',
          parts: [
            inlinePicture,
            { inlineData: { mimeType: 'video/mp4', data: Buffer.from('film').toString('base64') } },
            { text: input.prompt },
          ],
        },
      ],
      systemInstruction: { role: 'user', parts: [{ text: 'be brief\n\nand kind' }] },
      generationConfig: {
        temperature: 0.2,
        maxOutputTokens: 50,
        seed: 7,
        responseMimeType: 'application/json',
        responseJsonSchema: schema,
      },
    });
  });

  test('does not pay for a continuation', async () => {
    const content = { role: 'model', parts: [{ text: 'half' }] };
    current.server.answer(json({ candidates: [{ content, finishReason: 'CONTINUATION', continuationToken: 't' }] }));
    const outcome = await current.provider.submit(flash(), makeReadyInput(), call());
    expect(outcome).toMatchObject({ state: 'succeeded', warnings: ['the text was cut at the token limit'] });
    expect(current.server.requests).toHaveLength(1);
  });

  test('draws from an image and references in a shape and a size', async () => {
    current.server.answer(json({ candidates: [{ content: { parts: [inlinePicture] }, finishReason: 'STOP' }] }));
    const input = makeReadyInput({ image, referenceImages: [image], aspectRatio: '16:9', resolution: '2K' });
    expect(await current.provider.submit(modelOf('google/gemini-3-pro-image'), input, call())).toMatchObject({
      state: 'succeeded',
      outputs: [{ kind: 'bytes', contentType: 'image/png', bytes: Buffer.from(tinyPng, 'base64') }],
      usage: { images: 1 },
    });
    const path = '/google/v1beta/models/gemini-3-pro-image:generateContent';
    expect(current.server.requests).toMatchObject([{ method: 'POST', path, headers }]);
    expect(current.server.requests[0]?.body).toEqual({
      contents: [{ role: 'user', parts: [inlinePicture, inlinePicture, { text: input.prompt }] }],
      generationConfig: { responseModalities: ['IMAGE'], imageConfig: { aspectRatio: '16:9', imageSize: '2K' } },
    });
  });

  test('leaves the shape of a drawing to the model', async () => {
    current.server.answer(json({ candidates: [{ content: { parts: [inlinePicture] }, finishReason: 'STOP' }] }));
    const input = makeReadyInput({ aspectRatio: 'auto' });
    await current.provider.submit(modelOf('google/gemini-2.5-flash-image'), input, call());
    expect(current.server.requests[0]?.body).toMatchObject({ generationConfig: { responseModalities: ['IMAGE'] } });
    expect(JSON.stringify(current.server.requests[0]?.body)).not.toContain('imageConfig');
  });

  const piece = (text: string, rest: Record<string, unknown> = {}) =>
    `data: ${JSON.stringify({ candidates: [{ content: { parts: [{ text }] }, ...rest }] })}\r\n\r\n`;

  const streamOf =
    (...pieces: string[]) =>
    (response: ServerResponse) =>
      void response.writeHead(200, { 'content-type': 'text/event-stream' }).end(pieces.join(''));

  test('streams text to whoever listens and returns the whole', async () => {
    const usage = { usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 2 } };
    const end = { candidates: [{ content: { parts: [{ text: 'lo' }] }, finishReason: 'STOP' }], ...usage };
    current.server.answer(streamOf(piece('Hel'), `data: ${JSON.stringify(end)}\r\n\r\n`));
    const deltas: string[] = [];
    const listening = { ...call(), onText: (delta: string) => deltas.push(delta) };
    expect(await current.provider.submit(flash(), makeReadyInput(), listening)).toMatchObject({
      state: 'succeeded',
      outputs: [{ text: 'Hello' }],
      usage: { inputTokens: 1, outputTokens: 2 },
    });
    expect(deltas).toEqual(['Hel', 'lo']);
    expect(listening.exchanges).toHaveLength(1);
    const path = '/google/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse';
    expect(current.server.requests).toMatchObject([{ method: 'POST', path, headers }]);
  });

  test.each([
    ['without a finish reason', [piece('Hel')]],
    ['in an error', [piece('Hel'), `data: ${JSON.stringify({ error: { code: 503, status: 'UNAVAILABLE' } })}\r\n\r\n`]],
    ['in the middle of a piece', [piece('Hel'), 'data: {"candidates":']],
  ])('takes a stream that ends %s for a lost answer', async (_how, pieces) => {
    current.server.answer(streamOf(...pieces));
    const listening = { ...call(), onText: () => undefined };
    const submitting = current.provider.submit(flash(), makeReadyInput(), listening);
    await expect(submitting).rejects.toMatchObject({ code: 'provider_bad_response', accepted: 'unknown' });
    expect(current.server.requests).toHaveLength(1);
  });

  test('keeps the deadline when a stream stalls', async () => {
    current.server.answer((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(piece('Hel'));
    });
    const listening = { ...call(), deadlineMs: 300, onText: () => undefined };
    const submitting = current.provider.submit(flash(), makeReadyInput(), listening);
    await expect(submitting).rejects.toMatchObject({ code: 'provider_timeout', accepted: 'unknown' });
  });

  test.each(refusals)('asks once whatever goes wrong: %d', async (status) => {
    current.server.answer(json({ error: { code: status, message: 'm', status: 'X' } }, status));
    const submitting = current.provider.submit(flash(), makeReadyInput(), call());
    await expect(submitting).rejects.toMatchObject({ httpStatus: status });
    expect(current.server.requests).toHaveLength(1);
  });
});

test('probes the key with the list of models', async () => {
  current.server.answer(json({ models: [{ name: 'models/gemini-2.5-flash' }] }));
  expect(await current.provider.probe(call())).toEqual({ model: null });
  expect(current.server.requests).toMatchObject([
    { method: 'GET', path: '/google/v1beta/models?pageSize=1', headers: { 'x-goog-api-key': secret } },
  ]);
});

test('takes an empty list of models for a bad answer', async () => {
  current.server.answer(json({}));
  await expect(current.provider.probe(call())).rejects.toMatchObject({ code: 'provider_bad_response' });
});

test('is not led elsewhere by the environment', async () => {
  const before = { ...process.env };
  Object.assign(process.env, {
    GOOGLE_GENAI_USE_VERTEXAI: 'true',
    GOOGLE_GENAI_USE_ENTERPRISE: 'true',
    GOOGLE_CLOUD_PROJECT: 'p',
    GOOGLE_GEMINI_BASE_URL: 'http://127.0.0.1:1',
    GEMINI_API_KEY: 'another',
  });
  try {
    current.server.answer(json(answerText));
    await current.provider.submit(modelOf('google/gemini-2.5-flash'), makeReadyInput(), call());
    expect(current.server.requests).toMatchObject([
      { path: '/google/v1beta/models/gemini-2.5-flash:generateContent', headers: { 'x-goog-api-key': secret } },
    ]);
  } finally {
    process.env = before;
  }
});
