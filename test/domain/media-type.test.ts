import { headBytes, sniffMediaType, withHead } from '../../src/domain/media-type';
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
