import type { Response } from 'express';
import type { Readable } from 'node:stream';

/** What a provider says; the way it travels (or gets lost) is decided elsewhere. */
export type Answer = {
  status: number;
  headers: Record<string, string>;
  /** Parts leave one by one, `paceMs` apart; a stream is for bodies too large to hold. */
  parts: (string | Buffer)[] | Readable;
  paceMs?: number;
  /** A content-length that is a lie. */
  declaredBytes?: number;
};

export const jsonAnswer = (status: number, value: unknown, headers: Record<string, string> = {}): Answer => ({
  status,
  headers: { 'content-type': 'application/json', ...headers },
  parts: [JSON.stringify(value)],
});

export const textAnswer = (status: number, text: string, headers: Record<string, string> = {}): Answer => ({
  status,
  headers: { 'content-type': 'text/plain; charset=utf-8', ...headers },
  parts: [text],
});

export const bytesAnswer = (bytes: Buffer, headers: Record<string, string>): Answer => ({
  status: 200,
  headers,
  parts: [bytes],
});

export const emptyAnswer = (status: number, headers: Record<string, string> = {}): Answer => ({
  status,
  headers,
  parts: [],
});

export const wholeBody = (answer: Answer): Buffer =>
  Array.isArray(answer.parts) ? Buffer.concat(answer.parts.map((part) => Buffer.from(part))) : Buffer.alloc(0);

export const writeHead = (response: Response, answer: Answer, sizeBytes: number | undefined): void => {
  response.status(answer.status);
  for (const [name, value] of Object.entries(answer.headers)) response.setHeader(name, value);
  const declaredBytes = answer.declaredBytes ?? sizeBytes;
  if (declaredBytes !== undefined && answer.status !== 204) response.setHeader('content-length', declaredBytes);
  response.flushHeaders();
};
