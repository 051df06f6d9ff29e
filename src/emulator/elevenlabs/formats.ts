import type { OutputShape } from '../operations';

/** @see the output formats of @elevenlabs/elevenlabs-js 2.73.0 */
const compressed = [
  'mp3_22050_32',
  'mp3_24000_48',
  'mp3_44100_32',
  'mp3_44100_64',
  'mp3_44100_96',
  'mp3_44100_128',
  'mp3_44100_192',
  'opus_48000_32',
  'opus_48000_64',
  'opus_48000_96',
  'opus_48000_128',
  'opus_48000_192',
];
const rates = [8000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];
const telephony = ['ulaw_8000', 'alaw_8000'];

/** A stream cannot have a header with its length in it, so there is no WAV among these. */
export const streamFormats = [...compressed, ...telephony, ...rates.map((rate) => `pcm_${rate}`)];
export const allFormats = [...streamFormats, ...rates.map((rate) => `wav_${rate}`)];

export const defaultFormat = 'mp3_44100_128';

const contentTypes: Record<string, string> = {
  mp3: 'audio/mpeg',
  wav: 'audio/wav',
  pcm: 'audio/pcm',
  opus: 'audio/opus',
  ulaw: 'audio/basic',
  alaw: 'audio/x-alaw-basic',
};

/** The bit rate is not emulated: all compressed sound comes from a few small samples. */
export const shapeOf = (format: string, seconds: number): OutputShape => {
  const [codec = '', rate] = format.split('_');
  return { contentType: contentTypes[codec] ?? 'audio/mpeg', sampleRate: Number(rate), seconds };
};
