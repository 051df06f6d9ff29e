import { createPcm, type Sound } from './audio';

/** G.711: a sign, a segment of three bits, four bits within the segment. */
const segmentOf = (magnitude: number): number => Math.max(0, 31 - Math.clz32(magnitude) - 7);

const toUlaw = (level: number): number => {
  const magnitude = Math.min(32_635, Math.abs(level)) + 132;
  const segment = segmentOf(magnitude);
  return ~((level < 0 ? 0x80 : 0) | (segment << 4) | ((magnitude >> (segment + 3)) & 0x0f)) & 0xff;
};

const toAlaw = (level: number): number => {
  const magnitude = Math.min(32_767, Math.abs(level));
  const segment = magnitude < 256 ? 0 : segmentOf(magnitude);
  const step = (magnitude >> (segment === 0 ? 4 : segment + 3)) & 0x0f;
  return ((level < 0 ? 0 : 0x80) | (segment << 4) | step) ^ 0x55;
};

const encode =
  (law: (level: number) => number) =>
  (sound: Sound): Buffer => {
    const samples = createPcm(sound);
    return Buffer.from(Array.from({ length: samples.length / 2 }, (_, index) => law(samples.readInt16LE(index * 2))));
  };

export const createUlaw = encode(toUlaw);

export const createAlaw = encode(toAlaw);
