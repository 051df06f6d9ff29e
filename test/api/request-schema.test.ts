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
const urlWith = (url: string): object => inputWith({ image: { url } });
const pngBase64 = png.toString('base64');
const mp4Base64 = Buffer.from('\0\0\0\x18ftypisom\0\0\0\0isommp41', 'latin1').toString('base64');
const reference = { url: 'https://example.com/a.png' };

type Case = [pointer: string, detail: RegExp, body: unknown];

const malformed: Case[] = [
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
  ['/input/task', /one of speech, sound_effect/, inputWith({ task: 'song' })],
  ['/input/task', /for the medium speech/, inputWith({ task: 'speech' })],
  ['/input/style', /one of cinematic/, inputWith({ style: 'oil' })],
  ['/input/colors/0', /a colour such as/, inputWith({ colors: ['red'] })],
  ['/input/colors', /at most 16 entries/, inputWith({ colors: Array(17).fill('#ffffff') })],
  ['/input/voiceSettings/pitch', /not a field here; there are stability/, inputWith({ voiceSettings: { pitch: 1 } })],
  ['/input/voiceSettings/stability', /at most 1/, inputWith({ voiceSettings: { stability: 2 } })],
  ['/input/image', /an object/, inputWith({ image: 'https://example.com/a.png' })],
  ['/input/image', /exactly one of {"url"}, {"base64", "contentType"}/, inputWith({ image: {} })],
  ['/input/image', /exactly one of/, inputWith({ image: { ...reference, upload: 'upl_1' } })],
  [
    '/input/image',
    /exactly one of/,
    inputWith({ image: { base64: pngBase64, contentType: 'image/png', ...reference } }),
  ],
  ['/input/image/path', /not a field here; there are url, base64/, inputWith({ image: { path: '/etc/passwd' } })],
  ['/input/image/url', /an https URL/, urlWith('http://example.com/a.png')],
  ['/input/image/url', /an https URL/, urlWith('file:///etc/passwd')],
  ['/input/image/url', /an https URL/, urlWith('example.com/a.png')],
  ['/input/image/url', /not hold a user name/, urlWith('https://ann:secret@example.com/a.png')],
  ['/input/image/url', /at most 4096 characters/, urlWith(`https://example.com/${'x'.repeat(4096)}`)],
  ...[
    'https://127.0.0.1/a.png',
    'https://127.1/a.png',
    'https://2130706433/a.png',
    'https://0x7f000001/a.png',
    'https://10.0.0.1/a.png',
    'https://192.168.1.1/a.png',
    'https://169.254.169.254/latest/meta-data',
    'https://0.0.0.0/a.png',
    'https://[::1]/a.png',
    'https://[::ffff:10.0.0.1]/a.png',
    'https://[fd00::1]/a.png',
    'https://localhost/a.png',
    'https://LOCALHOST./a.png',
    'https://api.localhost:8080/a.png',
  ].map((url): Case => ['/input/image/url', /a public address/, urlWith(url)]),
  ['/input/image/base64', /must be base64/, imageWith('data:image/png;base64,AAAA')],
  ['/input/image/base64', /must be base64/, imageWith('a b=')],
  ['/input/image/base64', /bytes of image\/jpeg, is image\/png/, imageWith(pngBase64, 'image/jpeg')],
  ['/input/image/base64', /bytes of image\/png, is none of these/, imageWith('aGVsbG8gd29ybGQh')],
  ['/input/image/contentType', /one of image\/png, image\/jpeg/, imageWith(pngBase64, 'image/tiff')],
  ['/input/image/contentType', /one of image\/png/, imageWith(mp4Base64, 'video/mp4')],
  ['/input/image/contentType', /required with base64/, inputWith({ image: { base64: pngBase64 } })],
  ['/input/image/contentType', /with base64 only/, inputWith({ image: { ...reference, contentType: 'image/png' } })],
  ['/input/image/index', /with generation only/, inputWith({ image: { upload: 'upl_1', index: 0 } })],
  ['/input/image/index', /at least 0/, inputWith({ image: { generation: 'gen_1', index: -1 } })],
  [
    '/input/image/base64',
    /at most 20 MB/,
    imageWith(Buffer.concat([png, Buffer.alloc(20 * 1024 * 1024)]).toString('base64')),
  ],
  ['/input/lastFrame/url', /an https URL/, inputWith({ lastFrame: { url: 'x' } })],
  ['/input/referenceImages/1/url', /an https URL/, inputWith({ referenceImages: [reference, { url: 'x' }] })],
  ['/input/referenceImages', /at most 16 entries/, inputWith({ referenceImages: Array(17).fill(reference) })],
  [
    '/input/video/contentType',
    /one of video\/mp4, video\/quicktime, video\/webm/,
    inputWith({ video: { base64: pngBase64, contentType: 'image/png' } }),
  ],
  ['/input/messages/0/role', /one of system, user/, inputWith({ messages: [{ role: 'robot', content: 'x' }] })],
  ['/input/messages/0/content', /required/, inputWith({ messages: [{ role: 'user' }] })],
  ['/routing/strategy', /one of balanced, cost, .* round_robin, /, routingWith({ strategy: 'cheapest' })],
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

test('accepts an input that leaves every field open', async () => {
  const open = { style: null, colors: [], lastFrame: null, referenceImages: [], video: null, voiceSettings: null };
  const body = { ...inputWith(open), analysis: 'auto', cache: 'auto', coalesce: 'auto' };
  expect((await api.call('POST /v1/generations', body)).status).toBe(202);
});

test('accepts a style and colours, written in small letters', async () => {
  const answer = await api.call('POST /v1/generations', inputWith({ style: 'noir', colors: ['#FF8800'] }));
  expect(answer).toMatchObject({ status: 202, body: { input: { style: 'noir', colors: ['#ff8800'] } } });
});
