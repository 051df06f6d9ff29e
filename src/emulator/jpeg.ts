import type { Picture } from './picture';
import type { Size } from './png';

// Baseline JPEG of flat 8 x 8 blocks: only DC coefficients, so neither a cosine transform nor AC codes are needed.

const segment = (marker: number, data: number[]): Buffer => {
  const length = data.length + 2;
  return Buffer.from([0xff, marker, length >> 8, length & 0xff, ...data]);
};

/** [code, length] of each DC category: table K.3 of the standard. */
const categoryCodes = [
  [0b00, 2],
  [0b010, 3],
  [0b011, 3],
  [0b100, 3],
  [0b101, 3],
  [0b110, 3],
  [0b1110, 4],
  [0b11110, 5],
  [0b111110, 6],
  [0b1111110, 7],
  [0b11111110, 8],
  [0b111111110, 9],
] as const;

const tables = ({ width, height }: Size): Buffer => {
  const categories = categoryCodes.map((_, category) => category);
  const component = (id: number): number[] => [id, 0x11, 0];
  return Buffer.concat([
    segment(0xe0, [0x4a, 0x46, 0x49, 0x46, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0]),
    segment(0xdb, [0, ...Array<number>(64).fill(8)]),
    segment(0xc0, [
      8,
      height >> 8,
      height & 0xff,
      width >> 8,
      width & 0xff,
      3,
      ...component(1),
      ...component(2),
      ...component(3),
    ]),
    segment(0xc4, [0x00, 0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, ...categories]),
    segment(0xc4, [0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), // one AC code: end of block
    segment(0xda, [3, 1, 0, 2, 0, 3, 0, 0, 63, 0]),
  ]);
};

type Bits = {
  bytes: number[];
  pending: number;
  count: number;
};

const putBits = (bits: Bits, value: number, length: number): void => {
  bits.pending = (bits.pending << length) | value;
  bits.count += length;
  while (bits.count >= 8) {
    bits.count -= 8;
    const byte = (bits.pending >> bits.count) & 0xff;
    bits.bytes.push(byte);
    if (byte === 0xff) bits.bytes.push(0);
  }
  bits.pending &= (1 << bits.count) - 1;
};

const { abs, clz32 } = Math;

const putBlock = (bits: Bits, difference: number): void => {
  const category = difference === 0 ? 0 : 32 - clz32(abs(difference));
  const [code, length] = categoryCodes[category] ?? [0, 2];
  putBits(bits, code, length);
  if (category > 0) putBits(bits, difference > 0 ? difference : difference + (1 << category) - 1, category);
  putBits(bits, 0, 1);
};

type Levels = readonly [number, number, number];

/** Luminance and colour differences around zero. */
const toLevels = ([red, green, blue]: readonly [number, number, number]): Levels => [
  Math.round(0.299 * red + 0.587 * green + 0.114 * blue - 128),
  Math.round(-0.1687 * red - 0.3313 * green + 0.5 * blue),
  Math.round(0.5 * red - 0.4187 * green - 0.0813 * blue),
];

const drawBlocks = (picture: Picture, { width, height }: Size): Buffer => {
  const levels = picture.palette.map(toLevels);
  const bits: Bits = { bytes: [], pending: 0, count: 0 };
  let last: Levels = [0, 0, 0];
  for (let y = 0; y < height; y += 8) {
    for (let x = 0; x < width; x += 8) {
      const next = levels[picture.colourAt((x + 4) / width, (y + 4) / height)] ?? last;
      for (const component of [0, 1, 2] as const) putBlock(bits, next[component] - last[component]);
      last = next;
    }
  }
  putBits(bits, 0x7f, 7); // the last byte is filled up with ones
  return Buffer.from(bits.bytes);
};

export const encodeJpeg = (picture: Picture, size: Size): Buffer =>
  Buffer.concat([
    Buffer.from([0xff, 0xd8]),
    segment(0xfe, [...Buffer.from(picture.mark, 'latin1')]),
    tables(size),
    drawBlocks(picture, size),
    Buffer.from([0xff, 0xd9]),
  ]);
