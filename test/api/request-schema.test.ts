import { startApi, type ApiServer } from './api-server';

let api: ApiServer;

beforeAll(async () => {
  api = await startApi();
});

afterAll(() => api.close());

const png = Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), Buffer.alloc(100)]);

const bodyWith = (change: object): object => ({
  medium: 'video',
  model: 'mock/video',
  input: { prompt: 'x' },
  ...change,
});
const inputWith = (input: object): object => bodyWith({ input: { prompt: 'x', ...input } });
const routingWith = (routing: object): object => bodyWith({ routing });
const imageWith = (base64: string, contentType = 'image/png'): object => inputWith({ image: { base64, contentType } });

const malformed: [pointer: string, detail: RegExp, body: unknown][] = [
  ['', /an object/, []],
  ['/medium', /required|one of video, image, speech, text/, { input: { prompt: 'x' } }],
  ['/medium', /one of video, image, speech, text/, bodyWith({ medium: 'film' })],
  ['/promt', /not a field here; there are medium, model/, bodyWith({ promt: 'x' })],
  ['/input/durationSecond', /not a field here; .*durationSeconds/, inputWith({ durationSecond: 4 })],
  ['/routing/fall~1back~0', /not a field here/, routingWith({ 'fall/back~': true })],
  ['/input', /an object/, bodyWith({ input: 'a cat' })],
  ['/input/prompt', /a text/, inputWith({ prompt: 7 })],
  ['/input/prompt', /without NUL/, inputWith({ prompt: 'a\0b' })],
  ['/input/prompt', /lone surrogates/, inputWith({ prompt: 'a\ud800b' })],
  ['/input/durationSeconds', /a number/, inputWith({ durationSeconds: '8' })],
  ['/input/size', /WIDTHxHEIGHT/, inputWith({ size: '1024*1024' })],
  ['/input/count', /at least 1/, inputWith({ count: 0 })],
  ['/input/seed', /a whole number/, inputWith({ seed: 1.5 })],
  ['/input/task', /not available yet: accepted values are speech/, inputWith({ task: 'sound_effect' })],
  ['/input/task', /for the medium speech/, inputWith({ task: 'speech' })],
  ['/input/style', /not available yet: accepted value is null/, inputWith({ style: 'noir' })],
  ['/input/colors', /not available yet: accepted value is \[\]/, inputWith({ colors: ['red'] })],
  ['/input/lastFrame', /not available yet/, inputWith({ lastFrame: { url: 'https://x' } })],
  ['/input/referenceImages', /not available yet/, inputWith({ referenceImages: [{}] })],
  ['/input/video', /not available yet/, inputWith({ video: {} })],
  ['/input/voiceSettings', /not available yet/, inputWith({ voiceSettings: {} })],
  ['/input/image', /not available yet in this form.*base64/, inputWith({ image: { url: 'https://x/y.png' } })],
  ['/input/image/base64', /must be base64/, imageWith('data:image/png;base64,AAAA')],
  ['/input/image/base64', /must start as image\/jpeg does/, imageWith(png.toString('base64'), 'image/jpeg')],
  ['/input/image/contentType', /one of image\/png, image\/jpeg/, imageWith(png.toString('base64'), 'image/tiff')],
  [
    '/input/image/base64',
    /at most 5 MB/,
    imageWith(Buffer.concat([png, Buffer.alloc(5 * 1024 * 1024)]).toString('base64')),
  ],
  ['/input/messages/0/role', /one of system, user/, inputWith({ messages: [{ role: 'robot', content: 'x' }] })],
  ['/input/messages/0/content', /required/, inputWith({ messages: [{ role: 'user' }] })],
  ['/routing/strategy', /not available yet: accepted values are balanced, cost/, routingWith({ strategy: 'weighted' })],
  ['/routing/strategy', /one of balanced, cost, speed, quality/, routingWith({ strategy: 'cheapest' })],
  ['/routing/maxCostUsd', /amount of USD/, routingWith({ maxCostUsd: '1e3' })],
  ['/routing/maxCostUsd', /amount of USD/, routingWith({ maxCostUsd: -1 })],
  ['/analysis', /not available yet/, bodyWith({ analysis: 'deep' })],
  ['/cache', /not available yet/, bodyWith({ cache: 'refresh' })],
  ['/deadlineSeconds', /at least 10/, bodyWith({ deadlineSeconds: 9 })],
  ['/deadlineSeconds', /at most 86400/, bodyWith({ deadlineSeconds: 86_401 })],
  ['/onAmbiguous', /one of auto, hold, fail_over, resubmit/, bodyWith({ onAmbiguous: 'retry' })],
  ['/user', /at most 256 characters/, bodyWith({ user: 'x'.repeat(257) })],
  ['/metadata/a', /a text/, bodyWith({ metadata: { a: 1 } })],
  ['/metadata/a', /at most 500 characters/, bodyWith({ metadata: { a: 'x'.repeat(501) } })],
  [
    '/metadata',
    /at most 16 entries/,
    bodyWith({ metadata: Object.fromEntries([...Array(17).keys()].map((n) => [n, 'x'])) }),
  ],
  ['/metadata/__proto__', /name that cannot be kept/, JSON.parse('{"medium":"video","metadata":{"__proto__":"x"}}')],
  ['/tags', /at most 16 entries/, bodyWith({ tags: Array(17).fill('x') })],
  ['/tags/0', /at most 64 characters/, bodyWith({ tags: ['x'.repeat(65)] })],
];

