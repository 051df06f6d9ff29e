import { catalogue } from '../../src/providers/catalogue';
import { tinyPng } from '../support/provider-calls';
import { startApi, type ApiServer } from './api-server';

let api: ApiServer;
beforeAll(async () => {
  api = await startApi({ configured: new Set(catalogue.map(({ provider }) => provider)) });
});
afterAll(() => api.close());

const image = { base64: tinyPng, contentType: 'image/png' };
const video = (model: string, input: object = {}, more: object = {}): object => ({
  medium: 'video',
  model,
  input: { prompt: 'a lighthouse', ...input },
  ...more,
});
const picture = (model: string, input: object = {}, more: object = {}): object => ({
  medium: 'image',
  model,
  input: { prompt: 'a lighthouse', ...input },
  ...more,
});
const speech = (model: string, input: object = {}): object => ({
  medium: 'speech',
  model,
  input: { prompt: 'hello', ...input },
});
const text = (model: string, input: object = {}): object => ({
  medium: 'text',
  model,
  input: { prompt: 'hello', ...input },
});

/** What is asked, the code, where it is wrong, and what the answer says is accepted. */
type Row = readonly [what: string, body: unknown, code: string, pointer: string | null, detail: RegExp];

const rows: readonly Row[] = [
  ['no JSON', '{"medium": ', 'caller_malformed', null, /not a JSON object/],
  ['no medium', { input: { prompt: 'x' } }, 'caller_invalid_request', '/medium', /video, image, speech, text/],
  ['an unknown medium', { medium: 'hologram' }, 'caller_invalid_request', '/medium', /video, image, speech, text/],
  [
    'an unknown field',
    video('fal/veo3.1', {}, { colour: 1 }),
    'caller_invalid_request',
    '/colour',
    /there are medium, model/,
  ],
  [
    'an unknown input field',
    video('fal/veo3.1', { fps: 24 }),
    'caller_invalid_request',
    '/input/fps',
    /there are .*durationSeconds/,
  ],
  ['no prompt', video('fal/veo3.1', { prompt: null }), 'caller_invalid_request', '/input/prompt', /required/],
  ['a model that is not', video('fal/veo9'), 'caller_invalid_request', '/model', /fal\/veo3\.1.*runway\/gen4\.5/],
  ['a model of another medium', picture('fal/veo3.1'), 'caller_invalid_request', '/model', /openai\/gpt-image-2/],
  [
    'a provider without that model',
    video('gen4.5', {}, { provider: 'fal' }),
    'caller_invalid_request',
    '/provider',
    /null or one of runway/,
  ],
  [
    'a provider that is not',
    video('auto', {}, { provider: 'acme' }),
    'caller_invalid_request',
    '/provider',
    /one of .*google.*elevenlabs/,
  ],
  [
    'a retired model',
    picture('openai/gpt-image-1'),
    'caller_model_retired',
    '/model',
    /2026-10-23; use openai\/gpt-image/,
  ],
  [
    'a duration it does not make',
    video('fal/veo3.1', { durationSeconds: 7 }),
    'caller_invalid_request',
    '/input/durationSeconds',
    /one of 8, 6, 4 \(model fal\/veo3\.1\)/,
  ],
  [
    'a shape it does not make from text',
    video('runway/gen4.5', { aspectRatio: '1:1' }),
    'caller_invalid_request',
    '/input/aspectRatio',
    /one of 16:9, 9:16 \(model runway\/gen4\.5\)/,
  ],
  [
    'a resolution it does not make',
    video('runway/gen4.5', { resolution: '4k' }),
    'caller_invalid_request',
    '/input/resolution',
    /one of 720p/,
  ],
  [
    'sound from a silent model',
    video('runway/gen4.5', { audio: true }),
    'caller_invalid_request',
    '/input/audio',
    /false/,
  ],
  [
    'no image for a model that starts from one',
    video('runway/gen4_turbo'),
    'caller_invalid_request',
    '/input/image',
    /starts from an image/,
  ],
  [
    'a last frame without a first',
    video('runway/veo3.1', { lastFrame: image }),
    'caller_invalid_request',
    '/input/lastFrame',
    /image, the first frame/,
  ],
  [
    'an image by two names',
    video('fal/veo3.1', { image: { ...image, url: 'https://example.com/a.png' } }),
    'caller_invalid_request',
    '/input/image',
    /exactly one of/,
  ],
  [
    'an image on our own network',
    video('fal/veo3.1', { image: { url: 'https://169.254.169.254/latest' } }),
    'caller_invalid_request',
    '/input/image/url',
    /public address/,
  ],
  [
    'an image that is none',
    video('fal/veo3.1', { image: { base64: 'aGVsbG8gd29ybGQ=', contentType: 'image/png' } }),
    'caller_invalid_request',
    '/input/image/base64',
    /bytes of image\/png/,
  ],
  [
    'a size off the grid',
    picture('openai/gpt-image-2', { size: '1000x1001' }),
    'caller_invalid_request',
    '/input/size',
    /multiples of 16/,
  ],
  [
    'more images than it makes',
    picture('fal/flux/dev', { count: 9 }),
    'caller_invalid_request',
    '/input/count',
    /from 1 to 4/,
  ],
  [
    'a style that is not',
    picture('fal/flux/dev', { style: 'cubist' }),
    'caller_invalid_request',
    '/input/style',
    /cinematic, anime, photorealistic/,
  ],
  [
    'a colour that is none',
    picture('fal/flux/dev', { colors: ['red'] }),
    'caller_invalid_request',
    '/input/colors/0',
    /such as #ff8800/,
  ],
  [
    'a voice too fast',
    speech('elevenlabs/eleven_multilingual_v2', { voiceSettings: { speed: 9 } }),
    'caller_invalid_request',
    '/input/voiceSettings/speed',
    /from 0\.\d+ to 1\.\d+/,
  ],
  [
    'a sound effect from a voice',
    speech('elevenlabs/eleven_v3', { task: 'sound_effect' }),
    'caller_invalid_request',
    '/input/task',
    /null or speech/,
  ],
  [
    'a temperature where there is none',
    text('anthropic/claude-sonnet-5-5', { temperature: 0.5 }),
    'caller_invalid_request',
    '/input/temperature',
    /not a parameter of this model/,
  ],
  [
    'more tokens than it writes',
    text('openai/gpt-4o', { maxTokens: 1_000_000 }),
    'caller_invalid_request',
    '/input/maxTokens',
    /from 1 to 16384/,
  ],
  [
    'a price below the cheapest',
    video('auto', {}, { routing: { maxCostUsd: '0.0001' } }),
    'caller_invalid_request',
    '/routing/maxCostUsd',
    /at least 0\.\d+/,
  ],
  [
    'a denied name that is not',
    video('auto', {}, { routing: { deny: ['veo9'] } }),
    'caller_invalid_request',
    '/routing/deny/0',
    /not a model, family or provider/,
  ],
];

test.each(rows)('refuses %s, and says what is accepted', async (_what, body, code, pointer, detail) => {
  const answer = await api.call('POST /v1/generations', body, { 'Content-Type': 'application/json' });
  expect(answer.body.code).toBe(code);
  if (pointer === null) expect(answer.body.detail).toMatch(detail);
  else expect(answer.body.errors).toContainEqual({ pointer, detail: expect.stringMatching(detail) });
  expect(answer.status).toBe(code === 'caller_malformed' ? 400 : 422);
});

test('keeps nothing of what it refused', async () => {
  expect(await api.database.generation.count()).toBe(0);
  expect(api.started).toEqual([]);
});
