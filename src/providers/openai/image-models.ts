import type { Capabilities, Lifecycle, Model, Rate } from '../../domain/model';

const readOn = '2026-11-21';

export const drawings = { types: ['image/png', 'image/jpeg', 'image/webp'], maximumBytes: 25_000_000 };

/**
 * OpenAI charges images by token (`metered`). Beforehand there are the usual sums of a 1024x1024; a larger one costs by
 * its pixels, so the two documented larger sizes are taken half as dear again where no sum is published, and any other
 * as dear as the largest. What the model reads (the prompt, images to edit) comes on top.
 */
const imageRates = (sums: Record<string, [square: string, oblong: string, largest: string]>): Rate[] =>
  Object.entries(sums).flatMap(([quality, [square, oblong, largest]]) => [
    { when: { quality, size: '1024x1024' }, usd: square },
    { when: { quality, size: '1536x1024' }, usd: oblong },
    { when: { quality, size: '1024x1536' }, usd: oblong },
    { when: { quality }, usd: largest },
  ]);

const approximate = 'litellm 1.109.1, Portkey-AI/models f654307e: approximate sums an image, charged by token';

const image = {
  provider: 'openai',
  api: 'images',
  medium: 'image',
  lifecycle: {},
  synchronous: true,
  maximumSeconds: 600,
  automatic: true,
} as const;

const imageParameters = {
  from: ['text', 'image'],
  promptCharacters: 32_000,
  imageFiles: drawings,
  // Sixteen images in all, the one to edit among them.
  referenceImages: { minimum: 0, maximum: 15, step: 1 },
  qualities: ['medium', 'low', 'high'],
  count: { minimum: 1, maximum: 10, step: 1 },
  formats: ['png', 'jpeg', 'webp'],
} as const satisfies Capabilities;

const threeSizes = ['1024x1024', '1536x1024', '1024x1536'] as const;

/** @see https://developers.openai.com/api/docs/deprecations (2026-11-21) */
const lastOfFirst: Lifecycle = { deprecatedOn: '2026-06-02', retiredOn: '2026-12-01', successor: 'openai/gpt-image-2' };

const gptImages: readonly Model[] = [
  {
    ...image,
    id: 'openai/gpt-image-2',
    providerModel: 'gpt-image-2',
    family: 'gpt-image-2',
    capabilities: {
      ...imageParameters,
      sizes: { anyMultipleOf: 16, maximum: '3840x2160', default: '1024x1024' },
    },
    price: {
      source: approximate,
      readOn,
      per: 'image',
      metered: { input: '5', output: '30', imageInput: '8' },
      rates: imageRates({
        low: ['0.006', '0.009', '0.048'],
        medium: ['0.053', '0.08', '0.42'],
        high: ['0.211', '0.317', '1.67'],
      }),
    },
    qualityTier: 3,
    typicalSeconds: 40,
  },
  {
    ...image,
    id: 'openai/gpt-image-1-mini',
    providerModel: 'gpt-image-1-mini',
    family: 'gpt-image-1-mini',
    capabilities: { ...imageParameters, sizes: threeSizes },
    price: {
      source: `${approximate}; high from third parties`,
      readOn,
      per: 'image',
      metered: { input: '2', output: '8', imageInput: '2.5' },
      rates: imageRates({
        low: ['0.005', '0.0075', '0.0075'],
        medium: ['0.011', '0.0165', '0.0165'],
        high: ['0.036', '0.054', '0.054'],
      }),
    },
    lifecycle: lastOfFirst,
    qualityTier: 2,
    typicalSeconds: 20,
  },
  {
    ...image,
    id: 'openai/gpt-image-1.5',
    providerModel: 'gpt-image-1.5',
    family: 'gpt-image-1.5',
    capabilities: { ...imageParameters, sizes: threeSizes },
    price: {
      source: `${approximate}; larger sizes from third parties`,
      readOn,
      per: 'image',
      metered: { input: '5', output: '32', imageInput: '8' },
      rates: imageRates({
        low: ['0.009', '0.013', '0.013'],
        medium: ['0.034', '0.05', '0.05'],
        high: ['0.133', '0.2', '0.2'],
      }),
    },
    lifecycle: lastOfFirst,
    qualityTier: 3,
    typicalSeconds: 30,
  },
  {
    ...image,
    id: 'openai/gpt-image-1',
    providerModel: 'gpt-image-1',
    family: 'gpt-image-1',
    capabilities: { ...imageParameters, sizes: threeSizes },
    price: {
      source: approximate,
      readOn,
      per: 'image',
      metered: { input: '5', output: '40', imageInput: '10' },
      rates: imageRates({
        low: ['0.011', '0.016', '0.016'],
        medium: ['0.042', '0.063', '0.063'],
        high: ['0.167', '0.25', '0.25'],
      }),
    },
    lifecycle: { retiredOn: '2026-10-23', successor: 'openai/gpt-image-2' },
    qualityTier: 2,
    typicalSeconds: 40,
  },
];

const lastDalle: Lifecycle = { deprecatedOn: '2025-11-14', retiredOn: '2026-05-12', successor: 'openai/gpt-image-2' };

const dalles: readonly Model[] = [
  {
    ...image,
    id: 'openai/dall-e-3',
    providerModel: 'dall-e-3',
    family: 'dall-e-3',
    capabilities: {
      from: ['text'],
      promptCharacters: 4_000,
      sizes: ['1024x1024', '1792x1024', '1024x1792'],
      qualities: ['standard', 'hd'],
    },
    price: {
      source: 'Portkey-AI/models f654307e',
      readOn,
      per: 'image',
      rates: [
        { when: { quality: 'hd', size: '1024x1024' }, usd: '0.08' },
        { when: { quality: 'hd' }, usd: '0.12' },
        { when: { size: '1024x1024' }, usd: '0.04' },
        { usd: '0.08' },
      ],
    },
    lifecycle: lastDalle,
    qualityTier: 2,
    typicalSeconds: 20,
  },
  {
    ...image,
    id: 'openai/dall-e-2',
    providerModel: 'dall-e-2',
    family: 'dall-e-2',
    capabilities: {
      from: ['text'],
      promptCharacters: 1_000,
      sizes: ['1024x1024', '512x512', '256x256'],
      count: { minimum: 1, maximum: 10, step: 1 },
    },
    price: {
      source: 'Portkey-AI/models f654307e',
      readOn,
      per: 'image',
      rates: [
        { when: { size: '256x256' }, usd: '0.016' },
        { when: { size: '512x512' }, usd: '0.018' },
        { usd: '0.020' },
      ],
    },
    lifecycle: lastDalle,
    qualityTier: 1,
    typicalSeconds: 15,
  },
];

export const images: readonly Model[] = [...gptImages, ...dalles];
