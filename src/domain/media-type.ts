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
