import type { Capabilities, Model, Rate } from '../../domain/model';
import type { Money } from '../../domain/money';

const readOn = '2026-11-21';
const pricing = 'developers.cloudflare.com/workers-ai/platform/pricing (2026-08-28)';

type TextRow = Pick<Model, 'providerModel' | 'family' | 'qualityTier' | 'typicalSeconds'> & {
  name: string;
  input: Money;
  output: Money;
  /** Of prompt and answer together, in tokens. */
  context: number;
  promptCharacters: number;
  jsonSchema?: true;
  lifecycle?: Model['lifecycle'];
};

const text = ({ name, input, output, context, promptCharacters, jsonSchema, ...row }: TextRow): Model => ({
  lifecycle: {},
  ...row,
  id: `cloudflare/${name}`,
  provider: 'cloudflare',
  api: 'json',
  medium: 'text',
  capabilities: {
    from: ['text'],
    promptCharacters,
    // their own default of 256 cuts most answers; where the context is small, the prompt needs room in it
    maxTokens: { minimum: 1, maximum: context, step: 1, default: Math.min(4096, Math.floor(context / 4)) },
    temperature: { minimum: 0, maximum: 5 },
    seed: { minimum: 1, maximum: 9_999_999_999, step: 1 },
    messages: true,
    ...(jsonSchema && { jsonSchema }),
  },
  price: { source: pricing, readOn, per: 'millionTokens', input, output },
  synchronous: true,
  maximumSeconds: 300,
  automatic: true,
});

const image = {
  provider: 'cloudflare',
  medium: 'image',
  lifecycle: {},
  synchronous: true,
  maximumSeconds: 300,
  automatic: true,
} as const;

/** What an image costs by itself, and with the most reference images there can be. */
type Sum = readonly [plain: Money, references: Money];

/** One tile of 512x512, four and six of them: a tile begun counts as a whole one. */
type Sums = Record<'one' | 'four' | 'six', Sum>;

const flux2Sizes: readonly (readonly [size: string, tiles: keyof Sums])[] = [
  ['1024x1024', 'four'],
  ['512x512', 'one'],
  ['1024x768', 'four'],
  ['768x1024', 'four'],
  ['1536x1024', 'six'],
  ['1024x1536', 'six'],
];

const flux2Rates = (sums: Sums): Rate[] => [
  ...flux2Sizes.flatMap(([size, tiles]) => [
    { when: { size, references: true }, usd: sums[tiles][1] },
    { when: { size }, usd: sums[tiles][0] },
  ]),
  { usd: sums.six[1] },
];

const flux2Parameters: Capabilities = {
  from: ['text'],
  // Not documented; a bound of ours.
  promptCharacters: 8_000,
  referenceImages: { minimum: 0, maximum: 4, step: 1 },
  // "Smaller than 512x512" is the rule: more bytes than so many pixels have cannot be.
  imageFiles: { types: ['image/png', 'image/jpeg', 'image/webp'], maximumBytes: 1_048_576 },
  sizes: flux2Sizes.map(([size]) => size),
  seed: { minimum: 0, maximum: 4_294_967_295, step: 1 },
};

type Flux2Row = Pick<Model, 'qualityTier' | 'typicalSeconds'> & { name: string; source: string; sums: Sums };

const flux2 = ({ name, source, sums, ...row }: Flux2Row): Model => ({
  ...image,
  ...row,
  id: `cloudflare/${name}`,
  providerModel: `@cf/black-forest-labs/${name}`,
  api: 'multipart',
  family: name,
  capabilities: flux2Parameters,
  price: { source: `${pricing}; ${source}`, readOn, per: 'image', rates: flux2Rates(sums) },
});

