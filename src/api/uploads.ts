import type { Readable } from 'node:stream';
import busboy from 'busboy';
import { Router, type Request, type RequestHandler } from 'express';
import { ulid } from 'ulid';
import { SureshotError } from '../domain/failure';
import { highestMediaBytes, mediaTypes, sniffMediaType, withHead } from '../domain/media-type';
import type { Stored } from '../stores/blobs';
import { createUpload } from '../stores/uploads';
import { principalOf, requireScope } from './authenticate';
import type { ApiDependencies } from './dependencies';
import { refuseMethod } from './problem-details';

const accepted = Object.values(mediaTypes).flat().join(', ');

const invalid = (detail: string): SureshotError =>
  new SureshotError('caller_invalid_request', `the upload ${detail}`, { violations: [{ pointer: '', detail }] });

const malformed = (message: string): SureshotError => new SureshotError('caller_malformed', message);

const tooLarge = (): SureshotError =>
  new SureshotError('caller_payload_too_large', `an upload has at most ${highestMediaBytes / 1024 / 1024} MB`);

/** Headers of a form's parts. */
const formOverheadBytes = 64 * 1024;

const checkHead = (request: Request): void => {
  if (Number(request.get('Content-Length') ?? 0) > highestMediaBytes + formOverheadBytes) throw tooLarge();
  if ((request.get('Content-Encoding') ?? 'identity') !== 'identity')
    throw malformed('the Content-Encoding of an upload must be identity');
};

async function* limited(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of content) {
    bytes += chunk.length;
    if (bytes > highestMediaBytes) throw tooLarge();
    yield chunk;
  }
}

type Kept = Stored & { contentType: string };

/** By its content, whatever anybody calls it. */
const keep = async ({ blobs }: ApiDependencies, key: string, content: AsyncIterable<Uint8Array>): Promise<Kept> => {
  let contentType = '';
  const judge = (head: Uint8Array): void => {
    if (head.length === 0) throw invalid('is empty');
    const found = sniffMediaType(head);
    if (found === null) throw invalid(`is not of a type that can be used: accepted are ${accepted}`);
    contentType = found;
  };
  const stored = await blobs.write(key, limited(withHead(content, judge)));
  return { ...stored, contentType };
};

/** Leaving it early must not end the connection: the answer is still to be sent on it. */
const contentOf = (stream: Readable): AsyncIterable<Uint8Array> =>
  stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;

type Take = (content: AsyncIterable<Uint8Array>) => Promise<Kept>;

const openForm = (request: Request): busboy.Busboy => {
  try {
    return busboy({ headers: request.headers, limits: { files: 1, fields: 0 } });
  } catch {
    throw malformed('a multipart/form-data body needs its boundary');
  }
};

/** One file and nothing else. What stands after the file can still spoil it. */
const takeForm = async (request: Request, take: Take): Promise<Kept> => {
  const form = openForm(request);
  const taken: Promise<Kept>[] = [];
  const ended = new Promise<void>((resolve, reject) => {
    const extra = (): void => reject(invalid('must have one file and no other field'));
    form.on('filesLimit', extra).on('fieldsLimit', extra);
    form.on('file', (_name, file) => {
      // refused already, it may still break off: nobody listens by then
      file.on('error', () => undefined);
      const kept = take(contentOf(file));
      kept.catch(reject);
      taken.push(kept);
    });
    form.on('error', () => reject(malformed('the multipart/form-data body cannot be read')));
    form.once('close', resolve);
    request.once('close', () => request.complete || form.destroy());
  });
  request.pipe(form);
  try {
    await ended;
  } catch (error) {
    request.unpipe(form);
    form.destroy();
    await Promise.allSettled(taken);
    throw error;
  }
  const [file] = taken;
  if (!file) throw invalid('must have one file');
  return file;
};

const isForm = (request: Request): boolean => request.is('multipart/form-data') === 'multipart/form-data';

const cutShort = (): SureshotError => malformed('the body ended before it was complete');

const takeBody = async (request: Request, take: Take): Promise<Kept> => {
  // its end was told while the key was looked at: nobody would tell it again
  if (request.destroyed) throw cutShort();
  try {
    return await (isForm(request) ? takeForm(request, take) : take(contentOf(request)));
  } catch (error) {
    if (!request.complete && request.destroyed) throw cutShort();
    throw error;
  } finally {
    // who still sends reads no answer before all of it has gone
    request.resume();
  }
};

const answerUpload =
  (dependencies: ApiDependencies): RequestHandler =>
  async (request, response) => {
    checkHead(request);
    const id = `upl_${ulid()}`;
    const key = `uploads/${id}`;
    try {
      const kept = await takeBody(request, (content) => keep(dependencies, key, content));
      const { tenantId } = principalOf(response);
      const { createdAt } = await createUpload(dependencies.database, { id, tenantId, key, ...kept });
      response.status(201).json({ id, ...kept, createdAt: createdAt.toISOString() });
    } catch (error) {
      await dependencies.blobs.remove(key);
      throw error;
    }
  };

export const createUploadRoutes = (dependencies: ApiDependencies): Router => {
  const routes = Router();
  routes.route('/uploads').post(requireScope('submit'), answerUpload(dependencies)).all(refuseMethod('POST'));
  return routes;
};
