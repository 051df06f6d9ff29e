import type { Size } from './png';

const pngSize = (bytes: Buffer): Size | undefined =>
  bytes.length >= 24 && bytes.readUInt32BE(0) === 0x89504e47
    ? { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) }
    : undefined;

const isFrameHeader = (marker: number): boolean =>
  marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);

/** Walks the segments up to the frame header, which is where a JPEG tells its size. */
const jpegSize = (bytes: Buffer): Size | undefined => {
  if (bytes.length < 4 || bytes.readUInt16BE(0) !== 0xffd8) return undefined;
  for (let at = 2; at + 9 <= bytes.length && bytes[at] === 0xff; at += 2 + bytes.readUInt16BE(at + 2)) {
    if (isFrameHeader(bytes[at + 1] ?? 0)) {
      return { height: bytes.readUInt16BE(at + 5), width: bytes.readUInt16BE(at + 7) };
    }
  }
  return undefined;
};

/** Of a PNG or a JPEG. */
export const readImageSize = (bytes: Buffer): Size | undefined => {
  const size = pngSize(bytes) ?? jpegSize(bytes);
  return size === undefined || size.width === 0 || size.height === 0 ? undefined : size;
};

/** Of the image in a data URI. */
export const readUriSize = (uri: string): Size | undefined => {
  const base64 = /^data:image\/[\w+.-]+;base64,(.*)$/s.exec(uri)?.[1];
  return base64 === undefined ? undefined : readImageSize(Buffer.from(base64, 'base64'));
};
