import type { Capabilities, Lifecycle, Model } from '../../domain/model';
import { drawings, images } from './image-models';

const readOn = '2026-11-21';

/** Vision takes more, but a body that large is refused before it is looked at. */
const pictures = { types: ['image/png', 'image/jpeg', 'image/webp', 'image/gif'], maximumBytes: 20_000_000 };

type ChatRow = {
  name: string;
  api: 'chat' | 'responses';
  input: string;
  output: string;
  promptCharacters: number;
  maxTokens: number;
  qualityTier: Model['qualityTier'];
  typicalSeconds: number;
  lifecycle?: Lifecycle;
  capabilities?: Partial<Capabilities>;
};

const chat = ({ name, input, output, promptCharacters, maxTokens, capabilities, ...row }: ChatRow): Model => ({
  lifecycle: {},
  ...row,
  id: `openai/${name}`,
  provider: 'openai',
  providerModel: name,
  family: name,
  medium: 'text',
  capabilities: {
    from: ['text', 'image'],
    promptCharacters,
    imageFiles: pictures,
    referenceImages: { minimum: 0, maximum: 10, step: 1 },
    // The responses interface takes no fewer than 16.
    maxTokens: { minimum: row.api === 'chat' ? 1 : 16, maximum: maxTokens, step: 1 },
    jsonSchema: true,
    messages: true,
    ...capabilities,
  },
  price: { source: 'litellm 1.109.1', readOn, per: 'millionTokens', input, output },
  synchronous: row.api === 'chat',
  maximumSeconds: row.api === 'chat' ? 600 : 1_800,
  automatic: true,
});

const temperature = { minimum: 0, maximum: 2 };

/** @see https://developers.openai.com/api/docs/deprecations (2026-11-21); the successor named there is not sold here. */
const lastGpt4: Lifecycle = { deprecatedOn: '2026-10-14', retiredOn: '2027-01-14', successor: 'openai/gpt-5.5' };

const texts: readonly Model[] = [
  chat({
    name: 'gpt-4o-mini',
    api: 'chat',
    input: '0.15',
    output: '0.60',
    promptCharacters: 400_000,
    maxTokens: 16_384,
    qualityTier: 1,
    typicalSeconds: 4,
    lifecycle: lastGpt4,
    capabilities: { temperature },
  }),
  chat({
    name: 'gpt-4o',
    api: 'chat',
    input: '2.5',
    output: '10',
    promptCharacters: 400_000,
    maxTokens: 16_384,
    qualityTier: 2,
    typicalSeconds: 6,
    lifecycle: lastGpt4,
    capabilities: { temperature },
  }),
  // A reasoning model: it refuses every temperature but its own, and thinks longer than a connection should last.
  chat({
    name: 'gpt-5.5',
    api: 'responses',
    input: '5',
    output: '30',
    promptCharacters: 1_000_000,
    maxTokens: 128_000,
    qualityTier: 3,
    typicalSeconds: 15,
    // What it thinks counts too.
    capabilities: { maxTokens: { minimum: 16, maximum: 128_000, step: 1, default: 16_384 } },
  }),
];

const video = {
  provider: 'openai',
  api: 'videos',
  medium: 'video',
  // The whole interface ended with them, and OpenAI names nothing instead.
  lifecycle: { retiredOn: '2026-09-24' },
  maximumSeconds: 1_800,
  automatic: true,
} as const;

const videoParameters = {
  from: ['text', 'image'],
  promptCharacters: 32_000,
  imageFiles: drawings,
  durationsSeconds: [4, 8, 12],
  audio: 'always',
} as const satisfies Capabilities;

const source = 'litellm 1.109.1, Portkey-AI/models f654307e';

const videos: readonly Model[] = [
  {
    ...video,
    id: 'openai/sora-2',
    providerModel: 'sora-2',
    family: 'sora-2',
    capabilities: { ...videoParameters, sizes: ['720x1280', '1280x720'] },
    price: { source, readOn, per: 'second', rates: [{ usd: '0.10' }] },
    qualityTier: 2,
    typicalSeconds: 120,
  },
  {
    ...video,
    id: 'openai/sora-2-pro',
    providerModel: 'sora-2-pro',
    family: 'sora-2-pro',
    capabilities: { ...videoParameters, sizes: ['720x1280', '1280x720', '1024x1792', '1792x1024'] },
    price: {
      source,
      readOn,
      per: 'second',
      rates: [
        { when: { size: '720x1280' }, usd: '0.30' },
        { when: { size: '1280x720' }, usd: '0.30' },
        { usd: '0.50' },
      ],
    },
    qualityTier: 3,
    typicalSeconds: 240,
  },
];

const speech = {
  provider: 'openai',
  api: 'speech',
  medium: 'speech',
  lifecycle: {},
  synchronous: true,
  maximumSeconds: 300,
  automatic: true,
} as const;

const oldVoices = ['alloy', 'ash', 'coral', 'echo', 'fable', 'onyx', 'nova', 'sage', 'shimmer'] as const;

const speechParameters = {
  from: ['text'],
  promptCharacters: 4_096,
  voices: oldVoices,
  formats: ['mp3', 'opus', 'aac', 'flac', 'wav', 'pcm'],
  voiceSettings: { speed: { minimum: 0.25, maximum: 4 } },
} as const satisfies Capabilities;

const perCharacter = 'approximate: 15 (hd: 30) USD a million characters, told by third parties';

const voices: readonly Model[] = [
  {
    ...speech,
    id: 'openai/gpt-4o-mini-tts',
    providerModel: 'gpt-4o-mini-tts',
    family: 'gpt-4o-mini-tts',
    capabilities: { ...speechParameters, voices: [...oldVoices, 'ballad', 'verse', 'marin', 'cedar'] },
    price: {
      source: 'approximate: charged by token, about 0.015 USD a minute; 4,096 characters were measured as 268 s',
      readOn,
      per: 'thousandCharacters',
      rates: [{ usd: '0.018' }],
    },
    qualityTier: 2,
    typicalSeconds: 5,
  },
  {
    ...speech,
    id: 'openai/tts-1',
    providerModel: 'tts-1',
    family: 'tts-1',
    capabilities: speechParameters,
    price: { source: perCharacter, readOn, per: 'thousandCharacters', rates: [{ usd: '0.015' }] },
    qualityTier: 1,
    typicalSeconds: 4,
  },
  {
    ...speech,
    id: 'openai/tts-1-hd',
    providerModel: 'tts-1-hd',
    family: 'tts-1-hd',
    capabilities: speechParameters,
    price: { source: perCharacter, readOn, per: 'thousandCharacters', rates: [{ usd: '0.030' }] },
    qualityTier: 2,
    typicalSeconds: 6,
  },
];

export const models: readonly Model[] = [...images, ...videos, ...voices, ...texts];
