import RunwayML, { APIError } from '@runwayml/sdk';
import { magicOf, postJson, readJson, useEmulator } from './support';

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
