import { createFal } from '../../../src/providers/fal';
import { useRecordedProvider } from '../../support/golden';
import { image, makeCall, makeInput, modelOf, secret, tinyPng } from '../../support/provider-calls';
import { json } from '../../support/recording-server';

const current = useRecordedProvider(createFal);
const accepted = json({ status: 'IN_QUEUE', queue_position: 0, request_id: 'r-1', response_url: 'x', status_url: 'y' });
const call = () => makeCall(`${current.server.url}/fal`);

test('submits a video from text', async () => {
  current.server.answer(accepted);
  const input = makeInput({
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
  await current.provider.submit(modelOf('fal/veo3.1'), makeInput({ image }), call());
  expect(current.server.requests).toMatchObject([
    { path: '/fal/fal-ai/veo3.1/image-to-video', body: { image_url: `data:image/png;base64,${tinyPng}` } },
  ]);
});

test.each([
  ['fal/flux/dev', '/fal/fal-ai/flux/dev', 'output_format'],
  ['fal/fast-sdxl', '/fal/fal-ai/fast-sdxl', 'format'],
])('submits images of %s', async (id, path, formatField) => {
  current.server.answer(accepted);
  await current.provider.submit(modelOf(id), makeInput({ size: '1024x768', count: 2, format: 'png' }), call());
  expect(current.server.requests).toMatchObject([{ method: 'POST', path }]);
  expect(current.server.requests[0]?.body).toEqual({
    prompt: 'a red bicycle in the rain',
    image_size: { width: 1024, height: 768 },
    num_images: 2,
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
