import type { Model, Price } from '../../domain/model';

const readOn = '2026-11-21';

/** @see @elevenlabs/elevenlabs-js 2.73.0, AllowedOutputFormats (2026-11-21). Some want a larger plan. */
const formats = [
  ...['mp3_44100_128', 'mp3_22050_32', 'mp3_24000_48', 'mp3_44100_32', 'mp3_44100_64', 'mp3_44100_96', 'mp3_44100_192'],
  ...['opus_48000_32', 'opus_48000_64', 'opus_48000_96', 'opus_48000_128', 'opus_48000_192'],
  ...['pcm_8000', 'pcm_16000', 'pcm_22050', 'pcm_24000', 'pcm_32000', 'pcm_44100', 'pcm_48000'],
  ...['ulaw_8000', 'alaw_8000'],
] as const;

/** Speech only. @see TextToSpeechConvertRequestOutputFormat there */
const waves = ['wav_8000', 'wav_16000', 'wav_22050', 'wav_24000', 'wav_32000', 'wav_44100', 'wav_48000'] as const;

const share = { minimum: 0, maximum: 1 };

/** @see https://elevenlabs.io/docs/api-reference/text-to-speech/convert (2026-11-21) */
const voiceSettings = {
  stability: share,
  similarityBoost: share,
  style: share,
  useSpeakerBoost: true,
  speed: { minimum: 0.7, maximum: 1.2 },
} as const;

type Row = Pick<Model, 'providerModel' | 'qualityTier' | 'typicalSeconds'> & { characters: number; usd: string };

const common = {
  provider: 'elevenlabs',
  medium: 'speech',
  lifecycle: {},
  synchronous: true,
  maximumSeconds: 300,
  automatic: true,
} as const;

const speech = ({ characters, usd, ...row }: Row): Model => {
  const price: Price = { source: 'litellm 1.109.1', readOn, per: 'thousandCharacters', rates: [{ usd }] };
  return {
    ...common,
    ...row,
    id: `elevenlabs/${row.providerModel}`,
    api: 'text_to_speech',
    family: row.providerModel,
    capabilities: {
      from: ['text'],
      promptCharacters: characters,
      voices: 'any',
      voiceSettings,
      formats: [...formats, ...waves],
      seed: { minimum: 0, maximum: 4_294_967_295, step: 1 },
    },
    price,
  };
};

export const models: readonly Model[] = [
  speech({
    providerModel: 'eleven_multilingual_v2',
    characters: 10_000,
    usd: '0.08',
    qualityTier: 3,
    typicalSeconds: 5,
  }),
  speech({
    providerModel: 'eleven_flash_v2_5',
    characters: 40_000,
    usd: '0.04',
    qualityTier: 2,
    typicalSeconds: 2,
  }),
  speech({
    providerModel: 'eleven_turbo_v2_5',
    characters: 40_000,
    usd: '0.04',
    qualityTier: 2,
    typicalSeconds: 3,
  }),
  speech({
    providerModel: 'eleven_v4',
    characters: 10_000,
    usd: '0.08',
    qualityTier: 3,
    typicalSeconds: 8,
  }),
  speech({
    providerModel: 'eleven_v3',
    characters: 5_000,
    usd: '0.08',
    qualityTier: 3,
    typicalSeconds: 8,
  }),
  {
    ...common,
    id: 'elevenlabs/eleven_text_to_sound_v2',
    providerModel: 'eleven_text_to_sound_v2',
    api: 'sound_generation',
    family: 'eleven_text_to_sound_v2',
    capabilities: {
      from: ['text'],
      speechTask: 'sound_effect',
      // No limit is documented; descriptions are short.
      promptCharacters: 1_000,
      durationsSeconds: { minimum: 0.5, maximum: 30, default: 5 },
      formats,
    },
    price: {
      source: 'approximate: third parties in June 2026, a flat sum for each sound effect, whatever its length',
      readOn,
      per: 'piece',
      rates: [{ usd: '0.12' }],
    },
    qualityTier: 2,
    typicalSeconds: 6,
  },
];
