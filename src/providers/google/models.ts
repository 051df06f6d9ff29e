import type { Capabilities, Model, Rate } from '../../domain/model';

const readOn = '2026-11-21';
const megabyte = 1024 * 1024;

/** Which method of the API speaks a model. */
export type Api = 'veo' | 'content' | 'interactions';

type Row = Pick<Model, 'providerModel' | 'qualityTier' | 'typicalSeconds'> & { capabilities?: Partial<Capabilities> };

const google = (name: string) => ({ id: `google/${name}`, provider: 'google', providerModel: name, automatic: true });

const omni = 'google/gemini-omni-1.1-flash';
/** Google's deprecations page names Omni for Veo 3.1; for the older ones it named Veo 3.1, which has gone too. */
const retiredInJune = { retiredOn: '2026-06-30', successor: omni };
const retiredInOctober = { retiredOn: '2026-10-22', successor: omni };

/** A request of at most 100 MB holds all of them, in base64. */
const photos = { types: ['image/png', 'image/jpeg', 'image/webp'], maximumBytes: 7 * megabyte };

type VeoRow = Row & { family: string; rates: readonly Rate[]; lifecycle: Model['lifecycle'] };

const veo = ({ providerModel, capabilities, rates, ...row }: VeoRow): Model => ({
  ...row,
  ...google(providerModel),
  medium: 'video',
  api: 'veo' satisfies Api,
  capabilities: {
    from: ['text', 'image'],
    // 1,024 tokens
    promptCharacters: 4_000,
    imageFiles: { types: ['image/png', 'image/jpeg'], maximumBytes: 20 * megabyte },
    durationsSeconds: [8, 4, 6],
    aspectRatios: ['16:9', '9:16'],
    audio: 'always',
    negativePrompt: true,
    ...capabilities,
  },
  price: { source: 'litellm 1.109.1, Portkey-AI/models f654307e', readOn, per: 'second', rates },
  maximumSeconds: 1_800,
});

const eightAt1080p = { when: { resolution: '1080p' }, durationsSeconds: [8] } as const;
const upTo1080p = { resolutions: ['720p', '1080p'], durationsWhen: [eightAt1080p] } as const;

/** "Must be 8 when using reference images or with 1080p and 4k", and by an earlier edition with a last frame. */
const veo31: Partial<Capabilities> = {
  referencesExcludeImage: true,
  lastFrame: true,
  referenceImages: { minimum: 0, maximum: 3, step: 1 },
  resolutions: ['720p', '1080p', '4k'],
  durationsWhen: [
    eightAt1080p,
    { when: { resolution: '4k' }, durationsSeconds: [8] },
    { when: { references: true }, durationsSeconds: [8] },
  ],
};

const veoModels: readonly Model[] = [
  veo({
    providerModel: 'veo-2.0-generate-001',
    family: 'veo-2.0',
    capabilities: { durationsSeconds: [8, 5, 6], audio: 'never' },
    rates: [{ usd: '0.35' }],
    lifecycle: retiredInJune,
    qualityTier: 1,
    typicalSeconds: 45,
  }),
  veo({
    providerModel: 'veo-3.0-generate-001',
    family: 'veo-3.0',
    capabilities: upTo1080p,
    rates: [{ usd: '0.40' }],
    lifecycle: retiredInJune,
    qualityTier: 3,
    typicalSeconds: 60,
  }),
  veo({
    providerModel: 'veo-3.0-fast-generate-001',
    family: 'veo-3.0-fast',
    capabilities: upTo1080p,
    rates: [{ usd: '0.15' }],
    lifecycle: retiredInJune,
    qualityTier: 2,
    typicalSeconds: 45,
  }),
  veo({
    providerModel: 'veo-3.1-generate-preview',
    family: 'veo-3.1',
    capabilities: veo31,
    rates: [{ when: { resolution: '4k' }, usd: '0.60' }, { usd: '0.40' }],
    lifecycle: retiredInOctober,
    qualityTier: 3,
    typicalSeconds: 60,
  }),
  veo({
    providerModel: 'veo-3.1-fast-generate-preview',
    family: 'veo-3.1-fast',
    capabilities: veo31,
    rates: [
      { when: { resolution: '4k' }, usd: '0.30' },
      { when: { resolution: '1080p' }, usd: '0.12' },
      { usd: '0.10' },
    ],
    lifecycle: retiredInOctober,
    qualityTier: 2,
    typicalSeconds: 40,
  }),
  veo({
    providerModel: 'veo-3.1-lite-generate-preview',
    family: 'veo-3.1-lite',
    capabilities: upTo1080p,
    rates: [{ when: { resolution: '1080p' }, usd: '0.08' }, { usd: '0.05' }],
    lifecycle: retiredInOctober,
    qualityTier: 1,
    typicalSeconds: 30,
  }),
];

