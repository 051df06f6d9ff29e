import type { Medium } from '../../domain/generation';
import type { Capabilities, Model, Price } from '../../domain/model';

const free = { source: 'the emulator, nothing is charged', readOn: '2026-11-21' };
/** The emulator reads none of them; the numbers only keep bodies within reason. */
const imageFiles = { types: ['image/png', 'image/jpeg', 'image/webp', 'image/gif'], maximumBytes: 10_000_000 };
const videoFiles = { types: ['video/mp4', 'video/quicktime', 'video/webm'], maximumBytes: 20_000_000 };
const referenceImages = { minimum: 0, maximum: 3, step: 1 };
const share = { minimum: 0, maximum: 1 };
const seed = { minimum: 0, maximum: 2_147_483_647, step: 1 };

const mock = (medium: Medium, capabilities: Capabilities, price: Price): Model => ({
  id: `mock/${medium}`,
  provider: 'mock',
  providerModel: medium,
  family: `mock-${medium}`,
  medium,
  capabilities,
  price,
  lifecycle: {},
  qualityTier: 1,
  typicalSeconds: medium === 'video' ? 3 : 1,
  maximumSeconds: 60,
  automatic: false,
});

export const models: readonly Model[] = [
  mock(
    'video',
    {
      from: ['text', 'image', 'video'],
      promptCharacters: 4_000,
      imageFiles,
      videoFiles,
      lastFrame: true,
      referenceImages,
      durationsSeconds: [4, 2, 6, 8, 10],
      aspectRatios: ['16:9', '9:16', '1:1'],
      resolutions: ['720p', '1080p'],
      audio: 'optional',
      seed,
      negativePrompt: true,
    },
    { ...free, per: 'second', rates: [{ usd: '0' }] },
  ),
  mock(
    'image',
    {
      from: ['text', 'image'],
      promptCharacters: 4_000,
      imageFiles,
      referenceImages,
      sizes: ['1024x1024', '1536x1024', '1024x1536'],
      count: { minimum: 1, maximum: 4, step: 1 },
      seed,
      negativePrompt: true,
    },
    { ...free, per: 'image', rates: [{ usd: '0' }] },
  ),
  mock(
    'speech',
    {
      from: ['text'],
      promptCharacters: 10_000,
      voices: 'any',
      voiceSettings: {
        stability: share,
        similarityBoost: share,
        style: share,
        useSpeakerBoost: true,
        speed: { minimum: 0.7, maximum: 1.2 },
      },
      formats: ['mp3_44100_128'],
      seed,
    },
    { ...free, per: 'thousandCharacters', rates: [{ usd: '0' }] },
  ),
  mock(
    'text',
    {
      from: ['text', 'image', 'video'],
      promptCharacters: 10_000,
      imageFiles,
      videoFiles,
      referenceImages,
      messages: true,
      jsonSchema: true,
      maxTokens: { minimum: 1, maximum: 4_096, step: 1 },
      temperature: { minimum: 0, maximum: 2 },
    },
    { ...free, per: 'millionTokens', input: '0', output: '0' },
  ),
];
