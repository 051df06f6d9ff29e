import type { Medium } from './generation';

/** What an input slot takes, told by its kind. */
export type MediaKind = 'image' | 'video';

export const mediaTypes: Readonly<Record<MediaKind, readonly [string, ...string[]]>> = {
  image: ['image/png', 'image/jpeg', 'image/webp', 'image/gif'],
  video: ['video/mp4', 'video/quicktime', 'video/webm'],
};

/** Of any image or video we take in; what a model takes of it is its own, smaller number. */
export const highestMediaBytes = 100 * 1024 * 1024;

/** Enough of a file to tell its type by. */
export const headBytes = 256;

const textAt = (head: Uint8Array, start: number, end: number): string =>
  String.fromCharCode(...head.subarray(start, end));

/** `ftyp` brands of pictures and sounds, which live in the same container as videos do. */
const otherBrand = /^(avi[fs]|hei[cmsx]|hev[cmsx]|mi[af]1|msf1|jp2 |jpx |M4[ABP] |crx )$/;
const videoBrand = /^(mp4|iso|avc1|dash|cmf|M4V|MSNV|f4v)/;

/** ISO/IEC 14496-12: the major brand, a version, then the brands it is compatible with. */
const typeOfBrands = (head: Uint8Array): string | null => {
  const length = Math.min(head.length, new DataView(head.buffer, head.byteOffset).getUint32(0));
  const major = textAt(head, 8, 12);
  if (major === 'qt  ') return 'video/quicktime';
  if (otherBrand.test(major)) return null;
  for (let at = 8; at + 4 <= length; at += 4)
    if (at !== 12 && videoBrand.test(textAt(head, at, at + 4))) return 'video/mp4';
  return null;
};

/** Cameras of before 2005 begin with the content itself. */
const bareQuickTime = /^(moov|mdat|wide)$/;

const signatures: readonly (readonly [
  test: (head: Uint8Array) => boolean,
  type: (head: Uint8Array) => string | null,
])[] = [
  [(head) => textAt(head, 0, 8) === '\x89PNG\r\n\x1a\n', () => 'image/png'],
  [(head) => textAt(head, 0, 3) === '\xff\xd8\xff', () => 'image/jpeg'],
  [(head) => textAt(head, 0, 4) === 'RIFF' && textAt(head, 8, 12) === 'WEBP', () => 'image/webp'],
  [(head) => /^GIF8[79]a/.test(textAt(head, 0, 6)), () => 'image/gif'],
  [(head) => textAt(head, 4, 8) === 'ftyp', typeOfBrands],
  [(head) => bareQuickTime.test(textAt(head, 4, 8)), () => 'video/quicktime'],
  // EBML; its DocType element (0x4282) says whether it is WebM or another Matroska
  [
    (head) => textAt(head, 0, 4) === '\x1aE\xdf\xa3',
    (head) => (/\x42\x82(\x84|\x40\x04)webm/.test(textAt(head, 0, headBytes)) ? 'video/webm' : null),
  ],
];

/** The type of an image or video by what its bytes are; `null` where they are neither. */
export const sniffMediaType = (head: Uint8Array): string | null => {
  const found = signatures.find(([matches]) => matches(head));
  return found ? found[1](head) : null;
};

/** The sync word, and none of the values that ISO/IEC 11172-3 forbids. */
const isMpegFrame = (head: Uint8Array): boolean =>
  /^\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff][^\xf0-\xff]/.test(textAt(head, 0, 3)) && ((head[2] ?? 0) & 0x0c) !== 0x0c;

/** AAC in ADTS frames: the same sync word, layer 0, one of 13 sample rates. */
const isAdtsFrame = (head: Uint8Array): boolean =>
  /^\xff[\xf0\xf1\xf8\xf9]/.test(textAt(head, 0, 2)) && ((head[2] ?? 0xff) & 0x3c) >> 2 < 13;

/** ID3v2: ten bytes, the last four of them the length of the rest, in sevens of bits. */
const behindTag = (head: Uint8Array): Uint8Array =>
  head.subarray(10 + head.subarray(6, 10).reduce((length, byte) => length * 128 + byte, 0));

const soundSignatures: readonly (readonly [test: (head: Uint8Array) => boolean, type: string])[] = [
  [(head) => textAt(head, 0, 3) === 'ID3' && isAdtsFrame(behindTag(head)), 'audio/aac'],
  [(head) => textAt(head, 0, 3) === 'ID3', 'audio/mpeg'],
  [(head) => textAt(head, 0, 4) === 'RIFF' && textAt(head, 8, 12) === 'WAVE', 'audio/wav'],
  [(head) => textAt(head, 0, 4) === 'OggS', 'audio/ogg'],
  [(head) => textAt(head, 0, 4) === 'fLaC', 'audio/flac'],
  [(head) => /^ftypM4[AB] $/.test(textAt(head, 4, 12)), 'audio/mp4'],
];

