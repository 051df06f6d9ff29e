import { z } from 'zod';
import type { MediaInput } from '../domain/generation';
import { choice, strict } from './fields';

const highestBytes = 5 * 1024 * 1024;

const base64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** Of canonical base64, without decoding it. */
const decodedBytes = (encoded: string): number => {
  const padding = encoded.endsWith('==') ? 2 : encoded.endsWith('=') ? 1 : 0;
  return (encoded.length / 4) * 3 - padding;
};

const contentTypes = ['image/png', 'image/jpeg', 'image/webp'] as const;

/** A provider would charge for finding out that these are not the bytes of such an image. */
const startsAs: Readonly<Record<(typeof contentTypes)[number], (head: Buffer) => boolean>> = {
  'image/png': (head) => head.toString('latin1', 0, 8) === '\x89PNG\r\n\x1a\n',
  'image/jpeg': (head) => head.toString('latin1', 0, 3) === '\xff\xd8\xff',
  'image/webp': (head) => head.toString('latin1', 0, 4) === 'RIFF' && head.toString('latin1', 8, 12) === 'WEBP',
};

const encoded = z
  .string()
  .refine((value) => value.length % 4 === 0 && base64.test(value), { error: 'must be base64', abort: true })
  .refine((value) => decodedBytes(value) <= highestBytes, { error: 'must have at most 5 MB when decoded' });

const inline = strict({ base64: encoded, contentType: choice(contentTypes) })
  .refine((image) => startsAs[image.contentType](Buffer.from(image.base64.slice(0, 16), 'base64')), {
    error: ({ input }) => `must start as ${(input as MediaInput).contentType} does`,
    path: ['base64'],
  })
  .transform((image): MediaInput => ({ ...image, bytes: decodedBytes(image.base64) }));

const laterForms = ['url', 'upload', 'generation'];

const hasLaterForm = (value: unknown): boolean =>
  value !== null && typeof value === 'object' && laterForms.some((form) => Object.hasOwn(value, form));

/** An image by value. */
export const image = z
  .unknown()
  .refine((value) => !hasLaterForm(value), {
    error: 'is not available yet in this form: accepted is {"base64", "contentType"}',
  })
  .pipe(inline)
  .nullable()
  .default(null);
