import { headBytes, sniffMediaType, typeOfResult, unknownType, withHead } from '../../src/domain/media-type';
import { createAac, createMp3, createPcm, createWav } from '../../src/emulator/audio';
import { createFlac } from '../../src/emulator/flac';
import { createOggOpus } from '../../src/emulator/ogg';
import { createAlaw, createUlaw } from '../../src/emulator/telephony';
import { mediaBytes, otherBytes } from '../support/media-bytes';

test.each(Object.entries(mediaBytes))('%s is known by its bytes', (contentType, bytes) => {
  expect(sniffMediaType(bytes)).toBe(contentType);
  expect(sniffMediaType(Buffer.concat([bytes, Buffer.alloc(1_000)]))).toBe(contentType);
});

test.each(Object.entries(otherBytes))('%s is neither image nor video', (_name, bytes) => {
  expect(sniffMediaType(bytes)).toBeNull();
});

test('a video of which only a compatible brand is known is an MP4', () => {
  expect(sniffMediaType(Buffer.from('\0\0\0\x18ftypXAVC\0\0\0\0XAVCmp42', 'latin1'))).toBe('video/mp4');
  expect(sniffMediaType(Buffer.from('\0\0\0\x14ftypXAVC\0\0\0\0XAVCmp42', 'latin1'))).toBeNull();
});

test('a QuickTime file without brands is one all the same', () => {
  expect(sniffMediaType(Buffer.from('\0\0\x01\0moov', 'latin1'))).toBe('video/quicktime');
});

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield await Promise.resolve(bytes.subarray(at, at + size));
}

const pass = async (bytes: Uint8Array, size: number): Promise<{ passed: Buffer; heads: Uint8Array[] }> => {
  const heads: Uint8Array[] = [];
  const chunks: Uint8Array[] = [];
  for await (const chunk of withHead(inPieces(bytes, size), (head) => void heads.push(head))) chunks.push(chunk);
  return { passed: Buffer.concat(chunks), heads };
};

test.each([1, 100, headBytes, 10_000])('shows the head once and hands on every byte, in pieces of %d', async (size) => {
  const bytes = Buffer.from(Array.from({ length: 1_000 }, (_, index) => index % 251));
  const { passed, heads } = await pass(bytes, size);
  expect(passed.equals(bytes)).toBe(true);
  expect(heads.map((head) => Buffer.from(head))).toEqual([bytes.subarray(0, headBytes)]);
});

test('shows the head of what is shorter, and of what is empty', async () => {
  expect((await pass(Buffer.from('abc'), 2)).heads.map((head) => Buffer.from(head).toString())).toEqual(['abc']);
  expect(await pass(new Uint8Array(), 1)).toEqual({ passed: Buffer.alloc(0), heads: [new Uint8Array()] });
});

test('hands on nothing that the judge refuses', async () => {
  const refusing = withHead(inPieces(Buffer.alloc(1_000), 100), () => {
    throw new Error('refused');
  });
  await expect(refusing.next()).rejects.toThrow('refused');
});

const sound = { seed: 'a', seconds: 1, sampleRate: 8_000 };

const latin = (text: string): Buffer => Buffer.from(text, 'latin1');

const sounds: [string, Buffer][] = [
  ['audio/mpeg', createMp3(sound)],
  ['audio/mpeg', latin('\xff\xfb\x90\x64\0\0')],
  ['audio/wav', createWav(sound)],
  ['audio/aac', createAac(sound)],
  ['audio/flac', createFlac(sound)],
  ['audio/ogg', createOggOpus(sound)],
  ['audio/mp4', otherBytes.m4a],
];

type Wanted = Parameters<typeof typeOfResult>[1]['medium'];

const typeOf = (bytes: Uint8Array, medium: Wanted, ...told: (string | null)[]): string | null =>
  typeOfResult(bytes.subarray(0, headBytes), { medium, told });