test.each(malformed)('refuses with the pointer "%s" and %s', async (pointer, detail, body) => {
  const answer = await api.call('POST /v1/generations', body);
  expect(answer).toMatchObject({ status: 422, body: { code: 'caller_invalid_request', retryable: false } });
  expect(answer.body.errors).toEqual(
    expect.arrayContaining([{ pointer, detail: expect.stringMatching(detail) as string }]),
  );
});

test('names every wrong field at once', async () => {
  const answer = await api.call('POST /v1/generations', { medium: 'video', tags: 1, user: 2, input: { count: 'x' } });
  const pointers = answer.body.errors.map((error) => error.pointer);
  expect(pointers.sort()).toEqual(['/input/count', '/tags', '/user']);
});

test('refuses a body nested deeper than a stack is', async () => {
  const depth = 100_000;
  const schema = `{"a":`.repeat(depth) + '1' + '}'.repeat(depth);
  const body = `{"medium":"text","input":{"prompt":"x","schema":${schema}}}`;
  expect(await api.call('POST /v1/generations', body)).toMatchObject({ status: 422 });
});

test.each([
  ['five million values', { tags: Array(4_999_000).fill(1) }],
  ['many strange names', Object.fromEntries(Array.from({ length: 30_000 }, (_, number) => [`x${number}`, 1]))],
])('refuses %s without looking at each', async (_name, change) => {
  const answer = await api.call('POST /v1/generations', bodyWith(change));
  expect(answer).toMatchObject({
    status: 422,
    body: { errors: [{ pointer: '', detail: 'must have at most 20000 values' }] },
  });
});

test('accepts what later versions will serve when it asks for nothing', async () => {
  const later = { style: null, colors: [], lastFrame: null, referenceImages: [], video: null, voiceSettings: null };
  const body = { ...inputWith(later), analysis: 'auto', cache: 'auto', coalesce: 'auto' };
  expect((await api.call('POST /v1/generations', body)).status).toBe(202);
});

test('takes an image of 5 MB and does not send it back', async () => {
  const bytes = 5 * 1024 * 1024;
  const image = Buffer.concat([png, Buffer.alloc(bytes - png.length)]).toString('base64');
  const answer = await api.call('POST /v1/generations', imageWith(image));
  expect(answer.status).toBe(202);
  expect(answer.body.input.image).toEqual({ contentType: 'image/png', bytes });
});
