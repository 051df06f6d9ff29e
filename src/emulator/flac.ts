import { createPcm, type Sound } from './audio';

const blockSamples = 4096;

const crc = (bytes: Buffer, { polynomial, width }: { polynomial: number; width: 8 | 16 }): number => {
  const top = 1 << (width - 1);
  const mask = 2 ** width - 1;
  let value = 0;
  for (const byte of bytes) {
    value ^= byte << (width - 8);
    for (let bit = 0; bit < 8; bit += 1) value = (value & top) === 0 ? value << 1 : (value << 1) ^ polynomial;
    value &= mask;
  }
  return value;
};

/** Frame numbers are written like UTF-8 characters; two bytes reach 2048 frames, more than two minutes. */
const frameNumber = (number: number): number[] =>
  number < 0x80 ? [number] : [0xc0 | (number >> 6), 0x80 | (number & 0x3f)];

/** A verbatim subframe: nothing is predicted, every sample stands there. */
const frame = (number: number, samples: Buffer): Buffer => {
  const last = samples.length / 2 - 1;
  const head = Buffer.from([0xff, 0xf8, 0x70, 0x08, ...frameNumber(number), last >> 8, last & 0xff]);
  const body = Buffer.concat([
    head,
    Buffer.from([crc(head, { polynomial: 0x07, width: 8 }), 0x02]),
    Buffer.from(samples).swap16(),
  ]);
  const sum = crc(body, { polynomial: 0x8005, width: 16 });
  return Buffer.concat([body, Buffer.from([sum >> 8, sum & 0xff])]);
};

const streamInfo = (sampleRate: number, totalSamples: number): Buffer => {
  const info = Buffer.alloc(38);
  info.writeUInt32BE(34, 0);
  info.writeUInt16BE(blockSamples, 4);
  info.writeUInt16BE(blockSamples, 6);
  info.writeUInt32BE(((sampleRate << 12) | (15 << 4)) >>> 0, 14); // mono, 16 bits
  info.writeUInt32BE(totalSamples, 18);
  return info;
};

const comment = (text: string): Buffer => {
  const sized = (value: string): Buffer => {
    const size = Buffer.alloc(4);
    size.writeUInt32LE(value.length);
    return Buffer.concat([size, Buffer.from(value, 'latin1')]);
  };
  const body = Buffer.concat([sized('emulator'), Buffer.from([1, 0, 0, 0]), sized(`TITLE=${text}`)]);
  return Buffer.concat([Buffer.from([0x84, 0, body.length >> 8, body.length & 0xff]), body]);
};

export const createFlac = (sound: Sound): Buffer => {
  const samples = createPcm(sound);
  const sizeBytes = blockSamples * 2;
  const frames = Array.from({ length: Math.ceil(samples.length / sizeBytes) }, (_, index) =>
    frame(index, samples.subarray(index * sizeBytes, (index + 1) * sizeBytes)),
  );
  const head = [Buffer.from('fLaC', 'latin1'), streamInfo(sound.sampleRate, samples.length / 2), comment(sound.seed)];
  return Buffer.concat([...head, ...frames]);
};
