import { createRunway } from '../../../src/providers/runway';
import type { Media } from '../../../src/providers/provider';
import { useRecordedProvider } from '../../support/golden';
import { image, makeCall, makeReadyInput, modelOf, secret, tinyPng } from '../../support/provider-calls';
import { json, startRecordingServer } from '../../support/recording-server';

const current = useRecordedProvider(createRunway);
const accepted = json({ id: 'task-1', estimatedCost: { credits: 60 } });
const call = () => makeCall(`${current.server.url}/runway`);
const headers = {
  authorization: `Bearer ${secret}`,
  'x-runway-version': '2024-11-06',
  'x-stainless-retry-count': '0',
  connection: 'close',
};

test('submits a video from text', async () => {
  current.server.answer(accepted);
  const input = makeReadyInput({ durationSeconds: 5, aspectRatio: '16:9', resolution: '720p', audio: false, seed: 7 });
  expect(await current.provider.submit(modelOf('runway/gen4.5'), input, call())).toEqual({
    state: 'pending',
    operation: { id: 'task-1', seconds: 5 },
    retryAfterMs: 5_000,
  });
  expect(current.server.requests).toMatchObject([{ method: 'POST', path: '/runway/v1/text_to_video', headers }]);
  expect(current.server.requests[0]?.body).toEqual({
    model: 'gen4.5',
    promptText: input.prompt,
    ratio: '1280:720',
    duration: 5,
    seed: 7,
  });
});

test('submits a video from an image in a shape that only images have', async () => {
  current.server.answer(accepted);
  await current.provider.submit(
    modelOf('runway/gen4_turbo'),
    makeReadyInput({ image, aspectRatio: '21:9', prompt: null }),
    call(),
  );
  expect(current.server.requests).toMatchObject([{ path: '/runway/v1/image_to_video' }]);
  expect(current.server.requests[0]?.body).toEqual({
    model: 'gen4_turbo',
    promptImage: `data:image/png;base64,${tinyPng}`,
    ratio: '1584:672',
  });
});

test('submits Veo with its sound and full resolution', async () => {
  current.server.answer(accepted);
  const input = makeReadyInput({
    aspectRatio: '9:16',
    resolution: '1080p',
    audio: true,
    durationSeconds: 8,
    negativePrompt: 'blur',
  });
  await current.provider.submit(modelOf('runway/veo3.1_fast'), input, call());
  expect(current.server.requests[0]?.body).toEqual({
    model: 'veo3.1_fast',
    promptText: input.prompt,
    ratio: '1080:1920',
    duration: 8,
    audio: true,
    negativePrompt: 'blur',
  });
});

test('refuses a shape that text cannot have, without asking', async () => {
  current.server.answer(accepted);
  const submitting = current.provider.submit(modelOf('runway/gen4.5'), makeReadyInput({ aspectRatio: '4:3' }), call());
  await expect(submitting).rejects.toMatchObject({ code: 'caller_invalid_request', accepted: 'no' });
  expect(current.server.requests).toHaveLength(0);
});

test('looks at a task', async () => {
  current.server.answer(json({ id: 'task-1', status: 'RUNNING', progress: 0.42, createdAt: 'x' }));
  const outcome = await current.provider.check?.(modelOf('runway/gen4.5'), { id: 'task-1', seconds: 5 }, call());
  expect(outcome).toMatchObject({ state: 'pending', progress: 42, retryAfterMs: 5_000 });
  expect(current.server.requests).toMatchObject([{ method: 'GET', path: '/runway/v1/tasks/task-1' }]);
});

test('cancels active work', async () => {
  current.server.answer(json({ id: 'task-1', status: 'THROTTLED' }), (response) => response.writeHead(204).end());
  expect(await current.provider.cancel?.(modelOf('runway/gen4.5'), { id: 'task-1' }, call())).toBe('confirmed');
  expect(current.server.requests.map(({ method }) => method)).toEqual(['GET', 'DELETE']);
});

test('never deletes the output of finished work', async () => {
  current.server.answer(json({ id: 'task-1', status: 'SUCCEEDED', output: ['https://x/a.mp4'] }));
  expect(await current.provider.cancel?.(modelOf('runway/gen4.5'), { id: 'task-1' }, call())).toBe('too_late');
  expect(current.server.requests.map(({ method }) => method)).toEqual(['GET']);
});

const dataUri = `data:image/png;base64,${tinyPng}`;
const sent = () => current.server.requests[0];

test('submits a first and a last frame', async () => {
  current.server.answer(accepted);
  const input = makeReadyInput({
    image,
    lastFrame: image,
    aspectRatio: '16:9',
    resolution: '720p',
    durationSeconds: 4,
  });
  await current.provider.submit(modelOf('runway/veo3.1'), input, call());
  expect(sent()).toMatchObject({ path: '/runway/v1/image_to_video' });
  expect(sent()?.body).toEqual({
    model: 'veo3.1',
    promptText: input.prompt,
    promptImage: [
      { uri: dataUri, position: 'first' },
      { uri: dataUri, position: 'last' },
    ],
    ratio: '1280:720',
    duration: 4,
  });
});

test('sends a retired model as it used to be', async () => {
  current.server.answer(accepted);
  const input = makeReadyInput({ image, aspectRatio: '9:16', resolution: '720p', durationSeconds: 10 });
  await current.provider.submit(modelOf('runway/gen3a_turbo'), input, call());
  expect(sent()?.body).toMatchObject({ model: 'gen3a_turbo', ratio: '768:1280', duration: 10, promptImage: dataUri });
});

