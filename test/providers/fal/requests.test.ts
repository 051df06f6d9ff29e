import { createFal } from '../../../src/providers/fal';
import type { Media } from '../../../src/providers/provider';
import { useRecordedProvider } from '../../support/golden';
import { image, makeCall, makeReadyInput, modelOf, secret, tinyPng } from '../../support/provider-calls';
import { json, startRecordingServer } from '../../support/recording-server';

const current = useRecordedProvider(createFal);
const accepted = json({ status: 'IN_QUEUE', queue_position: 0, request_id: 'r-1', response_url: 'x', status_url: 'y' });
const call = () => makeCall(`${current.server.url}/fal`);
/** Of the trace `gen_1/attempt/1`. Work that was sent before a deploy is found by it after: it must not change. */
const ownSeed = 712_564_746;

test('submits a video from text', async () => {
  current.server.answer(accepted);
  const input = makeReadyInput({
    durationSeconds: 8,
    aspectRatio: '16:9',
    resolution: '720p',
    audio: false,
    seed: 7,
    negativePrompt: 'blur',
  });
  const outcome = await current.provider.submit(modelOf('fal/veo3.1'), input, call());
  expect(outcome).toEqual({ state: 'pending', operation: { id: 'r-1', endpoint: 'fal-ai/veo3.1', seconds: 8 } });
  expect(current.server.requests).toMatchObject([
    { method: 'POST', path: '/fal/fal-ai/veo3.1', headers: { authorization: `Key ${secret}`, 'x-fal-no-retry': '1' } },
  ]);
  expect(current.server.requests[0]?.body).toEqual({
    prompt: input.prompt,
    aspect_ratio: '16:9',
    duration: '8s',
    resolution: '720p',
    generate_audio: false,
    seed: 7,
    negative_prompt: 'blur',
  });
});

test('submits a video from an image to the endpoint for that', async () => {
  current.server.answer(accepted);
  await current.provider.submit(modelOf('fal/veo3.1'), makeReadyInput({ image }), call());
  expect(current.server.requests).toMatchObject([
    { path: '/fal/fal-ai/veo3.1/image-to-video', body: { image_url: `data:image/png;base64,${tinyPng}` } },
  ]);
});

test.each([
  ['fal/flux/dev', '/fal/fal-ai/flux/dev', 'output_format'],
  ['fal/fast-sdxl', '/fal/fal-ai/fast-sdxl', 'format'],
])('submits images of %s', async (id, path, formatField) => {
  current.server.answer(accepted);
  await current.provider.submit(modelOf(id), makeReadyInput({ size: '1024x768', count: 2, format: 'png' }), call());
  expect(current.server.requests).toMatchObject([{ method: 'POST', path }]);
  expect(current.server.requests[0]?.body).toEqual({
    prompt: 'a red bicycle in the rain',
    image_size: { width: 1024, height: 768 },
    num_images: 2,
    seed: ownSeed,
    [formatField]: 'png',
  });
});

test('looks by owner and app, and fetches the result when it is there', async () => {
  const operation = { id: 'r-1', endpoint: 'fal-ai/veo3.1/image-to-video', seconds: 6 };
  current.server.answer(
    json({ status: 'COMPLETED', request_id: 'r-1' }),
    json({ video: { url: 'https://v3.fal.media/a.mp4', content_type: 'video/mp4' } }),
  );
  expect(await current.provider.check?.(modelOf('fal/veo3.1'), operation, call())).toMatchObject({
    state: 'succeeded',
    outputs: [{ kind: 'url', url: 'https://v3.fal.media/a.mp4', contentType: 'video/mp4' }],
    usage: { seconds: 6 },
  });
  expect(current.server.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
    'GET /fal/fal-ai/veo3.1/requests/r-1/status?logs=0',
    'GET /fal/fal-ai/veo3.1/requests/r-1',
  ]);
});

test.each([
  [200, 'confirmed'],
  [202, 'requested'],
  [400, 'too_late'],
])('reads a cancel answered by %d as %s', async (status, expected) => {
  current.server.answer(json({ status: 'x' }, status));
  const operation = { id: 'r-1', endpoint: 'fal-ai/flux/dev', seconds: null };
  expect(await current.provider.cancel?.(modelOf('fal/flux/dev'), operation, call())).toBe(expected);
  expect(current.server.requests).toMatchObject([{ method: 'PUT', path: '/fal/fal-ai/flux/requests/r-1/cancel' }]);
});

test('sends a look once though the SDK would repeat it', async () => {
  current.server.answer(json({ detail: 'busy' }, 503));
  const looking = current.provider.check?.(modelOf('fal/flux/dev'), { id: 'r-1' }, call());
  await expect(looking).rejects.toMatchObject({ code: 'provider_overloaded', httpStatus: 503 });
  expect(current.server.requests).toHaveLength(1);
});

const dataUri = `data:image/png;base64,${tinyPng}`;
const sent = () => current.server.requests[0];

test('asks for results that outlive an outage, a low place in the queue and an announcement', async () => {
  current.server.answer(accepted);
  const webhookUrl = 'https://sureshot.example/hooks/1?t=2';
  const model = modelOf('fal/flux/schnell');
  await current.provider.submit(model, makeReadyInput(), { ...call(), priority: 'low', webhookUrl });
  expect(sent()).toMatchObject({
    path: `/fal/fal-ai/flux/schnell?fal_webhook=${encodeURIComponent(webhookUrl)}`,
    headers: {
      'x-fal-queue-priority': 'low',
      'x-fal-object-lifecycle-preference': '{"expiration_duration_seconds":604800}',
      'x-fal-no-retry': '1',
    },
  });
  current.server.answer(accepted);
  await current.provider.submit(model, makeReadyInput(), { ...call(), priority: 'high' });
  expect(sent()).toMatchObject({ path: '/fal/fal-ai/flux/schnell', headers: { 'x-fal-queue-priority': 'normal' } });
});

