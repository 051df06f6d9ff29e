import { longestSeconds, type Sound } from './audio';
import { opusAt48000 } from './samples/compressed';

const packetBytes = 60;
const packetSamples = 960;
const packetsPerPage = 50;
const sample = Buffer.from(opusAt48000, 'base64');

/** Ogg's sum: the polynomial of zlib's, but most significant bit first and without inversions. */
const sumTable = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index << 24;
  for (let bit = 0; bit < 8; bit += 1) value = value < 0 ? (value << 1) ^ 0x04c11db7 : value << 1;
  return value >>> 0;
});

const sumOf = (bytes: Buffer): number =>
  bytes.reduce((sum, byte) => ((sum << 8) ^ (sumTable[(sum >>> 24) ^ byte] ?? 0)) >>> 0, 0);

type Page = {
  sequence: number;
  /** Samples at 48 kHz up to the end of this page. */
  position: number;
  flags: number;
  packets: Buffer[];
};

const encodePage = ({ sequence, position, flags, packets }: Page): Buffer => {
  const lacing = packets.flatMap(({ length }) => [...Array<number>(Math.floor(length / 255)).fill(255), length % 255]);
  const head = Buffer.alloc(27);
  head.write('OggS', 0, 'latin1');
  head[5] = flags;
  head.writeBigUInt64LE(BigInt(position), 6);
  head.writeUInt32LE(1, 14);
  head.writeUInt32LE(sequence, 18);
  head[26] = lacing.length;
  const page = Buffer.concat([head, Buffer.from(lacing), ...packets]);
  page.writeUInt32LE(sumOf(page), 22);
  return page;
};

const idPacket = Buffer.concat([
  Buffer.from('OpusHead', 'latin1'),
  Buffer.from([1, 1, 0, 0, 0x80, 0xbb, 0, 0, 0, 0, 0]), // mono, no pre-skip, 48 kHz
]);

const sized = (text: string): Buffer => {
  const size = Buffer.alloc(4);
  size.writeUInt32LE(text.length);
  return Buffer.concat([size, Buffer.from(text, 'latin1')]);
};

const tagPacket = (seed: string): Buffer =>
  Buffer.concat([
    Buffer.from('OpusTags', 'latin1'),
    sized('emulator'),
    Buffer.from([1, 0, 0, 0]),
    sized(`TITLE=${seed}`),
  ]);

const packetAt = (index: number): Buffer => {
  const start = (index * packetBytes) % sample.length;
  return sample.subarray(start, start + packetBytes);
};

export const createOggOpus = ({ seed, seconds }: Sound): Buffer => {
  const count = Math.max(25, Math.round((Math.min(seconds, longestSeconds) * 48_000) / packetSamples));
  const pages: Page[] = [
    { sequence: 0, position: 0, flags: 2, packets: [idPacket] },
    { sequence: 1, position: 0, flags: 0, packets: [tagPacket(seed)] },
  ];
  for (let start = 0; start < count; start += packetsPerPage) {
    const end = Math.min(count, start + packetsPerPage);
    const packets = Array.from({ length: end - start }, (_, index) => packetAt(start + index));
    pages.push({ sequence: pages.length, position: end * packetSamples, flags: end === count ? 4 : 0, packets });
  }
  return Buffer.concat(pages.map(encodePage));
};
