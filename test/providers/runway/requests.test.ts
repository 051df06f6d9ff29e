import { createRunway } from '../../../src/providers/runway';
import { useRecordedProvider } from '../../support/golden';
import { image, makeCall, makeInput, modelOf, secret, tinyPng } from '../../support/provider-calls';
import { json } from '../../support/recording-server';

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
  const input = makeInput({ durationSeconds: 5, aspectRatio: '16:9', resolution: '720p', audio: false, seed: 7 });
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
    makeInput({ image, aspectRatio: '21:9', prompt: null }),
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
  const input = makeInput({
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
  const submitting = current.provider.submit(modelOf('runway/gen4.5'), makeInput({ aspectRatio: '4:3' }), call());
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
