import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createFileBlobs } from '../../src/stores/blobs';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'sureshot-blobs-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const key = 'generations/gen_1/1/0';
const describeBytes = (bytes: Buffer) => ({
  bytes: bytes.length,
  sha256: createHash('sha256').update(bytes).digest('hex'),
});

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield await Promise.resolve(bytes.subarray(at, at + size));
}

async function* interrupted(bytes: Buffer): AsyncGenerator<Buffer> {
  yield* inPieces(bytes, 1_000);
  throw new Error('the connection broke');
}

const listFiles = async (): Promise<string[]> => {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)));
};

test.each([0, 1, 3_000_000])('gives back %d bytes with their size and hash', async (size) => {
  const bytes = randomBytes(size);
  const blobs = createFileBlobs(root);
  expect(await blobs.write(key, inPieces(bytes, 70_000))).toEqual(describeBytes(bytes));
  expect(await blobs.inspect(key)).toEqual(describeBytes(bytes));
  expect((await readFile((await blobs.locate(key)).path)).equals(bytes)).toBe(true);
  expect(await listFiles()).toEqual([key]);
});

test('takes bytes in one piece too', async () => {
  const bytes = randomBytes(10);
  expect(await createFileBlobs(root).write(key, bytes)).toEqual(describeBytes(bytes));
});

test('finds nothing where nothing is', async () => {
  expect(await createFileBlobs(root).inspect(key)).toBeNull();
});

test('replaces what stood under the same key, whole', async () => {
  const blobs = createFileBlobs(root);
  await blobs.write(key, randomBytes(5_000));
  const bytes = randomBytes(10);
  await blobs.write(key, bytes);
  expect(await blobs.inspect(key)).toEqual(describeBytes(bytes));
  expect(await listFiles()).toEqual([key]);
});

test('an interrupted stream leaves nothing behind', async () => {
  const blobs = createFileBlobs(root);
  await expect(blobs.write(key, interrupted(randomBytes(200_000)))).rejects.toThrow('the connection broke');
  expect(await blobs.inspect(key)).toBeNull();
  expect(await listFiles()).toEqual([]);
});

test('a stream that fails at once leaves nothing behind either', async () => {
  const blobs = createFileBlobs(root);
  const failing = async function* (): AsyncGenerator<Buffer> {
    yield* [];
    return Promise.reject(new Error('refused'));
  };
  for (let index = 0; index < 1_000; index += 1)
    await expect(blobs.write(`${key}/${index}`, failing())).rejects.toThrow('refused');
  expect(await listFiles()).toEqual([]);
});

test('an interrupted replacement leaves the former content as it was', async () => {
  const blobs = createFileBlobs(root);
  const bytes = randomBytes(5_000);
  await blobs.write(key, bytes);
  await expect(blobs.write(key, interrupted(randomBytes(200_000)))).rejects.toThrow('the connection broke');
  expect(await blobs.inspect(key)).toEqual(describeBytes(bytes));
  expect(await listFiles()).toEqual([key]);
});

test.each(['', '.', '..', '../elsewhere', 'a/../../elsewhere', '../sureshot-blobs-twin/x'])(
  'refuses the key %j, which leads out of its folder',
  async (outside) => {
    const blobs = createFileBlobs(path.join(root, 'inner'));
    await expect(blobs.write(outside, randomBytes(1))).rejects.toThrow(RangeError);
    await expect(blobs.inspect(outside)).rejects.toThrow(RangeError);
    await expect((async () => blobs.locate(outside))()).rejects.toThrow(RangeError);
    expect(await listFiles()).toEqual([]);
  },
);

test.each(['a', '/a', 'a//b', './a'])('keeps the key %j below its folder', async (inside) => {
  await createFileBlobs(root).write(inside, randomBytes(1));
  expect(await listFiles()).toHaveLength(1);
});

test('twenty writers of one key leave one of their contents, whole', async () => {
  const blobs = createFileBlobs(root);
  const contents = Array.from({ length: 20 }, () => randomBytes(100_000));
  const written = await Promise.all(contents.map((bytes) => blobs.write(key, inPieces(bytes, 8_192))));
  expect(written).toEqual(contents.map(describeBytes));
  expect(written).toContainEqual(await blobs.inspect(key));
  expect(await listFiles()).toEqual([key]);
});

test('what is written once stays, and is what the second writer is told', async () => {
  const blobs = createFileBlobs(root);
  const bytes = randomBytes(5_000);
  expect(await blobs.writeOnce(key, inPieces(bytes, 1_000))).toEqual(describeBytes(bytes));
  expect(await blobs.writeOnce(key, randomBytes(10))).toEqual(describeBytes(bytes));
  expect(await blobs.inspect(key)).toEqual(describeBytes(bytes));
  expect(await listFiles()).toEqual([key]);
});

test('of twenty who write once at a time, one wins and all are told its content', async () => {
  const blobs = createFileBlobs(root);
  const contents = Array.from({ length: 20 }, () => randomBytes(100_000));
  const told = await Promise.all(contents.map((bytes) => blobs.writeOnce(key, inPieces(bytes, 8_192))));
  const kept = await blobs.inspect(key);
  expect(contents.map(describeBytes)).toContainEqual(kept);
  expect(told).toEqual(contents.map(() => kept));
  expect(await listFiles()).toEqual([key]);
});

test('gives back all bytes with their hash, or the first of them', async () => {
  const blobs = createFileBlobs(root);
  const bytes = randomBytes(5_000);
  await blobs.write(key, bytes);
  expect(await blobs.load(key)).toEqual({ ...describeBytes(bytes), content: bytes });
  expect(await blobs.peek(key, 10)).toEqual(bytes.subarray(0, 10));
  expect(await blobs.peek(key, 10_000)).toEqual(bytes);
});

test('removes what is there, and what is not', async () => {
  const blobs = createFileBlobs(root);
  await blobs.write(key, randomBytes(10));
  await blobs.remove(key);
  expect([await blobs.load(key), await blobs.peek(key, 1), await blobs.inspect(key)]).toEqual([null, null, null]);
  await blobs.remove(key);
  expect(await listFiles()).toEqual([]);
});

test('writers beside one that breaks are not disturbed', async () => {
  const blobs = createFileBlobs(root);
  const bytes = randomBytes(100_000);
  const broken = blobs.write(key, interrupted(randomBytes(100_000)));
  const [outcome] = await Promise.allSettled([broken, blobs.write(key, inPieces(bytes, 1_000))]);
  expect(outcome?.status).toBe('rejected');
  expect(await blobs.inspect(key)).toEqual(describeBytes(bytes));
  expect(await listFiles()).toEqual([key]);
});