test.each([
  ['1:1', '720p', '720:720'],
  ['21:9', '1080p', '2112:912'],
])('draws %s in %s from references', async (aspectRatio, resolution, ratio) => {
  current.server.answer(accepted);
  const input = makeReadyInput({ referenceImages: [image, image], aspectRatio, resolution, seed: 7 });
  expect(await current.provider.submit(modelOf('runway/gen4_image'), input, call())).toMatchObject({
    operation: { id: 'task-1', images: 1 },
  });
  expect(sent()).toMatchObject({ method: 'POST', path: '/runway/v1/text_to_image', headers });
  expect(sent()?.body).toEqual({
    model: 'gen4_image',
    promptText: input.prompt,
    ratio,
    referenceImages: [
      { uri: dataUri, tag: 'image1' },
      { uri: dataUri, tag: 'image2' },
    ],
    seed: 7,
  });
});

test('speaks with a preset voice and what was set of it', async () => {
  current.server.answer(accepted);
  const voiceSettings = { stability: 0.4, similarityBoost: null, style: null, useSpeakerBoost: true, speed: 1.1 };
  const input = makeReadyInput({ voice: 'Rachel', voiceSettings, seed: 7 });
  expect(await current.provider.submit(modelOf('runway/eleven_v3'), input, call())).toMatchObject({
    operation: { id: 'task-1', characters: 25 },
  });
  expect(sent()).toMatchObject({ method: 'POST', path: '/runway/v1/text_to_speech', headers });
  expect(sent()?.body).toEqual({
    model: 'eleven_v3',
    promptText: input.prompt,
    voice: { type: 'runway-preset', presetId: 'Rachel' },
    stability: 0.4,
    useSpeakerBoost: true,
    speed: 1.1,
    seed: 7,
  });
});

test('speaks with the first voice where none is named', async () => {
  current.server.answer(accepted);
  await current.provider.submit(modelOf('runway/eleven_multilingual_v2'), makeReadyInput(), call());
  expect(sent()?.body).toEqual({
    model: 'eleven_multilingual_v2',
    promptText: 'a red bicycle in the rain',
    voice: { type: 'runway-preset', presetId: 'Maya' },
  });
});

test('makes a sound of a length', async () => {
  current.server.answer(accepted);
  const input = makeReadyInput({ task: 'sound_effect', durationSeconds: 2.5 });
  await current.provider.submit(modelOf('runway/eleven_text_to_sound_v2'), input, call());
  expect(sent()).toMatchObject({ method: 'POST', path: '/runway/v1/sound_effect', headers });
  expect(sent()?.body).toEqual({ model: 'eleven_text_to_sound_v2', promptText: input.prompt, duration: 2.5 });
});

describe('an image too large for a data URI', () => {
  const large: Media = { bytes: new Uint8Array(4_000_000), contentType: 'image/jpeg' };
  const input = makeReadyInput({ image: large, lastFrame: image, aspectRatio: '16:9', resolution: '720p' });
  const model = modelOf('runway/veo3.1');
  const stage = () => current.provider.stage?.(model, input, call());
  const upload = (uploadUrl: string) => json({ uploadUrl, fields: { key: 'k/1' }, runwayUri: 'runway://u-1' });

  test('is uploaded, and named in the submit', async () => {
    current.server.answer(upload(`${current.server.url}/storage`), (response) => response.writeHead(204).end());
    const staged = await stage();
    expect(staged?.image).toMatchObject({ uri: 'runway://u-1' });
    expect(staged?.lastFrame).not.toHaveProperty('uri');
    const [intent, form] = current.server.requests;
    expect(intent).toMatchObject({
      method: 'POST',
      path: '/runway/v1/uploads',
      headers: { authorization: `Bearer ${secret}` },
      body: { filename: 'input.jpg', type: 'ephemeral' },
    });
    expect(form).toMatchObject({ method: 'POST', path: '/storage' });
    expect(form?.headers).not.toHaveProperty('authorization');
    expect(form?.body).toMatch(/name="key"\r\n\r\nk\/1\r\n[^]*name="file"; filename="input.jpg"/);

    current.server.answer(accepted);
    await current.provider.submit(model, staged ?? input, call());
    expect(sent()?.body).toMatchObject({
      promptImage: [
        { uri: 'runway://u-1', position: 'first' },
        { uri: dataUri, position: 'last' },
      ],
    });
  });

  test('is not sent to a private address that somebody names', async () => {
    const other = await startRecordingServer(json({}));
    current.server.answer(upload(`${other.url}/storage`));
    await expect(stage()).rejects.toMatchObject({ code: 'provider_server_error', accepted: 'no' });
    expect(other.requests).toHaveLength(0);
    await other.close();
  });

  test('says nothing of our key where the storage refuses it', async () => {
    current.server.answer(upload(`${current.server.url}/storage`), (response) =>
      response.writeHead(403, { 'content-type': 'application/xml' }).end('<Error/>'),
    );
    await expect(stage()).rejects.toMatchObject({ code: 'provider_server_error', scope: 'provider' });
  });
});

test('leaves small images where they are', async () => {
  current.server.answer(json({}));
  const input = makeReadyInput({ image, referenceImages: [image] });
  expect(await current.provider.stage?.(modelOf('runway/veo3.1'), input, call())).toEqual(input);
  expect(current.server.requests).toHaveLength(0);
});

test('tries a key on the organization', async () => {
  current.server.answer(json({ creditBalance: 5, tier: {}, usage: {} }));
  expect(await current.provider.probe(call())).toEqual({ model: null });
  expect(current.server.requests).toMatchObject([{ method: 'GET', path: '/runway/v1/organization' }]);
  current.server.answer(json({ error: 'Unauthorized' }, 401));
  await expect(current.provider.probe(call())).rejects.toMatchObject({ code: 'provider_auth', scope: 'credential' });
  current.server.answer(json('a page'));
  await expect(current.provider.probe(call())).rejects.toMatchObject({ code: 'provider_bad_response' });
});
