import type { Capabilities, Model } from '../../domain/model';

const readOn = '2026-11-21';
const creditUsd = '0.01';
const source = 'github.com/runwayml/skills c5674fd2, one credit is 0.01 USD';
const seed = { minimum: 0, maximum: 4_294_967_295, step: 1 };

/** By address. Uploads may have 200 MB, but what a model then makes of them is not told. */
const imageFiles = { types: ['image/png', 'image/jpeg', 'image/webp'], maximumBytes: 16_000_000 };

const everyWholeSecond = [5, 2, 3, 4, 6, 7, 8, 9, 10] as const;
/** 1104:832 and 832:1104 are called by the usual shape next to them, 1584:672 by the cinema's. */
const videoShapes = ['16:9', '9:16', '4:3', '3:4', '1:1', '21:9'] as const;

type Row = Pick<Model, 'providerModel' | 'family' | 'price' | 'qualityTier' | 'typicalSeconds'> &
  Partial<Pick<Model, 'lifecycle'>> & { capabilities: Omit<Capabilities, 'promptCharacters'> };

const common = { provider: 'runway', lifecycle: {}, maximumSeconds: 1_800, automatic: true } as const;

const video = ({ capabilities, ...row }: Row): Model => ({
  ...common,
  ...row,
  id: `runway/${row.providerModel}`,
  api: 'video',
  medium: 'video',
  capabilities: { ...capabilities, imageFiles, promptCharacters: 1_000 },
});

const veo = {
  from: ['text', 'image'],
  lastFrame: true,
  durationsSeconds: [8, 6, 4],
  aspectRatios: ['16:9', '9:16'],
  resolutions: ['720p', '1080p'],
  audio: 'optional',
  seed,
  negativePrompt: true,
} as const satisfies Row['capabilities'];

const videos: readonly Model[] = [
  video({
    providerModel: 'gen4.5',
    family: 'gen4.5',
    capabilities: {
      from: ['text', 'image'],
      durationsSeconds: everyWholeSecond,
      aspectRatios: videoShapes,
      aspectRatiosFromText: ['16:9', '9:16'],
      resolutions: ['720p'],
      audio: 'never',
      seed,
    },
    price: { source, readOn, creditUsd, per: 'second', rates: [{ usd: '0.12' }] },
    qualityTier: 3,
    typicalSeconds: 90,
  }),
  video({
    providerModel: 'gen4_turbo',
    family: 'gen4_turbo',
    capabilities: {
      from: ['image'],
      durationsSeconds: everyWholeSecond,
      aspectRatios: videoShapes,
      resolutions: ['720p'],
      audio: 'never',
      seed,
    },
    price: { source, readOn, creditUsd, per: 'second', rates: [{ usd: '0.05' }] },
    qualityTier: 2,
    typicalSeconds: 45,
  }),
  video({
    providerModel: 'gen3a_turbo',
    family: 'gen3a_turbo',
    capabilities: {
      from: ['image'],
      lastFrame: true,
      durationsSeconds: [5, 10],
      aspectRatios: ['16:9', '9:16'],
      resolutions: ['720p'],
      audio: 'never',
      seed,
    },
    price: {
      source: 'third parties: 5 credits a second while it was sold',
      readOn,
      creditUsd,
      per: 'second',
      rates: [{ usd: '0.05' }],
    },
    // No date is published: the SDK of that day (4.20.1) is the first seen without it.
    lifecycle: { retiredOn: '2026-09-29', successor: 'runway/gen4_turbo' },
    qualityTier: 1,
    typicalSeconds: 45,
  }),
  video({
    providerModel: 'veo3.1',
    family: 'veo-3.1',
    capabilities: veo,
    price: {
      source,
      readOn,
      creditUsd,
      per: 'second',
      rates: [{ when: { audio: false }, usd: '0.20' }, { usd: '0.40' }],
    },
    qualityTier: 3,
    typicalSeconds: 90,
  }),
  video({
    providerModel: 'veo3.1_fast',
    family: 'veo-3.1-fast',
    capabilities: veo,
    price: {
      source,
      readOn,
      creditUsd,
      per: 'second',
      rates: [{ when: { audio: false }, usd: '0.10' }, { usd: '0.15' }],
    },
    qualityTier: 2,
    typicalSeconds: 60,
  }),
];

const image = {
  ...common,
  api: 'text_to_image',
  medium: 'image',
  maximumSeconds: 600,
} as const;

