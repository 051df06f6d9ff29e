import RunwayML, { APIError } from '@runwayml/sdk';
import { readImageSize } from '../../src/emulator/image-size';
import { startEmulator } from '../../src/emulator/server';
import { magicOf, outcomesOf, postJson, readJson, useEmulator, usualOutcomes } from './support';

const current = useEmulator();

const clientOf = (apiKey = 'key_test'): RunwayML =>
  new RunwayML({ apiKey, baseURL: `${current().url}/runway`, maxRetries: 0 });

const text = { model: 'gen4.5', promptText: 'a red bicycle', ratio: '1280:720', duration: 5 } as const;
const image = {
  model: 'gen4_turbo',
  promptImage: 'data:image/png;base64,iVBORw0KGgo=',
  ratio: '720:1280',
  duration: 10,
} as const;

const statusOf = async (id: string): Promise<string> => (await clientOf().tasks.retrieve(id)).status;

const failureOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => undefined,
    (error: unknown) => (error instanceof APIError ? error.status : error),
  );

test('makes a video of a text and of an image through the official client', async () => {
  const [first, second] = [await clientOf().textToVideo.create(text), await clientOf().imageToVideo.create(image)];
  expect(first).toMatchObject({ estimatedCost: { credits: 60 } });
  const task = await clientOf().tasks.retrieve(first.id);
  expect(task).toMatchObject({ status: 'SUCCEEDED', cost: { credits: 60 } });
  const url = task.status === 'SUCCEEDED' ? (task.output[0] ?? '') : '';
  expect(magicOf(new Uint8Array(await (await fetch(url)).arrayBuffer()))).toBe('mp4');
  const ledger = await current().ledger();
  expect(ledger.map(({ operation, costUsd, retryCount }) => [operation, costUsd, retryCount])).toEqual([
    [first.id, '0.6', 0],
    [second.id, '0.5', 0],
  ]);
});

test('wants its version header', async () => {
  const response = await postJson(`${current().url}/runway/v1/text_to_video`, text, { authorization: 'Bearer k' });
  expect(response.status).toBe(400);
  expect(JSON.stringify(await readJson(response))).toContain('X-Runway-Version');
});

test('goes through PENDING and RUNNING, and THROTTLED over the concurrency', async () => {
  await current().set({ latencyScale: 1, limits: { runway: { concurrent: 1 } } });
  const first = await clientOf().textToVideo.create(text);
  const second = await clientOf().textToVideo.create(text);
  expect([await statusOf(first.id), await statusOf(second.id)]).toEqual(['PENDING', 'THROTTLED']);
  await current().addFault({ provider: 'runway', kind: 'stuck', operation: 'poll' });
  expect(await clientOf().tasks.retrieve(first.id)).toMatchObject({ status: 'RUNNING', progress: 0.5 });
  await clientOf().tasks.delete(first.id);
  expect(await statusOf(second.id)).toBe('PENDING');
  expect((await current().requests('?provider=runway&kind=poll')).flatMap(({ notes }) => notes)).toContain(
    'polled within 5 s of the last look',
  );
});

test('cancels by DELETE while active and deletes the output afterwards', async () => {
  const finished = await clientOf().textToVideo.create(text);
  const done = await clientOf().tasks.retrieve(finished.id);
  const url = done.status === 'SUCCEEDED' ? (done.output[0] ?? '') : '';
  await clientOf().tasks.delete(finished.id);
  expect(await failureOf(clientOf().tasks.retrieve(finished.id))).toBe(404);
  expect((await fetch(url)).status).toBe(404);
  await current().set({ latencyScale: 1 });
  const active = await clientOf().textToVideo.create(text);
  await clientOf().tasks.delete(active.id);
  expect(await failureOf(clientOf().tasks.delete(active.id))).toBe(404);
  expect((await current().ledger()).map(({ state }) => state)).toEqual(['succeeded', 'canceled']);
});

test.each([
  ['[fail]', 'INTERNAL.BAD_OUTPUT.CODE01', 0],
  ['[refuse]', 'SAFETY.INPUT.TEXT', 60],
])('ends a task for "%s" as FAILED with %s, charging %d credits', async (promptText, failureCode, credits) => {
  const { id } = await clientOf().textToVideo.create({ ...text, promptText });
  expect(await clientOf().tasks.retrieve(id)).toMatchObject({ status: 'FAILED', failureCode, cost: { credits } });
});

test.each([
  ['a ratio it has not', { ...text, ratio: '1104:832' }],
  ['a duration out of range', { ...text, duration: 11 }],
  ['a prompt that is too long', { ...text, promptText: 'x'.repeat(1001) }],
  ['an image-only model', { ...text, model: 'gen4_turbo' }],
  ['an unknown field', { ...text, colour: 'red' }],
  ['a duration veo has not', { ...text, model: 'veo3.1_fast' }],
])('refuses %s', async (_, body) => {
  expect(await failureOf(clientOf().textToVideo.create(body as typeof text))).toBe(400);
  expect(await current().ledger()).toEqual([]);
});

