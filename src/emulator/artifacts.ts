import express, { type Router } from 'express';
import { Readable } from 'node:stream';
import { bytesAnswer, emptyAnswer, textAnswer, wholeBody, type Answer } from './answer';
import { exchange } from './exchange';
import { type Fault } from './faults';
import { extensionOf, renderOutput } from './media';
import { hashOf, stateOf, type Operation } from './operations';
import type { Call, EmulatedProvider, Route } from './provider';
import { findOperation, type World } from './world';

/** An absolute URL as the provider would sign it; `expiresAtMs` null = it lives as long as the emulator. */
export const artifactUrl = (
  { origin }: Pick<Call, 'origin'>,
  operation: Operation,
  { index, expiresAtMs }: { index: number; expiresAtMs: number | null },
): string => {
  const extension = extensionOf(operation.outputs[index]?.contentType ?? '');
  const query =
    expiresAtMs === null ? '' : `?_jwt=${Buffer.from(JSON.stringify({ exp: expiresAtMs })).toString('base64url')}`;
  return `${origin}/artifacts/${operation.provider}/${operation.id}/${index}.${extension}${query}`;
};

const hasExpired = (call: Call): boolean => {
  if (call.fault?.kind === 'artifact_expired') return true;
  const token = call.query.get('_jwt');
  if (token === null) return false;
  const { exp } = JSON.parse(Buffer.from(token, 'base64url').toString()) as { exp: number };
  return exp < call.world.clock();
};

const chunkBytes = Buffer.alloc(1 << 16, 0x5a);

const endless = (sizeBytes: number): Readable =>
  Readable.from(
    (function* produce() {
      for (let sent = 0; sent < sizeBytes; sent += chunkBytes.length) yield chunkBytes;
    })(),
    { objectMode: false },
  );

const rangePattern = /^bytes=(\d*)-(\d*)$/;

type ByteRange = { start: number; end: number };

const spanOf = (first: string, last: string, sizeBytes: number): ByteRange => {
  if (first === '') return { start: Math.max(0, sizeBytes - Number(last)), end: sizeBytes };
  return { start: Number(first), end: last === '' ? sizeBytes : Math.min(sizeBytes, Number(last) + 1) };
};

/** The half-open range asked for, undefined without one, null where it cannot be satisfied. */
const readRange = (header: string | undefined, sizeBytes: number): ByteRange | undefined | null => {
  const [, first = '', last = ''] = rangePattern.exec(header ?? '') ?? [];
  if (first === '' && last === '') return undefined;
  const range = spanOf(first, last, sizeBytes);
  return range.start < range.end ? range : null;
};

const serveBytes = (call: Call, bytes: Buffer, contentType: string): Answer => {
  const etag = `"${hashOf(bytes.toString('latin1')).slice(0, 32)}"`;
  const headers = {
    'content-type': contentType,
    etag,
    'accept-ranges': 'bytes',
    'cache-control': 'public, max-age=86400',
  };
  if (call.headers['if-none-match'] === etag) return emptyAnswer(304, headers);
  const range = readRange(call.headers.range, bytes.length);
  if (range === null) return emptyAnswer(416, { ...headers, 'content-range': `bytes */${bytes.length}` });
  if (range === undefined) return bytesAnswer(bytes, headers);
  const { start, end } = range;
  const partial = { ...headers, 'content-range': `bytes ${start}-${end - 1}/${bytes.length}` };
  return { ...bytesAnswer(bytes.subarray(start, end), partial), status: 206 };
};

const findArtifact = (call: Call): Operation | undefined => {
  const operation = findOperation(call.world, call.provider, call.params['operation'] ?? '');
  if (operation === undefined || operation.deletedAtMs !== null) return undefined;
  return stateOf(operation, call.world.clock()) === 'succeeded' ? operation : undefined;
};

const spoil = (fault: Fault | undefined, answer: Answer): Answer => {
  if (fault?.kind === 'artifact_oversized') return { ...answer, parts: endless(fault.sizeBytes) };
  if (fault?.kind === 'artifact_wrong_length') return { ...answer, declaredBytes: wholeBody(answer).length + 1000 };
  return answer;
};

/** The file itself, with whatever the fault does to it; for providers that serve files under their own routes. */
export const serveOutput = (call: Call, operation: Operation, index: number): Answer => {
  const contentType = operation.outputs[index]?.contentType ?? '';
  return spoil(call.fault, serveBytes(call, renderOutput(operation, index), contentType));
};

const serve = (provider: EmulatedProvider, call: Call): Answer => {
  const operation = findArtifact(call);
  const index = Number.parseInt(call.params['file'] ?? '', 10);
  const shape = operation?.outputs[index];
  if (operation === undefined || shape === undefined) return textAnswer(404, 'not found');
  call.touched = operation;
  if (hasExpired(call)) return provider.artifactExpired?.() ?? textAnswer(410, 'Gone');
  return serveOutput(call, operation, index);
};

const artifactRoute = (provider: EmulatedProvider): Route => ({
  method: 'get',
  path: `/${provider.id}/:operation/:file`,
  kind: 'artifact',
  describe: (call) => ({ operation: findOperation(call.world, provider.id, call.params['operation'] ?? '') }),
  handle: (call) => serve(provider, call),
});

export const artifactRouter = (world: World, providers: readonly EmulatedProvider[]): Router => {
  const router = express.Router();
  for (const provider of providers) {
    const route = artifactRoute(provider);
    // HEAD comes with GET.
    router.get(route.path, (request, response) => exchange({ world, provider, route }, request, response));
  }
  router.use((_request, response) => void response.status(404).end());
  return router;
};
