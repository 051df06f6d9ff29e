import { createHash } from 'node:crypto';
import { tinyPng } from './provider-calls';

const latin = (text: string): Buffer => Buffer.from(text, 'latin1');

/** The smallest beginnings that say what a file is. */
export const mediaBytes = {
  'image/png': Buffer.from(tinyPng, 'base64'),
  'image/jpeg': latin('\xff\xd8\xff\xe0\0\x10JFIF\0'),
  'image/webp': latin('RIFF\x24\0\0\0WEBPVP8 '),
  'image/gif': latin('GIF89a\x01\0\x01\0'),
  'video/mp4': latin('\0\0\0\x18ftypisom\0\0\x02\0isommp41'),
  'video/quicktime': latin('\0\0\0\x14ftypqt  \0\0\x02\0qt  '),
  'video/webm': latin('\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x84webm'),
} as const;

/** Much like them, and none of them. */
export const otherBytes = {
  text: latin('hello, world'),
  html: latin('<html><img src="a.png"></html>'),
  pdf: latin('%PDF-1.7\n'),
  avif: latin('\0\0\0\x1cftypavif\0\0\0\0avifmif1iso8'),
  heic: latin('\0\0\0\x18ftypheic\0\0\0\0mif1heic'),
  m4a: latin('\0\0\0\x18ftypM4A \0\0\0\0isommp42'),
  wav: latin('RIFF\x24\0\0\0WAVEfmt '),
  matroska: latin('\x1aE\xdf\xa3\xa3B\x82\x88matroska'),
  'a cut signature': latin('\x89PNG'),
} as const;

/** A PNG with `bytes` bytes, as far as anybody looks. */
export const pngOf = (bytes: number): Buffer =>
  Buffer.concat([mediaBytes['image/png'], Buffer.alloc(bytes - mediaBytes['image/png'].length)]);

export const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