test.each([
  ['fal/veo3.1', 'fal-ai/veo3.1'],
  ['fal/veo3.1/fast', 'fal-ai/veo3.1/fast'],
])('submits a first and a last frame to %s', async (id, endpoint) => {
  current.server.answer(accepted);
  const input = makeReadyInput({ image, lastFrame: image, durationSeconds: 4 });
  expect(await current.provider.submit(modelOf(id), input, call())).toMatchObject({
    operation: { endpoint: `${endpoint}/first-last-frame-to-video` },
  });
  expect(sent()).toMatchObject({ path: `/fal/${endpoint}/first-last-frame-to-video` });
  expect(sent()?.body).toEqual({
    prompt: input.prompt,
    first_frame_url: dataUri,
    last_frame_url: dataUri,
    duration: '4s',
    seed: ownSeed,
  });
});

test('submits references to the endpoint for them', async () => {
  current.server.answer(accepted);
  const input = makeReadyInput({ referenceImages: [image, image], durationSeconds: 8, audio: true });
  await current.provider.submit(modelOf('fal/veo3.1/reference-to-video'), input, call());
  expect(sent()).toMatchObject({ path: '/fal/fal-ai/veo3.1/reference-to-video' });
  expect(sent()?.body).toEqual({
    prompt: input.prompt,
    image_urls: [dataUri, dataUri],
    duration: '8s',
    generate_audio: true,
  });
});

test.each([
  ['fal/flux/dev/image-to-image', 'fal-ai/flux/dev/image-to-image', { image }, { image_url: dataUri }],
  ['fal/flux-pro/v1.1-ultra', 'fal-ai/flux-pro/v1.1-ultra', { aspectRatio: '21:9' }, { aspect_ratio: '21:9' }],
  ['fal/flux-pro/v1.1', 'fal-ai/flux-pro/v1.1', { size: '512x512' }, { image_size: { width: 512, height: 512 } }],
])('submits %s', async (id, endpoint, wish, field) => {
  current.server.answer(accepted);
  await current.provider.submit(modelOf(id), makeReadyInput({ ...wish, format: 'png' }), call());
  expect(sent()).toMatchObject({ path: `/fal/${endpoint}` });
  expect(sent()?.body).toEqual({
    prompt: 'a red bicycle in the rain',
    num_images: 1,
    seed: ownSeed,
    output_format: 'png',
    ...field,
  });
});

describe('an image too large for the body', () => {
  const large: Media = { bytes: new Uint8Array(5_000_000), contentType: 'image/jpeg' };
  const model = modelOf('fal/veo3.1/reference-to-video');
  const input = makeReadyInput({ referenceImages: [large, image] });
  const fileUrl = 'https://v3.fal.media/files/a.jpg';
  const stage = () => current.provider.stage?.(model, input, call());

  test('is uploaded for a day, and named in the submit', async () => {
    current.server.answer(
      json({ file_url: fileUrl, upload_url: `${current.server.url}/fal/files/a?signature=s` }),
      (response) => response.writeHead(200).end(),
    );
    const staged = await stage();
    const [intent, file] = current.server.requests;
    expect(intent).toMatchObject({
      method: 'POST',
      path: '/fal/rest/storage/upload/initiate?storage_type=fal-cdn-v3',
      headers: { authorization: `Key ${secret}`, 'x-fal-object-lifecycle': '{"expiration_duration_seconds":86400}' },
      body: { content_type: 'image/jpeg' },
    });
    expect(file).toMatchObject({
      method: 'PUT',
      path: '/fal/files/a?signature=s',
      headers: { 'content-type': 'image/jpeg' },
    });
    expect(file?.headers).not.toHaveProperty('authorization');

    current.server.answer(accepted);
    await current.provider.submit(model, staged ?? input, call());
    expect(sent()?.body).toMatchObject({ image_urls: [fileUrl, dataUri] });
  });

  test('is not sent to a private address that somebody names', async () => {
    const other = await startRecordingServer(json({}));
    current.server.answer(json({ file_url: fileUrl, upload_url: `${other.url}/a` }));
    await expect(stage()).rejects.toMatchObject({ code: 'provider_server_error', accepted: 'no' });
    expect(other.requests).toHaveLength(0);
    await other.close();
  });

  test('says nothing of our key where the storage refuses it', async () => {
    current.server.answer(json({ file_url: fileUrl, upload_url: `${current.server.url}/a` }), (response) =>
      response.writeHead(403).end('<Error/>'),
    );
    await expect(stage()).rejects.toMatchObject({ code: 'provider_server_error', scope: 'provider' });
  });
});

test('tries a key on a request that cannot exist', async () => {
  current.server.answer(json({ detail: 'Request not found' }, 404));
  expect(await current.provider.probe(call())).toEqual({ model: null });
  expect(current.server.requests).toMatchObject([
    {
      method: 'GET',
      path: '/fal/fal-ai/fast-sdxl/requests/00000000-0000-0000-0000-000000000000/status?logs=0',
      headers: { authorization: `Key ${secret}` },
    },
  ]);
  current.server.answer(json({ detail: 'No user found' }, 401));
  await expect(current.provider.probe(call())).rejects.toMatchObject({ code: 'provider_auth', scope: 'credential' });
  current.server.answer((response) => response.writeHead(404).end('<html>'));
  await expect(current.provider.probe(call())).rejects.toMatchObject({ httpStatus: 404 });
});
