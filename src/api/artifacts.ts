import { Router, type RequestHandler, type Response } from 'express';
import { SureshotError } from '../domain/failure';
import { findArtifact } from '../stores/artifacts';
import { principalOf, requireScope } from './authenticate';
import type { ApiDependencies } from './dependencies';
import { readId } from './generations';
import { refuseMethod } from './problem-details';

/** Everything else is a download: a provider's bytes must not become a page of our origin. */
const shownInline = /^(video|audio)\/|^image\/(png|jpeg|webp|gif|avif)$|^text\/plain/;

const extensions: Readonly<Record<string, string>> = {
  'video/mp4': '.mp4',
  'image/png': '.png',
  'image/jpeg': '.jpg',
  'image/webp': '.webp',
  'audio/mpeg': '.mp3',
  'audio/wav': '.wav',
  'text/plain': '.txt',
  'application/json': '.json',
};

const missingArtifact = (): SureshotError => new SureshotError('caller_not_found', 'there is no such artifact');

const readIndex = (index: unknown): number => {
  if (typeof index !== 'string' || !/^\d{1,4}$/.test(index)) throw missingArtifact();
  return Number(index);
};

const headersOf = (contentType: string, name: string, sha256: string): Record<string, string> => {
  const [mediaType = ''] = contentType.split(';');
  const disposition = shownInline.test(contentType) ? 'inline' : 'attachment';
  return {
    'Content-Type': contentType,
    'Content-Disposition': `${disposition}; filename="${name}${extensions[mediaType.trim()] ?? '.bin'}"`,
    'Content-Security-Policy': "default-src 'none'; sandbox",
    'X-Content-Type-Options': 'nosniff',
    // the bytes under an address never change, but only who has a key may see them
    'Cache-Control': 'private, no-cache',
    ETag: `"${sha256}"`,
  };
};

type SendError = Error & { code?: string; status?: number };

const sendFile = (response: Response, path: string): Promise<void> =>
  new Promise((resolve, reject) => {
    // dotfiles: the blob store is below `.sureshot`
    const options = { dotfiles: 'allow', cacheControl: false, lastModified: false, acceptRanges: true } as const;
    response.sendFile(path, options, (error?: SendError) => {
      if (!error || response.headersSent || error.code === 'ECONNABORTED') resolve();
      else reject(error.status === 404 ? new Error('the bytes of an artifact are not in the blob store') : error);
    });
  });

const clearHeaders = (response: Response, names: readonly string[]): void => {
  for (const name of names) response.removeHeader(name);
};

const answerBytes =
  ({ database, blobs }: ApiDependencies): RequestHandler =>
  async (request, response) => {
    const [id, index] = [readId(request.params['id']), readIndex(request.params['index'])];
    const artifact = await findArtifact(database, { tenantId: principalOf(response).tenantId, id, index });
    if (!artifact) throw missingArtifact();
    const { path } = await blobs.locate(artifact.key);
    const headers = headersOf(artifact.contentType, `${id}-${index}`, artifact.sha256);
    response.set(headers);
    try {
      await sendFile(response, path);
    } catch (error) {
      if (!response.headersSent) clearHeaders(response, Object.keys(headers));
      throw error;
    }
  };

export const createArtifactRoutes = (dependencies: ApiDependencies): Router => {
  const routes = Router();
  routes
    .route('/generations/:id/artifacts/:index')
    .get(requireScope('read'), answerBytes(dependencies))
    .all(refuseMethod('GET'));
  return routes;
};
