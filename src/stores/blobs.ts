import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { link, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';

export type Stored = { bytes: number; sha256: string };

/** Where results are kept. Keys are relative paths made of ids. */
export type BlobStore = {
  /** Whole or not at all; the same key again replaces it. Resolves once the stored bytes were read back and agree. */
  write(key: string, content: AsyncIterable<Uint8Array> | Uint8Array): Promise<Stored>;
  /** The same, unless something is there under this key already: that stays, and is what is answered. */
  writeOnce(key: string, content: AsyncIterable<Uint8Array> | Uint8Array): Promise<Stored>;
  /** What is there under this key, read and hashed; `null` when nothing is. */
  inspect(key: string): Promise<Stored | null>;
  /** All of its bytes in memory, with their hash; `null` when nothing is there. */
  load(key: string): Promise<(Stored & { content: Uint8Array }) | null>;
  /** Its first bytes, at most `length`; `null` when nothing is there. */
  peek(key: string, length: number): Promise<Uint8Array | null>;
  /** Also when nothing is there. */
  remove(key: string): Promise<void>;
  /** For serving it. */
  locate(key: string): Promise<{ path: string }>;
};

const hashFile = async (file: string): Promise<Stored> => {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(file)) {
    hash.update(chunk as Buffer);
    bytes += (chunk as Buffer).length;
  }
  return { bytes, sha256: hash.digest('hex') };
};

async function* counted(content: AsyncIterable<Uint8Array>, seen: (chunk: Uint8Array) => void) {
  for await (const chunk of content) {
    seen(chunk);
    yield chunk;
  }
}

const asStream = async function* (content: AsyncIterable<Uint8Array> | Uint8Array) {
  if (content instanceof Uint8Array) yield content;
  else yield* content;
};

const writeTemporary = async (file: string, content: AsyncIterable<Uint8Array> | Uint8Array): Promise<Stored> => {
  const hash = createHash('sha256');
  let bytes = 0;
  const source = counted(asStream(content), (chunk) => {
    hash.update(chunk);
    bytes += chunk.length;
  });
  const sink = createWriteStream(file, { flush: true });
  try {
    await pipeline(source, sink);
  } finally {
    // a source that fails at once is told before the file is there: it would come after its removal
    if (!sink.closed) await once(sink, 'close');
  }
  return { bytes, sha256: hash.digest('hex') };
};

/** Survives a power cut only when the folder entry is on the disk too. */
const syncFolder = async (folder: string): Promise<void> => {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
};

type Place = (temporary: string, file: string) => Promise<void>;

/** A second name for the same bytes, which fails where there is a file. Not every shared file system has those. */
const placeOnce: Place = async (temporary, file) => {
  await link(temporary, file).catch((error: NodeJS.ErrnoException) =>
    error.code === 'EEXIST' ? undefined : rename(temporary, file),
  );
};

const writeFileWhole = async (
  file: string,
  content: AsyncIterable<Uint8Array> | Uint8Array,
  place: Place,
): Promise<Stored> => {
  const temporary = `${file}.${randomUUID()}.part`;
  await mkdir(path.dirname(file), { recursive: true });
  try {
    const written = await writeTemporary(temporary, content);
    const found = await hashFile(temporary);
    if (found.sha256 !== written.sha256) throw new Error('the disk gave back other bytes than were written');
    await place(temporary, file);
    await syncFolder(path.dirname(file));
    return written;
  } finally {
    await rm(temporary, { force: true });
  }
};

const orNull = async <Result>(read: Promise<Result>): Promise<Result | null> => {
  try {
    return await read;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
};

const readHead = async (file: string, length: number): Promise<Uint8Array> => {
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
};

const loadFile = async (file: string) => {
  const content = await readFile(file);
  return { content, bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') };
};

/** Blobs as files below `root`, for one machine or a shared file system. */
export const createFileBlobs = (root: string): BlobStore => {
  const fileOf = (key: string): string => {
    const file = path.join(root, key);
    if (!file.startsWith(root + path.sep)) throw new RangeError(`not a blob key: ${key}`);
    return file;
  };
  return {
    write: async (key, content) => writeFileWhole(fileOf(key), content, rename),
    async writeOnce(key, content) {
      const file = fileOf(key);
      await writeFileWhole(file, content, placeOnce);
      return hashFile(file);
    },
    async inspect(key) {
      const file = fileOf(key);
      const exists = await stat(file).then(
        () => true,
        () => false,
      );
      return exists ? hashFile(file) : null;
    },
    load: async (key) => orNull(loadFile(fileOf(key))),
    peek: async (key, length) => orNull(readHead(fileOf(key), length)),
    remove: async (key) => rm(fileOf(key), { force: true }),
    locate: (key) => Promise.resolve({ path: fileOf(key) }),
  };
};
