import type { Picture } from './picture';
import type { Size } from './png';

const chunk = (type: string, data: Buffer): Buffer => {
  const head = Buffer.alloc(8);
  head.write(type, 0, 'latin1');
  head.writeUInt32LE(data.length, 4);
  return Buffer.concat([head, data, Buffer.alloc(data.length % 2)]);
};

/** Lossless WebP writes the least significant bit first. */
const packBits = (fields: readonly (readonly [value: number, length: number])[]): Buffer => {
  const bits = fields.flatMap(([value, length]) => Array.from({ length }, (_, index) => (value >> index) & 1));
  const bytes = Buffer.alloc(Math.ceil(bits.length / 8));
  for (const [index, bit] of bits.entries()) bytes[index >> 3] = (bytes[index >> 3] ?? 0) | (bit << (index & 7));
  return bytes;
};

/** A prefix code of one symbol takes no bits: an image of one colour is its header, whatever its size. */
const onlySymbol = (symbol: number): readonly (readonly [number, number])[] => [
  [1, 1],
  [0, 1],
  [1, 1],
  [symbol, 8],
];

export const encodeWebp = (picture: Picture, { width, height }: Size): Buffer => {
  const [red, green, blue] = picture.palette[124] ?? [0, 0, 0];
  const bits = packBits([
    [width - 1, 14],
    [height - 1, 14],
    [0, 1 + 3 + 1 + 1 + 1],
    ...[green, red, blue, 255, 0].flatMap(onlySymbol),
  ]);
  const lossless = chunk('VP8L', Buffer.concat([Buffer.from([0x2f]), bits]));
  const mark = chunk('MARK', Buffer.from(picture.mark, 'latin1'));
  return chunk('RIFF', Buffer.concat([Buffer.from('WEBP', 'latin1'), lossless, mark]));
};