test('refuses an image by plain HTTP, keys it does not know, and an account without credits', async () => {
  expect(await failureOf(clientOf().imageToVideo.create({ ...image, promptImage: 'http://127.0.0.1/a.png' }))).toBe(
    400,
  );
  expect(await failureOf(clientOf('invalid').textToVideo.create(text))).toBe(401);
  const error: unknown = await clientOf('exhausted')
    .textToVideo.create(text)
    .catch((caught: unknown) => caught);
  expect(error).toMatchObject({ status: 400, error: { error: expect.stringContaining('credits') as string } });
});

test('answers 429 over the daily limit and shows the usage', async () => {
  await current().set({ limits: { runway: { requestsPerDay: 1 } } });
  await clientOf().textToVideo.create(text);
  expect(await failureOf(clientOf().textToVideo.create(text))).toBe(429);
  const organization = await clientOf().organization.retrieve();
  expect(organization.creditBalance).toBe(1_000_000 - 60);
  expect(organization.usage.models['gen4.5']).toEqual({ dailyGenerations: 1 });
});

test('signs artifact URLs that expire with 403', async () => {
  const { id } = await clientOf().textToVideo.create(text);
  const task = await clientOf().tasks.retrieve(id);
  const url = new URL(task.status === 'SUCCEEDED' ? (task.output[0] ?? '') : '');
  url.searchParams.set('_jwt', Buffer.from('{"exp":1}').toString('base64url'));
  expect((await fetch(url)).status).toBe(403);
});

const submitRaw = (path: string, body: unknown): Promise<Response> =>
  postJson(`${current().url}/runway/v1/${path}`, body, {
    authorization: 'Bearer key_test',
    'x-runway-version': '2024-11-06',
  });

const voice = { type: 'runway-preset', presetId: 'Maya' } as const;

test('makes images in the wanted size, dearer above 720p', async () => {
  const { id } = await clientOf().textToImage.create({
    model: 'gen4_image',
    promptText: 'a red bicycle with @basket',
    ratio: '1440:1080',
    referenceImages: [{ uri: 'https://example.com/basket.png', tag: 'basket' }],
  });
  const small = await clientOf().textToImage.create({ model: 'gen4_image', promptText: 'x', ratio: '960:720' });
  expect(small.estimatedCost.credits).toBe(5);
  const task = await clientOf().tasks.retrieve(id);
  const url = task.status === 'SUCCEEDED' ? (task.output[0] ?? '') : '';
  const bytes = Buffer.from(await (await fetch(url)).arrayBuffer());
  expect([magicOf(bytes), readImageSize(bytes)]).toEqual(['png', { width: 1440, height: 1080 }]);
  const ledger = await current().ledger();
  expect(ledger.map(({ medium, costUsd }) => [medium, costUsd])).toEqual([
    ['image', '0.08'],
    ['image', '0.05'],
  ]);
});

test('speaks and makes sounds, by the credit', async () => {
  const speech = await clientOf().textToSpeech.create({
    model: 'eleven_multilingual_v2',
    promptText: 'x'.repeat(101),
    voice,
  });
  const sound = await clientOf().soundEffect.create({
    model: 'eleven_text_to_sound_v2',
    promptText: 'a bicycle bell',
    duration: 2,
    loop: true,
  });
  expect([speech.estimatedCost.credits, sound.estimatedCost.credits]).toEqual([3, 1]);
  const task = await clientOf().tasks.retrieve(sound.id);
  const url = task.status === 'SUCCEEDED' ? (task.output[0] ?? '') : '';
  expect(magicOf(new Uint8Array(await (await fetch(url)).arrayBuffer()))).toBe('mp3');
});