export const models: readonly Model[] = [
  text({
    providerModel: '@cf/meta/llama-3.1-8b-instruct-fp8-fast',
    name: 'llama-3.1-8b-instruct-fp8-fast',
    family: 'llama-3.1-8b',
    input: '0.045',
    output: '0.384',
    // Not documented; taken to be that of the model it replaces.
    context: 7_968,
    promptCharacters: 18_000,
    jsonSchema: true,
    qualityTier: 1,
    typicalSeconds: 3,
  }),
  // Announced on 2026-05-08: https://developers.cloudflare.com/changelog/post/2026-05-08-planned-model-deprecations/
  text({
    providerModel: '@cf/meta/llama-3.1-8b-instruct',
    name: 'llama-3.1-8b-instruct',
    family: 'llama-3.1-8b',
    input: '0.282',
    output: '0.827',
    context: 7_968,
    promptCharacters: 18_000,
    jsonSchema: true,
    lifecycle: {
      deprecatedOn: '2026-05-08',
      retiredOn: '2026-05-30',
      successor: 'cloudflare/llama-3.1-8b-instruct-fp8-fast',
    },
    qualityTier: 1,
    typicalSeconds: 4,
  }),
  text({
    providerModel: '@cf/meta/llama-3.3-70b-instruct-fp8-fast',
    name: 'llama-3.3-70b-instruct-fp8-fast',
    family: 'llama-3.3-70b',
    input: '0.293',
    output: '2.253',
    context: 24_000,
    promptCharacters: 60_000,
    jsonSchema: true,
    qualityTier: 2,
    typicalSeconds: 6,
  }),
  // Not in the list of models with JSON mode.
  text({
    providerModel: '@cf/openai/gpt-oss-120b',
    name: 'gpt-oss-120b',
    family: 'gpt-oss-120b',
    input: '0.35',
    output: '0.75',
    context: 128_000,
    promptCharacters: 350_000,
    qualityTier: 2,
    typicalSeconds: 8,
  }),
  {
    ...image,
    id: 'cloudflare/flux-1-schnell',
    providerModel: '@cf/black-forest-labs/flux-1-schnell',
    api: 'json',
    family: 'flux-schnell',
    // One size, and no parameter for it.
    capabilities: { from: ['text'], promptCharacters: 2_048, sizes: ['1024x1024'] },
    price: {
      source: `${pricing}: four tiles of 512x512 and four steps`,
      readOn,
      per: 'image',
      rates: [{ usd: '0.0006336' }],
    },
    qualityTier: 1,
    typicalSeconds: 3,
  },
  {
    ...image,
    id: 'cloudflare/stable-diffusion-xl-base-1.0',
    providerModel: '@cf/stabilityai/stable-diffusion-xl-base-1.0',
    api: 'binary',
    family: 'sdxl',
    capabilities: {
      from: ['text'],
      // Not documented; a bound of ours.
      promptCharacters: 2_048,
      sizes: { anyMultipleOf: 256, maximum: '2048x2048', default: '1024x1024' },
      seed: { minimum: 0, maximum: 4_294_967_295, step: 1 },
      negativePrompt: true,
    },
    price: {
      source: 'developers.cloudflare.com/workers-ai/models: $0.00 per step while in beta',
      readOn,
      per: 'image',
      rates: [{ usd: '0' }],
    },
    qualityTier: 1,
    typicalSeconds: 8,
  },
  flux2({
    name: 'flux-2-dev',
    source: '25 steps, a reference image is one tile',
    sums: { one: ['0.01025', '0.03125'], four: ['0.041', '0.062'], six: ['0.0615', '0.0825'] },
    qualityTier: 3,
    typicalSeconds: 15,
  }),
  flux2({
    name: 'flux-2-klein-4b',
    source: 'a reference image is one tile',
    sums: { one: ['0.000287', '0.000523'], four: ['0.001148', '0.001384'], six: ['0.001722', '0.001958'] },
    qualityTier: 2,
    typicalSeconds: 3,
  }),
  flux2({
    name: 'flux-2-klein-9b',
    source: 'charged by the megapixel, one begun counts as a whole one',
    sums: { one: ['0.015', '0.023'], four: ['0.015', '0.023'], six: ['0.017', '0.025'] },
    qualityTier: 2,
    typicalSeconds: 4,
  }),
];
