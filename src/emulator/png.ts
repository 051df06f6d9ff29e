import { crc32, deflateSync } from 'node:zlib';
import type { Picture } from './picture';

export type Size = {
  width: number;
  height: number;
};

const chunk = (type: string, data: Buffer): Buffer => {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(data.length, 0);
  head.write(type, 4, 'latin1');
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(data, crc32(head.subarray(4))), 0);
  return Buffer.concat([head, data, sum]);
};

const header = ({ width, height }: Size): Buffer => {
  const data = Buffer.alloc(13);
  data.writeUInt32BE(width, 0);
  data.writeUInt32BE(height, 4);
  data.set([8, 3, 0, 0, 0], 8); // 8 bits, palette
  return data;
};

/**
 * At most some 256 different lines: the others repeat the one above, which filter 2 writes as zeros. So a
 * 3840 x 2160 image takes milliseconds to draw and to deflate.
 */
const drawLines = (picture: Picture, { width, height }: Size): Buffer => {
  const lines = Buffer.alloc((width + 1) * height);
  const step = Math.max(1, Math.round(height / 256));
  for (let y = 0; y < height; y += 1) {
    const start = y * (width + 1);
    if (y % step !== 0) {
      lines[start] = 2;
      continue;
    }
    for (let x = 0; x < width; x += 1) lines[start + 1 + x] = picture.colourAt(x / width, y / height);
  }
  return lines;
};

export const encodePng = (picture: Picture, size: Size): Buffer =>
  Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header(size)),
    chunk('tEXt', Buffer.from(`Comment\0${picture.mark}`, 'latin1')),
    chunk('PLTE', Buffer.from(picture.palette.flat())),
    chunk('IDAT', deflateSync(drawLines(picture, size), { level: 1 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
