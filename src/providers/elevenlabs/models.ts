import type { Model } from '../../domain/model';

const formats = [
  'mp3_44100_128',
  'mp3_22050_32',
  'mp3_44100_32',
  'mp3_44100_64',
  'mp3_44100_96',
  'mp3_44100_192',
  'opus_48000_128',
  'pcm_16000',
  'pcm_24000',
  'pcm_44100',
  'ulaw_8000',
] as const;

type Row = Pick<Model, 'providerModel' | 'qualityTier' | 'typicalSeconds'> & { characters: number; usd: string };

const speech = ({ characters, usd, ...row }: Row): Model => ({
  ...row,
  id: `elevenlabs/${row.providerModel}`,
  provider: 'elevenlabs',
  family: row.providerModel,
  medium: 'speech',
  capabilities: {
    from: ['text'],
    promptCharacters: characters,
    voices: 'any',
    formats,
    seed: { minimum: 0, maximum: 4_294_967_295, step: 1 },
  },
  price: { source: 'litellm 1.109.1', readOn: '2026-11-21', per: 'thousandCharacters', rates: [{ usd }] },
  lifecycle: {},
  maximumSeconds: 300,
  automatic: true,
});

export const models: readonly Model[] = [
  speech({
    providerModel: 'eleven_multilingual_v2',
    characters: 10_000,
    usd: '0.08',
    qualityTier: 3,
    typicalSeconds: 5,
  }),
  speech({ providerModel: 'eleven_flash_v2_5', characters: 40_000, usd: '0.04', qualityTier: 2, typicalSeconds: 2 }),
];
