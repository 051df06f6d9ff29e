import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RequestHandler } from 'express';
import type { Logger } from 'pino';
import { pinoHttp } from 'pino-http';

const saneRequestId = /^[\w.:-]{1,128}$/;

const nameRequest = (request: IncomingMessage, response: ServerResponse): string => {
  const offered = request.headers['x-request-id'];
  const id = typeof offered === 'string' && saneRequestId.test(offered) ? offered : randomUUID();
  response.setHeader('X-Request-Id', id);
  return id;
};

/** Who knows the whole address may send us messages about an attempt. */
const hideToken = (path: string): string => path.replace(/^(\/+webhooks\/+providers\/+[^/]+\/+).+/is, '$1[token]');

/** Never the query, a header or the body: they hold tags, keys and prompts. */
const describeRequest = (request: IncomingMessage): object => ({
  id: request.id,
  method: request.method,
  path: hideToken(request.url?.split('?')[0] ?? ''),
});

const address = /\bserver at \S+|\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?/g;

/**
 * Of the message only the last line: the lines before it are where Prisma prints the arguments of a query, prompts
 * included. A SyntaxError quotes the text it could not parse, so its message is left out.
 */
const describeMessage = (error: Error): string | undefined => {
  const lines = error.message.split('\n').filter((line) => line.trim() !== '');
  return error instanceof SyntaxError ? undefined : lines.at(-1)?.slice(0, 300).replaceAll(address, '[address]');
};

/** Where in our own code; the whole stack does not belong into a log. */
const findOrigin = (error: Error): string | undefined => {
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return frames.find((frame) => !/node_modules|node:/.test(frame))?.trim();
};

const describeError = (error: unknown): object => {
  if (!(error instanceof Error)) return { name: typeof error };
  const { name, code } = error as { name: string; code?: unknown };
  return { name, code, message: describeMessage(error), origin: findOrigin(error) };
};

const levelOf = (request: IncomingMessage, response: ServerResponse): 'error' | 'debug' | 'info' => {
  const isProbe = request.url === '/healthz' || request.url === '/readyz';
  if (isProbe) return 'debug';
  return response.statusCode >= 500 ? 'error' : 'info';
};

/** Names every request, says so in `X-Request-Id`, and writes one line when its answer is complete. */
export const logRequests = (logger: Logger): RequestHandler =>
  pinoHttp({
    logger,
    genReqId: nameRequest,
    wrapSerializers: false,
    customAttributeKeys: { req: 'request', res: 'response', err: 'error', responseTime: 'durationMs' },
    serializers: {
      request: describeRequest,
      response: (response: ServerResponse) => ({ status: response.statusCode }),
      error: describeError,
    },
    customLogLevel: levelOf,
    customErrorMessage: () => 'request failed',
  });