/** Charged by token: 17.50 USD a million of video, 5,792 of them a second at 720p, and 1.50 a million of input. */
const omniFlash: Model = {
  ...google('gemini-omni-1.1-flash'),
  family: 'gemini-omni-1.1-flash',
  medium: 'video',
  api: 'interactions' satisfies Api,
  capabilities: {
    from: ['text', 'image'],
    promptCharacters: 100_000,
    imageFiles: photos,
    referenceImages: { minimum: 0, maximum: 5, step: 1 },
    durationsSeconds: { minimum: 3, maximum: 10, step: 1, default: 8 },
    aspectRatios: ['16:9', '9:16'],
    resolutions: ['720p', '360p', '1080p', '4k'],
    audio: 'always',
  },
  price: {
    source: 'litellm 1.109.1, and by resolution wavespeed.ai of 2026-08-28: approximate, charged by token',
    readOn,
    metered: { input: '1.5', output: '17.5' },
    per: 'second',
    rates: [
      { when: { resolution: '360p' }, usd: '0.03' },
      { when: { resolution: '1080p' }, usd: '0.15' },
      { when: { resolution: '4k' }, usd: '0.30' },
      // 5,792 tokens a second, and what is read
      { usd: '0.105' },
    ],
  },
  lifecycle: {},
  qualityTier: 2,
  typicalSeconds: 45,
  maximumSeconds: 1_800,
};

type TextRow = Row & { input: string; output: string; source?: string };

const text = ({ providerModel, input, output, source = 'litellm 1.109.1', ...row }: TextRow): Model => ({
  ...row,
  ...google(providerModel),
  family: providerModel,
  medium: 'text',
  api: 'content' satisfies Api,
  capabilities: {
    from: ['text', 'image', 'video'],
    promptCharacters: 1_000_000,
    imageFiles: { ...photos, types: [...photos.types, 'image/heic', 'image/heif'], maximumBytes: 20 * megabyte },
    videoFiles: { types: ['video/mp4', 'video/webm', 'video/quicktime', 'video/mpeg'], maximumBytes: 50 * megabyte },
    // what it thinks counts as written
    maxTokens: { minimum: 1, maximum: 65_536, step: 1, default: 16_384 },
    temperature: { minimum: 0, maximum: 2 },
    seed: { minimum: 0, maximum: 2_147_483_647, step: 1 },
    jsonSchema: true,
    messages: true,
  },
  price: { source, readOn, per: 'millionTokens', input, output },
  lifecycle: {},
  synchronous: true,
  maximumSeconds: 600,
});

const textModels: readonly Model[] = [
  text({ providerModel: 'gemini-2.5-flash', input: '0.30', output: '2.50', qualityTier: 1, typicalSeconds: 5 }),
  text({
    providerModel: 'gemini-3.8-flash',
    input: '0.75',
    output: '3.75',
    source: 'litellm 1.109.1, through 2026-12-31',
    qualityTier: 2,
    typicalSeconds: 6,
  }),
  text({ providerModel: 'gemini-2.5-pro', input: '1.25', output: '10', qualityTier: 3, typicalSeconds: 15 }),
];

/** `auto`: the shape of the image it starts from, else a square. */
const shapes = ['auto', '1:1', '2:3', '3:2', '3:4', '4:3', '4:5', '5:4', '9:16', '16:9', '21:9'];

type ImageRow = Row & { rates: readonly Rate[]; source: string; mostReferences: number };

const image = ({ providerModel, rates, source, mostReferences, capabilities, ...row }: ImageRow): Model => ({
  ...row,
  ...google(providerModel),
  family: providerModel,
  medium: 'image',
  api: 'content' satisfies Api,
  capabilities: {
    from: ['text', 'image'],
    promptCharacters: 100_000,
    imageFiles: photos,
    referenceImages: { minimum: 0, maximum: mostReferences, step: 1 },
    aspectRatios: shapes,
    ...capabilities,
  },
  price: { source, readOn, per: 'image', rates },
  lifecycle: {},
  synchronous: true,
  maximumSeconds: 600,
});

const imageModels: readonly Model[] = [
  image({
    providerModel: 'gemini-2.5-flash-image',
    rates: [{ usd: '0.039' }],
    source: 'litellm 1.109.1: approximate sum an image, charged by token',
    mostReferences: 3,
    qualityTier: 1,
    typicalSeconds: 10,
  }),
  image({
    providerModel: 'gemini-3.1-flash-image',
    capabilities: {
      aspectRatios: [...shapes, '1:4', '4:1', '1:8', '8:1'],
      resolutions: ['1K', '512', '2K', '4K'],
    },
    rates: [
      { when: { resolution: '512' }, usd: '0.045' },
      { when: { resolution: '2K' }, usd: '0.101' },
      { when: { resolution: '4K' }, usd: '0.151' },
      { usd: '0.067' },
    ],
    source: 'litellm 1.109.1 (its 0.045 is the size 512) and the list of sizes: approximate, charged by token',
    mostReferences: 14,
    qualityTier: 2,
    typicalSeconds: 12,
  }),
  image({
    providerModel: 'gemini-3-pro-image',
    capabilities: { resolutions: ['1K', '2K', '4K'] },
    rates: [{ when: { resolution: '4K' }, usd: '0.24' }, { usd: '0.134' }],
    source: 'litellm 1.109.1 and the list of sizes: approximate, charged by token',
    mostReferences: 14,
    qualityTier: 3,
    typicalSeconds: 20,
  }),
];

export const models: readonly Model[] = [...veoModels, omniFlash, ...textModels, ...imageModels];
