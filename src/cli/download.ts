import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Api } from './api';
import { CliError, exitCodes } from './failure';
import type { Artifact, Generation } from './resource';

const extensions: Readonly<Record<string, string>> = {
  'video/mp4': '.mp4',
  'video/webm': '.webm',
  'image/png': '.png',
  'image/jpeg': '.jpg',
  'image/webp': '.webp',
  'audio/mpeg': '.mp3',
  'audio/wav': '.wav',
  'audio/ogg': '.ogg',
  'audio/flac': '.flac',
  'text/plain': '.txt',
  'application/json': '.json',
};

const extensionOf = ({ contentType }: Artifact): string => extensions[contentType.split(';')[0] ?? ''] ?? '';

const isFolder = (output: string): boolean =>
  /[/\\]$/.test(output) || statSync(output, { throwIfNoEntry: false })?.isDirectory() === true;

/** A folder takes a file for each, by the generation's id; of several, a file name gets the number before its ending. */
const placeOf = (output: string, { id, artifacts }: Generation, artifact: Artifact): string => {
  if (isFolder(output)) return path.join(output, `${id}-${artifact.index}${extensionOf(artifact)}`);
  if (artifacts.length === 1) return output;
  const { dir, name, ext } = path.parse(output);
  return path.join(dir, `${name}-${artifact.index}${ext}`);
};

const failed = (message: string, cause?: unknown): CliError =>
  new CliError(message, { exitCode: exitCodes.failed, cause });

const fetchOne = async (api: Api, { url, sha256, bytes }: Artifact, draft: string): Promise<void> => {
  const hash = createHash('sha256');
  let seenBytes = 0;
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      seenBytes += chunk.length;
      done(null, chunk);
    },
  });
  const content = await api.download(url);
  await pipeline(content, count, createWriteStream(draft)).catch((error: unknown) => {
    throw failed(`the download broke off: ${(error as Error).message}`, error);
  });
  if (seenBytes !== bytes || hash.digest('hex') !== sha256)
    throw failed(`what came is not what was stored: ${seenBytes} of ${bytes} bytes, or another hash`);
};

/** Whole and verified, or not there at all. Returns where they are. */
export const saveArtifacts = async (api: Api, generation: Generation, output: string): Promise<string[]> => {
  const files: string[] = [];
  for (const artifact of generation.artifacts) {
    const file = placeOf(output, generation, artifact);
    const draft = `${file}.${randomUUID()}.part`;
    try {
      mkdirSync(path.dirname(path.resolve(file)), { recursive: true });
      await fetchOne(api, artifact, draft);
      renameSync(draft, file);
    } catch (error) {
      if (error instanceof CliError) throw error;
      throw failed(`${file} cannot be written: ${(error as Error).message}`, error);
    } finally {
      rmSync(draft, { force: true });
    }
    files.push(file);
  }
  return files;
};