/** Of the sixteen pixel sizes, those that are a usual shape in one of the two resolutions. */
const imageParameters = {
  from: ['text'],
  promptCharacters: 1_000,
  imageFiles,
  aspectRatios: ['16:9', '9:16', '1:1', '4:3', '3:4', '21:9'],
  resolutions: ['1080p', '720p'],
  seed,
} as const satisfies Capabilities;

const images: readonly Model[] = [
  {
    ...image,
    id: 'runway/gen4_image',
    providerModel: 'gen4_image',
    family: 'gen4_image',
    capabilities: { ...imageParameters, referenceImages: { minimum: 0, maximum: 3, step: 1 } },
    price: {
      source,
      readOn,
      creditUsd,
      per: 'image',
      rates: [{ when: { resolution: '720p' }, usd: '0.05' }, { usd: '0.08' }],
    },
    qualityTier: 3,
    typicalSeconds: 20,
  },
  {
    ...image,
    id: 'runway/gen4_image_turbo',
    providerModel: 'gen4_image_turbo',
    family: 'gen4_image_turbo',
    capabilities: { ...imageParameters, referenceImages: { minimum: 1, maximum: 3, step: 1 } },
    price: { source, readOn, creditUsd, per: 'image', rates: [{ usd: '0.02' }] },
    qualityTier: 2,
    typicalSeconds: 10,
  },
];

/** @see @runwayml/sdk 4.20.1, TextToSpeechCreateParams.ElevenMultilingualV2 (2026-11-21) */
const voices = [
  ...['Maya', 'Arjun', 'Serene', 'Bernard', 'Billy', 'Mark', 'Clint', 'Mabel', 'Chad', 'Leslie', 'Eleanor', 'Elias'],
  ...['Elliot', 'Grungle', 'Brodie', 'Sandra', 'Kirk', 'Kylie', 'Lara', 'Lisa', 'Malachi', 'Marlene', 'Martin'],
  ...['Miriam', 'Monster', 'Paula', 'Pip', 'Rusty', 'Ragnar', 'Xylar', 'Maggie', 'Jack', 'Katie', 'Noah', 'James'],
  ...['Rina', 'Ella', 'Mariah', 'Frank', 'Claudia', 'Niki', 'Vincent', 'Kendrick', 'Myrna', 'Tom', 'Wanda'],
  ...['Benjamin', 'Kiana', 'Rachel'],
] as const;

const sound = { ...common, medium: 'speech', maximumSeconds: 600 } as const;
const share = { minimum: 0, maximum: 1 };

const sounds: readonly Model[] = [
  {
    ...sound,
    id: 'runway/eleven_multilingual_v2',
    providerModel: 'eleven_multilingual_v2',
    api: 'text_to_speech',
    family: 'eleven_multilingual_v2',
    capabilities: { from: ['text'], promptCharacters: 1_000, voices },
    price: {
      source: `${source}: one credit for 50 characters`,
      readOn,
      creditUsd,
      per: 'thousandCharacters',
      rates: [{ usd: '0.20' }],
    },
    qualityTier: 3,
    typicalSeconds: 10,
  },
  {
    ...sound,
    id: 'runway/eleven_v3',
    providerModel: 'eleven_v3',
    api: 'text_to_speech',
    family: 'eleven_v3',
    capabilities: {
      from: ['text'],
      // ElevenLabs' own limit of this model: Runway names none.
      promptCharacters: 5_000,
      voices,
      voiceSettings: {
        stability: share,
        similarityBoost: share,
        style: share,
        useSpeakerBoost: true,
        speed: { minimum: 0.7, maximum: 1.2 },
      },
      seed,
    },
    price: {
      source: `approximate: ${source}, as eleven_multilingual_v2; no price of its own is published`,
      readOn,
      creditUsd,
      per: 'thousandCharacters',
      rates: [{ usd: '0.20' }],
    },
    qualityTier: 3,
    typicalSeconds: 10,
  },
  {
    ...sound,
    id: 'runway/eleven_text_to_sound_v2',
    providerModel: 'eleven_text_to_sound_v2',
    api: 'sound_effect',
    family: 'eleven_text_to_sound_v2',
    capabilities: {
      from: ['text'],
      speechTask: 'sound_effect',
      // No limit is documented; taken from the other models.
      promptCharacters: 1_000,
      durationsSeconds: { minimum: 0.5, maximum: 30, default: 5 },
    },
    price: {
      source: `${source}: one or two credits a sound effect, whatever its length; two are assumed`,
      readOn,
      creditUsd,
      per: 'piece',
      rates: [{ usd: '0.02' }],
    },
    qualityTier: 2,
    typicalSeconds: 10,
  },
];

export const models: readonly Model[] = [...videos, ...images, ...sounds];
