import type { Model } from '../../domain/model';

const readOn = '2026-11-21';
const seed = { minimum: 0, maximum: 2_147_483_647, step: 1 };

/** fal documents no limit for these; the number only keeps an oversized body from being sent. */
const promptCharacters = 20_000;

/** fal's named image sizes in pixels, its default (`landscape_4_3`) first. */
const sizes = ['1024x768', '1024x1024', '512x512', '768x1024', '576x1024', '1024x576'] as const;

const image = { provider: 'fal', medium: 'image', lifecycle: {}, maximumSeconds: 600, automatic: true } as const;

export const models: readonly Model[] = [
  {
    id: 'fal/veo3.1',
    provider: 'fal',
    providerModel: 'fal-ai/veo3.1',
    family: 'veo-3.1',
    medium: 'video',
    capabilities: {
      from: ['text', 'image'],
      promptCharacters,
      durationsSeconds: [8, 6, 4],
      aspectRatios: ['16:9', '9:16'],
      resolutions: ['720p', '1080p', '4k'],
      audio: 'optional',
      seed,
      negativePrompt: true,
    },
    price: {
      source: 'https://fal.ai/models/fal-ai/veo3.1/llms.txt',
      readOn,
      per: 'second',
      rates: [
        { when: { resolution: '4k', audio: false }, usd: '0.40' },
        { when: { resolution: '4k' }, usd: '0.60' },
        { when: { audio: false }, usd: '0.20' },
        { usd: '0.40' },
      ],
    },
    lifecycle: {},
    qualityTier: 3,
    typicalSeconds: 90,
    maximumSeconds: 1_800,
    automatic: true,
  },
  {
    ...image,
    id: 'fal/flux/dev',
    providerModel: 'fal-ai/flux/dev',
    family: 'flux-dev',
    capabilities: {
      from: ['text'],
      promptCharacters,
      sizes,
      images: { minimum: 1, maximum: 4, step: 1 },
      formats: ['jpeg', 'png'],
      seed,
    },
    price: { source: 'litellm 1.109.1, per megapixel', readOn, per: 'megapixel', rates: [{ usd: '0.025' }] },
    qualityTier: 2,
    typicalSeconds: 6,
  },
  {
    ...image,
    id: 'fal/fast-sdxl',
    providerModel: 'fal-ai/fast-sdxl',
    family: 'sdxl',
    capabilities: {
      from: ['text'],
      promptCharacters,
      sizes,
      images: { minimum: 1, maximum: 8, step: 1 },
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
