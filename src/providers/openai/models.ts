import type { Capabilities, Model, Rate } from '../../domain/model';

const readOn = '2026-11-21';

type ChatRow = {
  name: string;
  input: string;
  output: string;
  promptCharacters: number;
  maxTokens: number;
  qualityTier: Model['qualityTier'];
  typicalSeconds: number;
  capabilities?: Partial<Capabilities>;
};

const chat = ({ name, input, output, promptCharacters, maxTokens, capabilities, ...row }: ChatRow): Model => ({
  ...row,
  id: `openai/${name}`,
  provider: 'openai',
  providerModel: name,
  family: name,
  medium: 'text',
  capabilities: {
    from: ['text', 'image'],
    promptCharacters,
    maxTokens: { minimum: 1, maximum: maxTokens, step: 1 },
    jsonSchema: true,
    messages: true,
    ...capabilities,
  },
  price: { source: 'litellm 1.109.1', readOn, per: 'millionTokens', input, output },
  lifecycle: {},
  maximumSeconds: 600,
  automatic: true,
});

const temperature = { minimum: 0, maximum: 2 };

/**
 * OpenAI charges images by token. These are the usual sums of a 1024x1024; a larger one costs by its pixels, so the
 * two documented larger sizes are taken half as dear again and any other as dear as the largest.
 */
const imageRates = (sums: Record<string, [square: string, oblong: string, largest: string]>): Rate[] =>
  Object.entries(sums).flatMap(([quality, [square, oblong, largest]]) => [
    { when: { quality, size: '1024x1024' }, usd: square },
    { when: { quality, size: '1536x1024' }, usd: oblong },
    { when: { quality, size: '1024x1536' }, usd: oblong },
    { when: { quality }, usd: largest },
  ]);

const image = {
  provider: 'openai',
  medium: 'image',
  lifecycle: {},
  maximumSeconds: 600,
  automatic: true,
} as const;

const imageParameters = {
  from: ['text'],
  promptCharacters: 32_000,
  qualities: ['medium', 'low', 'high'],
  images: { minimum: 1, maximum: 10, step: 1 },
  formats: ['png', 'jpeg', 'webp'],
} as const satisfies Capabilities;

export const models: readonly Model[] = [
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
      source: 'litellm 1.109.1, Portkey-AI/models f654307e: approximate sums an image, charged by token',
      readOn,
      per: 'image',
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
    capabilities: {
      ...imageParameters,
      qualities: ['medium', 'low'],
      sizes: ['1024x1024', '1536x1024', '1024x1536'],
    },
    price: {
      source: 'litellm 1.109.1, Portkey-AI/models f654307e: approximate sums an image, charged by token; high not told',
      readOn,
      per: 'image',
      rates: imageRates({
        low: ['0.005', '0.0075', '0.0075'],
        medium: ['0.011', '0.0165', '0.0165'],
      }),
    },
    qualityTier: 2,
    typicalSeconds: 20,
  },
  chat({
    name: 'gpt-4o-mini',
    input: '0.15',
    output: '0.60',
    promptCharacters: 400_000,
    maxTokens: 16_384,
    qualityTier: 1,
    typicalSeconds: 4,
    capabilities: { temperature },
  }),
  chat({
    name: 'gpt-4o',
    input: '2.5',
    output: '10',
    promptCharacters: 400_000,
    maxTokens: 16_384,
    qualityTier: 2,
    typicalSeconds: 6,
    capabilities: { temperature },
  }),
  // A reasoning model: it refuses every temperature but its own.
  chat({
    name: 'gpt-5.5',
    input: '5',
    output: '30',
    promptCharacters: 1_000_000,
    maxTokens: 128_000,
    qualityTier: 3,
    typicalSeconds: 15,
  }),
];
