import { createHash } from 'node:crypto';
import { mp3At22050, mp3At44100 } from './samples/audio';
import { aacAt24000, mp3At24000 } from './samples/compressed';

export type Sound = {
  /** Two sounds with different seeds differ in content. */
  seed: string;
  seconds: number;
  sampleRate: number;
};

const samples = {
  high: { bytes: Buffer.from(mp3At44100, 'base64'), seconds: 0.548 },
  low: { bytes: Buffer.from(mp3At22050, 'base64'), seconds: 0.575 },
  speech: { bytes: Buffer.from(mp3At24000, 'base64'), seconds: 0.552 },
};

const aacSample = Buffer.from(aacAt24000, 'base64');
const aacSeconds = (10 * 1024) / 24_000;

/** ID3 sizes have seven bits a byte. */
const syncSafe = (size: number): number[] => [21, 14, 7, 0].map((shift) => (size >> shift) & 0x7f);

const id3Tag = (text: string): Buffer => {
  const body = Buffer.from(`\0${text}`, 'latin1');
  const frame = Buffer.concat([Buffer.from('TIT2', 'latin1'), Buffer.from([0, 0, 0, body.length, 0, 0]), body]);
  return Buffer.concat([Buffer.from('ID3', 'latin1'), Buffer.from([4, 0, 0, ...syncSafe(frame.length)]), frame]);
};

export const longestSeconds = 120;

const repeat = (seed: string, sample: { bytes: Buffer; seconds: number }, seconds: number): Buffer => {
  const repeats = Math.max(1, Math.round(Math.min(seconds, longestSeconds) / sample.seconds));
  return Buffer.concat([id3Tag(seed), ...Array<Buffer>(repeats).fill(sample.bytes)]);
};

const mp3SampleFor = (sampleRate: number): { bytes: Buffer; seconds: number } => {
  if (sampleRate >= 32_000) return samples.high;
  return sampleRate === 24_000 ? samples.speech : samples.low;
};

export const createMp3 = ({ seed, seconds, sampleRate }: Sound): Buffer =>
  repeat(seed, mp3SampleFor(sampleRate), seconds);

/** 24 kHz, whatever was asked for. */
export const createAac = ({ seed, seconds }: Sound): Buffer =>
  repeat(seed, { bytes: aacSample, seconds: aacSeconds }, seconds);

const { sin, PI } = Math;

/** 16 bit mono: a tone whose pitch and swell come from the seed. */
export const createPcm = ({ seed, seconds, sampleRate }: Sound): Buffer => {
  const hash = createHash('sha256').update(seed).digest();
  const frequency = 200 + hash.readUInt16BE(0) / 100;
  const swell = 1 + (hash[2] ?? 0) / 64;
  const levels = new Int16Array(Math.round(Math.min(longestSeconds, Math.max(0.5, seconds)) * sampleRate));
  for (let index = 0; index < levels.length; index += 1) {
    const time = index / sampleRate;
    levels[index] = 6000 * sin(2 * PI * frequency * time) * (0.6 + 0.4 * sin(swell * time));
  }
  return Buffer.from(levels.buffer);
};

export const createWav = (sound: Sound): Buffer => {
  const data = createPcm(sound);
  const head = Buffer.alloc(44);
  head.write('RIFF', 0, 'latin1');
  head.writeUInt32LE(36 + data.length, 4);
  head.write('WAVEfmt ', 8, 'latin1');
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(sound.sampleRate, 24);
  head.writeUInt32LE(sound.sampleRate * 2, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write('data', 36, 'latin1');
  head.writeUInt32LE(data.length, 40);
  return Buffer.concat([head, data]);
};
