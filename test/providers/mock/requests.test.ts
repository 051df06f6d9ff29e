import { createMock } from '../../../src/providers/mock';
import { useRecordedProvider } from '../../support/golden';
import { image, makeCall, makeReadyInput, modelOf, secret, tinyPng } from '../../support/provider-calls';
import { json } from '../../support/recording-server';

const current = useRecordedProvider(createMock);

test('submits with the trace the listing finds it by', async () => {
  current.server.answer(json({ id: 'op_1', status: 'running' }, 202));
  const call = makeCall(`${current.server.url}/mock`);
  const outcome = await current.provider.submit(modelOf('mock/video'), makeReadyInput({ durationSeconds: 4 }), call);
  expect(outcome).toEqual({ state: 'pending', operation: { id: 'op_1' }, progress: 0 });
  expect(current.server.requests).toMatchObject([
    {
      method: 'POST',
      path: '/mock/v1/operations',
      headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
      body: { model: 'video', prompt: 'a red bicycle in the rain', trace: call.trace, input: { durationSeconds: 4 } },
    },
  ]);
});

test('streams the text of a synchronous answer', async () => {
  current.server.answer(
    json({ id: 'op_2', status: 'succeeded', outputs: [{ text: 'hello' }], usage: { outputTokens: 1 } }),
  );
  const deltas: string[] = [];
  const call = makeCall(current.server.url, { onText: (delta) => deltas.push(delta) });
  const outcome = await current.provider.submit(modelOf('mock/text'), makeReadyInput(), call);
  expect(outcome).toMatchObject({
    state: 'succeeded',
    outputs: [{ kind: 'text', text: 'hello' }],
    usage: { outputTokens: 1 },
  });
  expect(deltas).toEqual(['hello']);
});

test('looks, cancels and finds', async () => {
  const { provider, server } = current;
  const model = modelOf('mock/video');
  const call = makeCall(server.url);
  const operation = { id: 'op/1' };
  server.answer(
    json({ id: 'op/1', status: 'running', progress: 40 }),
    json({ status: 'canceled' }),
    json({ data: [{ id: 'op_9', status: 'running' }] }),
    json({ data: [] }),
  );
  expect(await provider.check?.(model, operation, call)).toMatchObject({ state: 'pending', progress: 40 });
  expect(await provider.cancel?.(model, operation, call)).toBe('confirmed');
  expect(await provider.find?.(model, { at: new Date(), input: makeReadyInput() }, call)).toEqual({ id: 'op_9' });
  expect(await provider.find?.(model, { at: new Date(), input: makeReadyInput() }, call)).toBe('absent');
  expect(server.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
    'GET /v1/operations/op%2F1',
    'POST /v1/operations/op%2F1/cancel',
    'GET /v1/operations?trace=gen_1%2Fattempt%2F1',
    'GET /v1/operations?trace=gen_1%2Fattempt%2F1',
  ]);
});

test('finds all work of its traces, as often as there is', async () => {
  const data = [
    { id: 'op_1', trace: 'gen_1/attempt/1' },
    { id: 'op_2', trace: 'gen_2/attempt/1' },
    { id: 'op_3', trace: 'gen_1/attempt/1' },
    { id: 'op_4' },
  ];
  current.server.answer(json({ data }));
  const call = { ...makeCall(current.server.url), traces: ['gen_1/attempt/1', 'gen_3/attempt/1'] };
  const since = new Date('2026-11-21T10:00:00Z');
  expect(await current.provider.findAll?.(modelOf('mock/video'), since, call)).toEqual([
    { trace: 'gen_1/attempt/1', operation: { id: 'op_1' } },
    { trace: 'gen_1/attempt/1', operation: { id: 'op_3' } },
  ]);
  expect(current.server.requests).toMatchObject([
    { method: 'GET', path: '/v1/operations?since=2026-11-21T10%3A00%3A00.000Z' },
  ]);
  current.server.answer(json({}));
  await expect(current.provider.findAll?.(modelOf('mock/video'), since, call)).rejects.toMatchObject({
    code: 'provider_bad_response',
  });
});

test('passes images, a video and the voice on', async () => {
  current.server.answer(json({ id: 'op_1', status: 'running' }, 202));
  const voiceSettings = { stability: 0.4, similarityBoost: null, style: null, useSpeakerBoost: null, speed: null };
  const input = makeReadyInput({
    prompt: null,
    image,
    lastFrame: image,
    referenceImages: [image],
    video: { bytes: Buffer.from('mp4'), contentType: 'video/mp4' },
    size: '640x480',
    voiceSettings,
  });
  await current.provider.submit(modelOf('mock/video'), input, makeCall(current.server.url));
  const dataUri = `data:image/png;base64,${tinyPng}`;
  expect(current.server.requests[0]?.body).toEqual({
    model: 'video',
    prompt: 'without words',
    trace: 'gen_1/attempt/1',
    input: {
      image: dataUri,
      lastFrame: dataUri,
      referenceImages: [dataUri],
      video: 'data:video/mp4;base64,bXA0',
      width: 640,
      height: 480,
      count: 1,
      voiceSettings: { stability: 0.4 },
    },
  });
});

test('tries a key on the listing', async () => {
  const call = makeCall(current.server.url);
  current.server.answer(json({ data: [] }));
  expect(await current.provider.probe(call)).toEqual({ model: null });
  expect(current.server.requests).toMatchObject([
    { method: 'GET', path: '/v1/operations?trace=gen_1%2Fattempt%2F1', headers: { authorization: `Bearer ${secret}` } },
  ]);
  current.server.answer(json({ error: { code: 'unauthorized', message: 'm' } }, 401));
  await expect(current.provider.probe(call)).rejects.toMatchObject({ code: 'provider_auth', scope: 'credential' });
});