test('takes an uploaded image, of the account that sent it only', async () => {
  const file = new File([Buffer.from('89504e470d0a1a0a', 'hex')], 'a.png');
  const { uri } = await clientOf().uploads.createEphemeral({ file });
  expect(uri).toMatch(/^runway:\/\//);
  const frames = [{ uri, position: 'first' as const }];
  await clientOf().imageToVideo.create({ ...image, promptImage: frames });
  expect(await failureOf(clientOf('key_other').imageToVideo.create({ ...image, promptImage: uri }))).toBe(400);
  expect(await failureOf(clientOf().imageToVideo.create({ ...image, promptImage: 'runway://nothing' }))).toBe(400);
  expect(await current().ledger()).toHaveLength(1);
});

test('forgets an upload after a day, and has nothing before it was sent', async () => {
  let nowMs = Date.now();
  const emulator = await startEmulator({ latencyScale: 0, clock: () => nowMs });
  const client = new RunwayML({ apiKey: 'k', baseURL: `${emulator.url}/runway`, maxRetries: 0 });
  const headers = { authorization: 'Bearer k', 'x-runway-version': '2024-11-06' };
  const opened = await readJson(
    await postJson(`${emulator.url}/runway/v1/uploads`, { filename: 'a.png', type: 'ephemeral' }, headers),
  );
  const unsent = client.imageToVideo.create({ ...image, promptImage: String(opened['runwayUri']) });
  expect(await failureOf(unsent)).toBe(400);
  const { uri } = await client.uploads.createEphemeral({ file: new File(['x'], 'a.png') });
  nowMs += 86_400_001;
  expect(await failureOf(client.imageToVideo.create({ ...image, promptImage: uri }))).toBe(400);
  await emulator.close();
});

const dataUri = (sizeBytes: number): string => `data:image/png;base64,${'A'.repeat(sizeBytes)}`;

test.each([
  ['an address instead of a name', 'https://10.0.0.1/a.png'],
  ['a bracketed address', 'https://[::1]/a.png'],
  ['a name without a dot', 'https://localhost/a.png'],
  ['a URL that is too long', `https://example.com/${'a'.repeat(2050)}`],
  ['a data URI over 5 MB', dataUri(5 * 2 ** 20)],
  ['a data URI of something else', 'data:text/html;base64,AAAA'],
  ['a last frame alone', [{ uri: 'https://example.com/a.png', position: 'last' as const }]],
])('refuses %s as an image', async (_, promptImage) => {
  const body = { model: 'veo3.1', promptImage, ratio: '1280:720', duration: 4 } as const;
  expect(await failureOf(clientOf().imageToVideo.create(body))).toBe(400);
  expect(await current().ledger()).toEqual([]);
});

test('takes a first and a last frame, with the price of the sound', async () => {
  const promptImage = [
    { uri: 'https://example.com/a.png', position: 'first' as const },
    { uri: dataUri(100), position: 'last' as const },
  ];
  const video = { model: 'veo3.1_fast', promptImage, ratio: '1920:1080', duration: 6 } as const;
  const audible = await clientOf().imageToVideo.create(video);
  const silent = await clientOf().imageToVideo.create({ ...video, audio: false });
  expect([audible.estimatedCost.credits, silent.estimatedCost.credits]).toEqual([90, 60]);
});

test.each([
  [
    'a turbo image without a reference',
    'text_to_image',
    { model: 'gen4_image_turbo', ratio: '1280:720', referenceImages: [] },
  ],
  [
    'a reference with a bad tag',
    'text_to_image',
    { model: 'gen4_image', ratio: '1280:720', referenceImages: [{ uri: 'https://example.com/a.png', tag: 'a' }] },
  ],
  ['a ratio images have not', 'text_to_image', { model: 'gen4_image', ratio: '1281:720' }],
  ['a voice nobody has', 'text_to_speech', { model: 'eleven_v3', voice: { ...voice, presetId: 'Nobody' } }],
  ['a sound that is too long', 'sound_effect', { model: 'eleven_text_to_sound_v2', duration: 31 }],
  ['a format that is not made', 'text_to_video', { ...text, outputFormat: 'prores' }],
])('refuses %s', async (_, path, body) => {
  expect((await submitRaw(path, { promptText: 'x', ...body })).status).toBe(400);
  expect(await current().ledger()).toEqual([]);
});

test('serves retired models unless the lifecycle is strict', async () => {
  const old = { ...image, model: 'gen3a_turbo', ratio: '1280:768' };
  expect(await readJson(await submitRaw('image_to_video', old))).toMatchObject({ estimatedCost: { credits: 50 } });
  expect((await submitRaw('text_to_video', { ...text, model: 'veo3', duration: 8 })).status).toBe(200);
  await current().set({ strictLifecycle: true });
  const refused = await submitRaw('image_to_video', old);
  expect([refused.status, JSON.stringify(await readJson(refused))]).toEqual([
    400,
    expect.stringContaining('gen3a_turbo'),
  ]);
  expect((await submitRaw('image_to_video', image)).status).toBe(200);
});

test('sums the credits by day and model', async () => {
  await clientOf().textToVideo.create(text);
  await clientOf().textToVideo.create({ ...text, duration: 2 });
  await clientOf().textToVideo.create({ ...text, promptText: '[fail]' });
  const { results, models } = await clientOf().organization.retrieveUsage();
  expect(models).toEqual(['gen4.5']);
  expect(results).toEqual([
    { date: expect.stringMatching(/^\d{4}-\d\d-\d\d$/) as string, usedCredits: [{ model: 'gen4.5', amount: 84 }] },
  ]);
  const earlier = { startDate: '2020-01-01', beforeDate: '2020-02-01' };
  expect((await clientOf().organization.retrieveUsage(earlier)).results).toEqual([]);
  expect(await failureOf(clientOf().organization.retrieveUsage({ ...earlier, beforeDate: '2020-06-01' }))).toBe(400);
});

test.each([
  ['text_to_video', text],
  ['image_to_video', image],
  ['text_to_image', { model: 'gen4_image', promptText: 'x', ratio: '1280:720' }],
  ['text_to_speech', { model: 'eleven_multilingual_v2', promptText: 'x', voice }],
  ['sound_effect', { model: 'eleven_text_to_sound_v2', promptText: 'x' }],
])('%s goes wrong in every way', async (path, body) => {
  expect(await outcomesOf(current(), 'runway', () => submitRaw(path, body))).toEqual(usualOutcomes);
});
