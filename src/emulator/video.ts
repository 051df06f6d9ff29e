import type { Size } from './png';
import { landscapeMp4, portraitMp4 } from './samples/video';

const samples = { landscape: Buffer.from(landscapeMp4, 'base64'), portrait: Buffer.from(portraitMp4, 'base64') };

/** A two second sample; players skip the `free` box that makes it one of its kind. */
export const createMp4 = (seed: string, { width, height }: Size): Buffer => {
  const sample = height > width ? samples.portrait : samples.landscape;
  const payload = Buffer.from(seed, 'utf8');
  const head = Buffer.alloc(8);
  head.writeUInt32BE(head.length + payload.length, 0);
  head.write('free', 4, 'latin1');
  return Buffer.concat([sample, head, payload]);
};
