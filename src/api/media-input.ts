import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import type { GenerationInput } from '../domain/generation';
import { headBytes, isOfKind, mediaTypes, sniffMediaType, type MediaKind } from '../domain/media-type';
import { strict, text } from './fields';

/** An image or video as the caller names it. Base64 is decoded by then, and its type is that of its bytes. */
export type NamedMedia =
  | { url: string }
  | { bytes: Uint8Array; contentType: string }
  | { upload: string }
  | { generation: string; index: number };

export type NamedInput = GenerationInput<NamedMedia>;

/** Of what comes within a request; anything larger is uploaded or fetched. */
const inlineMegabytes: Readonly<Record<MediaKind, number>> = { image: 20, video: 50 };

const urlCharacters = 4096;

const localName = /(^|\.)localhost\.?$/;

/** The look at where a name leads comes with the fetch; this is what can be seen at once. */
const isPublicHost = (hostname: string): boolean => {
  const host = hostname.replace(/^\[|\]$/g, '');
  return isIP(host) === 0 ? !localName.test(host) : ipaddr.process(host).range() === 'unicast';
};

const urlComplaint = (value: string): string | null => {
  if (!URL.canParse(value)) return 'must be an https URL';
  const { protocol, username, password, hostname } = new URL(value);
  if (protocol !== 'https:') return 'must be an https URL';
  if (username !== '' || password !== '') return 'must not hold a user name or password';
  return isPublicHost(hostname) ? null : 'must lead to a public address';
};

const url = text(urlCharacters).superRefine((value, context) => {
  const message = urlComplaint(value);
  if (message !== null) context.addIssue({ code: 'custom', message });
});

/** Of canonical base64. */
const decodedBytes = (encoded: string): number => {
  const padding = encoded.endsWith('==') ? 2 : encoded.endsWith('=') ? 1 : 0;
  return (encoded.length / 4) * 3 - padding;
};

const base64 = (kind: MediaKind) =>
  z
    .string()
    .min(1)
    .refine((encoded) => encoded.length % 4 === 0, { error: 'must be base64', abort: true })
    .refine((encoded) => decodedBytes(encoded) <= inlineMegabytes[kind] * 1024 * 1024, {
      error: `must have at most ${inlineMegabytes[kind]} MB when decoded; upload it instead`,
      abort: true,
    })
    .transform((encoded, context): Uint8Array => {
      const bytes = Buffer.from(encoded, 'base64');
      // what is no base64 is skipped by the decoder
      if (bytes.length !== decodedBytes(encoded)) context.addIssue({ code: 'custom', message: 'must be base64' });
      return bytes;
    });

const forms = ['url', 'base64', 'upload', 'generation'] as const;
const everyForm = '{"url"}, {"base64", "contentType"}, {"upload"} or {"generation", "index"}';

type Fields = {
  url?: string | undefined;
  base64?: Uint8Array | undefined;
  contentType?: string | undefined;
  upload?: string | undefined;
  generation?: string | undefined;
  index?: number | undefined;
};

type Complaint = { path: string[]; message: string };

const complaintAbout = (fields: Fields, kind: MediaKind): Complaint | null => {
  const named = forms.filter((form) => fields[form] !== undefined);
  if (named.length !== 1) return { path: [], message: `must be exactly one of ${everyForm}` };
  const stray = (name: 'contentType' | 'index', form: (typeof forms)[number]): boolean =>
    fields[name] !== undefined && named[0] !== form;
  if (stray('contentType', 'base64')) return { path: ['contentType'], message: 'goes with base64 only' };
  if (stray('index', 'generation')) return { path: ['index'], message: 'goes with generation only' };
  return fields.base64 === undefined ? null : inlineComplaint(fields.base64, fields.contentType, kind);
};

/** A provider would charge for finding out that these are not the bytes of such an image. */
const inlineComplaint = (bytes: Uint8Array, declared: string | undefined, kind: MediaKind): Complaint | null => {
  const accepted = mediaTypes[kind].join(', ');
  if (declared === undefined) return { path: ['contentType'], message: 'is required with base64' };
  if (!isOfKind(declared, kind)) return { path: ['contentType'], message: `must be one of ${accepted}` };
  const actual = sniffMediaType(bytes.subarray(0, headBytes));
  if (actual === declared) return null;
  const found = actual ?? 'none of these';
  return { path: ['base64'], message: `must be the bytes of ${declared}, is ${found} (accepted are ${accepted})` };
};

const toNamedMedia = ({ url, base64, contentType = '', upload, generation = '', index = 0 }: Fields): NamedMedia => {
  if (url !== undefined) return { url };
  if (base64 !== undefined) return { bytes: base64, contentType };
  return upload === undefined ? { generation, index } : { upload };
};

const medium = (kind: MediaKind) =>
  strict({
    url: url.optional(),
    base64: base64(kind).optional(),
    contentType: text(100).optional(),
    upload: text(64).optional(),
    generation: text(64).optional(),
    index: z.int().min(0).max(9999).optional(),
  })
    .superRefine((fields: Fields, context) => {
      const complaint = complaintAbout(fields, kind);
      if (complaint !== null) context.addIssue({ code: 'custom', ...complaint });
    })
    .transform(toNamedMedia);

export const image = medium('image').nullable().default(null);
export const video = medium('video').nullable().default(null);
export const images = z.array(medium('image')).max(16).default([]);
