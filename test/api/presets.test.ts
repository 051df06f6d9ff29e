import type { Model } from '../../src/domain/model';
import { makeModel } from '../support/generation-data';
import { now, startApi, withKey, type ApiServer } from './api-server';

const dated = { source: 'made up', readOn: '2026-11-21' };
const text = { from: ['text'], promptCharacters: 100 } as const;

const rows: readonly Model[] = [
  makeModel({
    capabilities: {
      from: ['text', 'image'],
      promptCharacters: 100,
      durationsSeconds: [8, 4, 6],
      aspectRatios: ['16:9', '1:1'],
      resolutions: ['720p', '1080p'],
      audio: 'optional',
    },
    price: {
      ...dated,
      per: 'second',
      rates: [{ when: { resolution: '720p', audio: true }, usd: '0.4' }, { usd: '0.9' }],
    },
    qualityTier: 3,
    typicalSeconds: 90,
  }),
  makeModel({
    id: 'acme/deep/still',
    medium: 'image',
    capabilities: { ...text, sizes: ['1024x1024', '512x512'], count: { minimum: 1, maximum: 4, step: 1 } },
    price: { ...dated, per: 'image', rates: [{ when: { size: '1024x1024' }, usd: '0.05' }, { usd: '0.01' }] },
    qualityTier: 1,
  }),
  makeModel({
    id: 'acme/any',
    medium: 'image',
    capabilities: { ...text, sizes: { anyMultipleOf: 16, maximum: '3840x2160', default: '1024x1024' } },
    price: null,
  }),
  makeModel({
    id: 'acme/edit',
    medium: 'video',
    capabilities: {
      from: ['video'],
      promptCharacters: 100,
      durationsSeconds: { minimum: 1, maximum: 10, default: 5 },
      audio: 'always',
    },
  }),
  makeModel({
    id: 'acme/voice',
    medium: 'speech',
    capabilities: { ...text },
    price: { ...dated, per: 'thousandCharacters', rates: [{ usd: '1' }] },
  }),
  makeModel({ id: 'acme/off', enabled: false, capabilities: { ...text, audio: 'never' } }),
  makeModel({ id: 'acme/gone', lifecycle: { retiredOn: '2026-11-21' } }),
  makeModel({ id: 'acme/going', lifecycle: { deprecatedOn: '2026-01-01', retiredOn: '2026-11-22' } }),
  makeModel({ id: 'brick/clip', provider: 'brick' }),
];

let api: ApiServer;

beforeAll(async () => {
  api = await startApi({ catalogue: rows, configured: new Set(['acme']), clock: () => now });
});

afterAll(() => api.close());

type Preset = { id: string; isAvailable: boolean };

const list = async (query = ''): Promise<{ success: boolean; models: Preset[]; totalAvailable: number }> => {
  const { status, body } = await api.call(`GET /api/models${query}`);
  expect(status).toBe(200);
  return body as unknown as { success: boolean; models: Preset[]; totalAvailable: number };
};

const presetOf = async (id: string): Promise<Preset | undefined> =>
  (await list()).models.find((model) => model.id === id);

test('lists what providers with a key have, and counts what can be used of it', async () => {
  const { success, models, totalAvailable } = await list();
  expect(success).toBe(true);
  expect(models.map(({ id }) => id)).toEqual(rows.slice(0, -1).map(({ id }) => id));
  expect(models.filter(({ isAvailable }) => !isAvailable).map(({ id }) => id)).toEqual(['acme/off', 'acme/gone']);
  expect(totalAvailable).toBe(models.length - 2);
});

test('describes a video with what a second of it costs as it comes', async () => {
  expect(await presetOf('acme/clip')).toEqual({
    id: 'acme/clip',
    name: 'clip',
    provider: 'acme',
    description: 'video from text or an image; 4 to 8 s; 720p, 1080p',
    medium: 'video',
    estimatedTime: 90,
    costPerSecond: '0.4',
    isAvailable: true,
    supportedSizes: [],
    durations: [4, 6, 8],
    aspectRatios: ['16:9', '1:1'],
    audio: true,
    tier: 'premium',
  });
});

test('describes an image with what one costs as it comes', async () => {
  expect(await presetOf('acme/deep/still')).toMatchObject({
    name: 'deep/still',
    description: 'image from text',
    costPerImage: '0.05',
    supportedSizes: ['1024x1024', '512x512'],
    durations: [],
    audio: false,
    tier: 'draft',
  });
});

test.each([
  ['acme/any', { supportedSizes: ['1024x1024', '3840x2160'], tier: 'standard' }],
  ['acme/edit', { description: 'video from a video; 1 to 10 s', durations: [1, 10], audio: true }],
  ['acme/off', { audio: false, durations: [] }],
  ['acme/going', { isAvailable: true }],
])('%s is %j', async (id, expected) => {
  expect(await presetOf(id)).toMatchObject(expected);
});

test.each(['acme/any', 'acme/voice', 'acme/off'])('names no cost of %s by the image or the second', async (id) => {
  const preset = await presetOf(id);
  expect(preset).toBeDefined();
  expect(preset).not.toHaveProperty('costPerImage');
  expect(preset).not.toHaveProperty('costPerSecond');
});

test('narrows to a medium, the count too', async () => {
  const { models, totalAvailable } = await list('?medium=video');
  expect(models.map(({ id }) => id)).toEqual(['acme/clip', 'acme/edit', 'acme/off', 'acme/gone', 'acme/going']);
  expect(totalAvailable).toBe(3);
  expect(await list('?medium=text')).toEqual({ success: true, models: [], totalAvailable: 0 });
});

test.each([
  ['?medium=smell', 400, 'caller_malformed'],
  ['?colour=red', 400, 'caller_malformed'],
])('refuses %s, and says that it did not succeed', async (query, status, code) => {
  const answer = await api.call(`GET /api/models${query}`);
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  expect(answer).toMatchObject({ status, body: { success: false, code, status } });
});

test('takes a key with the scope read, and says to others that it did not succeed', async () => {
  const callWith = (headers: Record<string, string>) => api.call('GET /api/models', undefined, headers);
  expect(await callWith({ Authorization: '' })).toMatchObject({
    status: 401,
    body: { success: false, code: 'caller_unauthenticated' },
  });
  expect(await callWith(withKey(await api.addKey({ scopes: ['submit'] })))).toMatchObject({
    status: 403,
    body: { success: false, code: 'caller_forbidden' },
  });
  expect((await callWith(withKey(await api.addKey({ scopes: ['read'] })))).status).toBe(200);
});

test('what is not there or not a method did not succeed either, and only under /api says so', async () => {
  expect(await api.call('GET /api/nothing')).toMatchObject({ status: 404, body: { success: false } });
  expect(await api.call('POST /api/models', {})).toMatchObject({ status: 405, body: { success: false } });
  const { body } = await api.call('GET /v1/nothing');
  expect(body).not.toHaveProperty('success');
});