test.each(sounds)('%s is known by its bytes, whatever it was called', (contentType, bytes) => {
  expect(typeOf(bytes, 'speech', 'application/octet-stream', 'text/html')).toBe(contentType);
  expect(typeOf(bytes, 'speech')).toBe(contentType);
});

test.each(Object.entries(mediaBytes))('%s as a result is known by its bytes', (contentType, bytes) => {
  expect(typeOf(bytes, contentType.startsWith('image') ? 'image' : 'video', 'image/bmp', 'video/avi')).toBe(
    contentType,
  );
});

test.each([
  ['audio/pcm', createPcm(sound)],
  ['audio/basic', createUlaw(sound)],
  ['audio/x-alaw-basic', createAlaw(sound)],
  ['audio/pcm', Buffer.alloc(1_000)],
  ['audio/x-alaw-basic', Buffer.alloc(1_000, 0x55)],
  ['audio/basic', Buffer.alloc(1_000, 0xff)],
  ['audio/pcm', latin('\xff\xfb\x90\x64\0\0')],
])('%s, which has no signature, is what it was called', (contentType, bytes) => {
  expect(typeOf(bytes, 'speech', contentType)).toBe(contentType);
});

test('a name counts where the bytes do not tell: the first one of the medium, without its parameters', () => {
  expect(typeOf(otherBytes.avif, 'image', 'image/avif')).toBe('image/avif');
  expect(typeOf(otherBytes.avif, 'image', null, 'Image/AVIF; q=1')).toBe('image/avif');
  expect(typeOf(otherBytes.avif, 'image', 'text/html', 'image/avif')).toBe('image/avif');
  expect(typeOf(otherBytes.avif, 'image', 'text/html', null)).toBe(unknownType);
});

test('a container of sounds and pictures is taken for what was asked for', () => {
  expect(typeOf(mediaBytes['video/mp4'], 'speech')).toBe('audio/mp4');
  expect(typeOf(mediaBytes['video/webm'], 'speech')).toBe('audio/webm');
  expect(typeOf(createOggOpus(sound), 'video')).toBe('video/ogg');
});

const pages: [string, Buffer][] = [
  ['nothing at all', latin('')],
  ['an HTML page', latin('\n<!DOCTYPE html><html><body>502 Bad Gateway')],
  ['an HTML page of another encoding', latin('<p>g\xe9n\xe9ration expir\xe9e</p>')],
  ['a page behind a byte order mark', latin('\xef\xbb\xbf<html>')],
  ['JSON', latin('{"error":{"message":"expired"}}')],
  ['an error of an object store', latin('<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>')],
  ['plain words', latin('Not found')],
  ['words cut within a letter', Buffer.from('größer '.repeat(100)).subarray(0, 243)],
];

test.each(pages)('%s is no result of any medium, whatever it was called', (_name, bytes) => {
  expect(typeOf(bytes, 'video', 'video/mp4')).toBeNull();
  expect(typeOf(bytes, 'image', 'image/png')).toBeNull();
  expect(typeOf(bytes, 'speech', 'audio/mpeg')).toBeNull();
});

test('an error page is no raw sound either', () => {
  expect(typeOf(latin('{"detail":"gone"}'), 'speech', 'audio/pcm')).toBeNull();
});

test('a drawing made of text is an image, and only that', () => {
  for (const svg of [
    '<svg xmlns="http://www.w3.org/2000/svg"/>',
    '<?xml version="1.0"?>\n<svg viewBox="0 0 1 1"></svg>',
  ]) {
    expect(typeOf(latin(svg), 'image', 'image/svg+xml')).toBe('image/svg+xml');
    expect(typeOf(latin(svg), 'video', 'video/mp4')).toBeNull();
  }
});

test('a picture is no video, a video no picture, and neither of them a sound', () => {
  expect(typeOf(mediaBytes['image/png'], 'video')).toBeNull();
  expect(typeOf(mediaBytes['video/mp4'], 'image')).toBeNull();
  expect(typeOf(mediaBytes['image/webp'], 'speech')).toBeNull();
  expect(typeOf(createMp3(sound), 'video')).toBeNull();
});
