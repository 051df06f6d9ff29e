import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';

export type Stored = { bytes: number; sha256: string };

/** Where results are kept. Keys are relative paths made of ids. */
export type BlobStore = {
  /** Whole or not at all; the same key again replaces it. Resolves once the stored bytes were read back and agree. */
  write(key: string, content: AsyncIterable<Uint8Array> | Uint8Array): Promise<Stored>;
  /** What is there under this key, read and hashed; `null` when nothing is. */
  inspect(key: string): Promise<Stored | null>;
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
  await pipeline(source, createWriteStream(file, { flush: true }));
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

/** Blobs as files below `root`, for one machine or a shared file system. */
export const createFileBlobs = (root: string): BlobStore => {
  const fileOf = (key: string): string => {
    const file = path.join(root, key);
    if (!file.startsWith(root + path.sep)) throw new RangeError(`not a blob key: ${key}`);
    return file;
  };
  return {
    async write(key, content) {
      const file = fileOf(key);
      const temporary = `${file}.${randomUUID()}.part`;
      await mkdir(path.dirname(file), { recursive: true });
      try {
        const written = await writeTemporary(temporary, content);
        const found = await hashFile(temporary);
        if (found.sha256 !== written.sha256)
          throw new Error(`the disk gave back other bytes than were written: ${key}`);
        await rename(temporary, file);
        await syncFolder(path.dirname(file));
        return written;
      } finally {
        await rm(temporary, { force: true });
      }
    },
    async inspect(key) {
      const file = fileOf(key);
      const exists = await stat(file).then(
        () => true,
        () => false,
      );
      return exists ? hashFile(file) : null;
    },
    locate: (key) => Promise.resolve({ path: fileOf(key) }),
  };
};