const frameSignatures: typeof soundSignatures = [
  [isMpegFrame, 'audio/mpeg'],
  [isAdtsFrame, 'audio/aac'],
];

/** Samples without any header may begin with anything, a frame's three bytes included. */
const rawSamples = /^audio\/(pcm|l\d+|basic|x-alaw-basic)$/;

const sniffResult = (head: Uint8Array, told: readonly string[]): string | null => {
  const frames = told.some((type) => rawSamples.test(type)) ? [] : frameSignatures;
  const sound = [...soundSignatures, ...frames].find(([matches]) => matches(head));
  return sniffMediaType(head) ?? sound?.[1] ?? null;
};

const isUtf8 = (head: Uint8Array): boolean => {
  try {
    // cut anywhere, so the last character may be half there
    new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true });
    return true;
  } catch {
    return false;
  }
};

const hasControls = (head: Uint8Array): boolean =>
  head.some((byte) => byte === 0x7f || (byte < 0x20 && ![0x09, 0x0a, 0x0c, 0x0d].includes(byte)));

const beginsAsPage = (head: Uint8Array): boolean => /^(\xef\xbb\xbf)?\s*[<{[]/.test(textAt(head, 0, headBytes));

/** HTML, JSON, XML or plain words, where an image, a video or a sound belongs. */
const isPage = (head: Uint8Array, told: readonly string[]): boolean => {
  if (hasControls(head)) return false;
  // silence is a row of one and the same letter in some of them
  if (told.some((type) => rawSamples.test(type))) return beginsAsPage(head);
  return isUtf8(head) || beginsAsPage(head);
};

const isSvg = (head: Uint8Array): boolean =>
  /^\s*(<(\?xml|!--|!DOCTYPE svg)[^]*)?<svg[\s>]/.test(textAt(head, 0, headBytes));

/** Hold sounds as well as videos: which of them it is, only their inside tells. */
const containers = ['mp4', 'webm', 'ogg'];

/** What is told of neither by the bytes nor by anybody. */
export const unknownType = 'application/octet-stream';

const plainType = (contentType: string): string => (contentType.split(';')[0] ?? '').trim().toLowerCase();

const asKind = (type: string, kind: 'image' | 'video' | 'audio'): string | null => {
  const [found, subtype = ''] = type.split('/');
  if (found === kind) return type;
  return kind !== 'image' && containers.includes(subtype) ? `${kind}/${subtype}` : null;
};

/**
 * What a result of this medium is, by its bytes; where they do not tell, by what it was called (`told`, best first).
 * `null`: certainly no result of this medium: nothing at all, a page that explains an error, a picture for a video.
 */
export const typeOfResult = (
  head: Uint8Array,
  { medium, told }: { medium: Exclude<Medium, 'text'>; told: readonly (string | null)[] },
): string | null => {
  if (head.length === 0) return null;
  const kind = medium === 'speech' ? 'audio' : medium;
  const names = told.flatMap((type) => (type === null ? [] : [plainType(type)]));
  const found = sniffResult(head, names);
  if (found !== null) return asKind(found, kind);
  if (isPage(head, names) && !(kind === 'image' && isSvg(head))) return null;
  return names.find((name) => name.startsWith(`${kind}/`)) ?? unknownType;
};

export const isOfKind = (contentType: string, kind: MediaKind): boolean => mediaTypes[kind].includes(contentType);

/** `image`, `lastFrame` and each of `referenceImages` are images. */
export const kindOfSlot = (pointer: string): MediaKind => (pointer === 'video' ? 'video' : 'image');

const join = (parts: readonly Uint8Array[]): Uint8Array => {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
};

/** The same bytes, handed on once `judge` has seen how they begin; what it throws comes before any of them. */
export async function* withHead(
  content: AsyncIterable<Uint8Array>,
  judge: (head: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  let waiting: Uint8Array[] | null = [];
  let seen = 0;
  for await (const chunk of content) {
    seen += chunk.length;
    if (waiting === null) {
      yield chunk;
      continue;
    }
    waiting.push(chunk);
    if (seen < headBytes) continue;
    const head = join(waiting);
    waiting = null;
    judge(head.subarray(0, headBytes));
    yield head;
  }
  if (waiting === null) return;
  const all = join(waiting);
  judge(all);
  if (all.length > 0) yield all;
}
