import type { Capabilities, Model, Price, Rate } from '../../domain/model';

const readOn = '2026-11-21';
const seed = { minimum: 0, maximum: 2_147_483_647, step: 1 };

/** fal documents no limit for these; the number only keeps an oversized body from being sent. */
const promptCharacters = 20_000;

/** Documented of Veo; taken for the others too, which tell nothing. */
const imageFiles = { types: ['image/png', 'image/jpeg', 'image/webp'], maximumBytes: 8_000_000 };

/** fal's named image sizes in pixels, its default (`landscape_4_3`) first. */
const sizes = ['1024x768', '1024x1024', '512x512', '768x1024', '576x1024', '1024x576'] as const;

/** `api` is the form of a model's input, as wire.ts knows them. */
const video = {
  provider: 'fal',
  medium: 'video',
  api: 'veo',
  lifecycle: {},
  maximumSeconds: 1_800,
  automatic: true,
} as const;
const image = { provider: 'fal', medium: 'image', lifecycle: {}, maximumSeconds: 600, automatic: true } as const;

const veo = {
  from: ['text', 'image'],
  promptCharacters,
  imageFiles,
  lastFrame: true,
  durationsSeconds: [8, 6, 4],
  aspectRatios: ['16:9', '9:16'],
  resolutions: ['720p', '1080p', '4k'],
  audio: 'optional',
  seed,
  negativePrompt: true,
} as const satisfies Capabilities;

const perSecond = (page: string, [silent, sounding, silent4k, sounding4k]: [string, string, string, string]): Price => {
  const rates: Rate[] = [
    { when: { resolution: '4k', audio: false }, usd: silent4k },
    { when: { resolution: '4k' }, usd: sounding4k },
    { when: { audio: false }, usd: silent },
    { usd: sounding },
  ];
  return { source: `https://fal.ai/models/${page}/llms.txt`, readOn, per: 'second', rates };
};

const videos: readonly Model[] = [
  {
    ...video,
    id: 'fal/veo3.1',
    providerModel: 'fal-ai/veo3.1',
    family: 'veo-3.1',
    capabilities: veo,
    price: perSecond('fal-ai/veo3.1', ['0.20', '0.40', '0.40', '0.60']),
    qualityTier: 3,
    typicalSeconds: 90,
  },
  {
    ...video,
    id: 'fal/veo3.1/fast',
    providerModel: 'fal-ai/veo3.1/fast',
    family: 'veo-3.1-fast',
    capabilities: veo,
    price: perSecond('fal-ai/veo3.1/fast/first-last-frame-to-video', ['0.10', '0.15', '0.30', '0.35']),
    qualityTier: 2,
    typicalSeconds: 60,
  },
  {
    // An endpoint of its own with fewer parameters: one length, no seed, no negative prompt.
    ...video,
    id: 'fal/veo3.1/reference-to-video',
    providerModel: 'fal-ai/veo3.1/reference-to-video',
    api: 'veo-references',
    family: 'veo-3.1',
    capabilities: {
      from: ['text'],
      promptCharacters,
      imageFiles,
      referenceImages: { minimum: 1, maximum: 3, step: 1 },
      durationsSeconds: [8],
      aspectRatios: ['16:9', '9:16'],
      resolutions: ['720p', '1080p', '4k'],
      audio: 'optional',
    },
    price: perSecond('fal-ai/veo3.1/reference-to-video', ['0.20', '0.40', '0.40', '0.60']),
    qualityTier: 3,
    typicalSeconds: 90,
  },
];

const flux = {
  from: ['text'],
  promptCharacters,
  sizes,
  count: { minimum: 1, maximum: 4, step: 1 },
  formats: ['jpeg', 'png'],
  seed,
} as const satisfies Capabilities;

const perMegapixel = (usd: string): Price => ({
  source: 'litellm 1.109.1, per megapixel',
  readOn,
  per: 'megapixel',
  rates: [{ usd }],
});

const images: readonly Model[] = [
  {
    ...image,
    id: 'fal/flux/dev',
    providerModel: 'fal-ai/flux/dev',
    api: 'flux',
    family: 'flux-dev',
    capabilities: flux,
    price: perMegapixel('0.025'),
    qualityTier: 2,
    typicalSeconds: 6,
  },
  {
    ...image,
    id: 'fal/flux/dev/image-to-image',
    providerModel: 'fal-ai/flux/dev/image-to-image',
    api: 'flux',
    family: 'flux-dev',
    capabilities: {
      from: ['image'],
      promptCharacters,
      imageFiles,
      count: { minimum: 1, maximum: 4, step: 1 },
      formats: ['jpeg', 'png'],
      seed,
    },
    price: {
      source: 'approximate: as fal-ai/flux/dev, per megapixel of the given image, one of two megapixels assumed',
      readOn,
      per: 'image',
      rates: [{ usd: '0.05' }],
    },
    qualityTier: 2,
    typicalSeconds: 6,
  },
  {
    ...image,
    id: 'fal/flux/schnell',
    providerModel: 'fal-ai/flux/schnell',
    api: 'flux',
    family: 'flux-schnell',
    capabilities: flux,
    price: perMegapixel('0.003'),
    qualityTier: 1,
    typicalSeconds: 3,
  },
  {
    ...image,
    id: 'fal/flux-pro/v1.1',
    providerModel: 'fal-ai/flux-pro/v1.1',
    api: 'flux',
    family: 'flux-pro-1.1',
    capabilities: flux,
    price: perMegapixel('0.04'),
    qualityTier: 3,
    typicalSeconds: 8,
  },
  {
    ...image,
    id: 'fal/flux-pro/v1.1-ultra',
    providerModel: 'fal-ai/flux-pro/v1.1-ultra',
    api: 'flux',
    family: 'flux-pro-1.1-ultra',
    capabilities: {
      from: ['text', 'image'],
      promptCharacters,
      imageFiles,
      aspectRatios: ['16:9', '21:9', '4:3', '3:2', '1:1', '2:3', '3:4', '9:16', '9:21'],
      count: { minimum: 1, maximum: 4, step: 1 },
      formats: ['jpeg', 'png'],
      seed,
    },
    price: { source: 'litellm 1.109.1', readOn, per: 'image', rates: [{ usd: '0.06' }] },
    qualityTier: 3,
    typicalSeconds: 12,
  },
  {
    ...image,
    id: 'fal/fast-sdxl',
    providerModel: 'fal-ai/fast-sdxl',
    api: 'sdxl',
    family: 'sdxl',
    capabilities: {
      from: ['text'],
      promptCharacters,
      sizes,
      count: { minimum: 1, maximum: 8, step: 1 },
      formats: ['jpeg', 'png'],
      seed,
      negativePrompt: true,
    },
    price: {
      source: 'https://fal.ai/docs/examples/image-generation/fast-sdxl.md: about this much, charged by computing time',
      readOn,
      per: 'image',
      rates: [{ usd: '0.0025' }],
    },
    qualityTier: 1,
    typicalSeconds: 4,
  },
];

export const models: readonly Model[] = [...videos, ...images];
