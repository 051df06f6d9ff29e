import type { IncomingMessage, ServerResponse } from 'node:http';
import express, { type Request, type RequestHandler } from 'express';
import { SureshotError } from '../domain/failure';

const megabyte = 1024 * 1024;

/** A video of 50 MB has 67 MB as base64. */
const highestMegabytes = 72;

/** A body that is read and parsed takes several times its size in memory; small ones do not count. */
const budgetBytes = 256 * megabyte;
const countedFromBytes = megabyte;

/** The large bodies this process holds at the moment, with their sizes. */
const held = new Map<IncomingMessage, number>();

const tooLarge = (): SureshotError =>
  new SureshotError(
    'caller_payload_too_large',
    `the body must have at most ${highestMegabytes} MB; larger media go to POST /v1/uploads`,
  );

const noRoom = (): SureshotError =>
  new SureshotError('system_unavailable', 'too many large bodies at once; ask again soon or use POST /v1/uploads');

const claim = (request: IncomingMessage, response: ServerResponse, bytes: number): void => {
  // who hung up meanwhile would never be let go of
  if (bytes < countedFromBytes || held.has(request) || request.socket.destroyed) return;
  const sum = [...held.values()].reduce((total, size) => total + size, bytes);
  if (sum > budgetBytes) throw noRoom();
  held.set(request, bytes);
  response.once('close', () => held.delete(request));
};

const parseJson = express.json({
  limit: highestMegabytes * megabyte,
  // what was sent without its length, or compressed, shows its size only here
  verify: (request, response, body) => claim(request, response, body.length),
});

/** Once what is wanted of a body was taken out of it: the answer may be waited for. */
export const letGoOfBody = (request: Request): void => {
  request.body = undefined;
  held.delete(request);
};

/** After authentication: nobody without a key makes us parse so much. */
export const readJson: RequestHandler = (request, response, next) => {
  claim(request, response, Number(request.get('Content-Length') ?? 0));
  parseJson(request, response, (error?: unknown) => {
    if (error !== undefined) next((error as { status?: number }).status === 413 ? tooLarge() : error);
    else if (request.body !== undefined) next();
    else next(new SureshotError('caller_malformed', 'send a JSON object with Content-Type: application/json'));
  });
};

/** Where everything in the body may be left out, so may the body. */
export const readOptionalJson: RequestHandler = (request, response, next) => {
  const isEmpty = request.get('Transfer-Encoding') === undefined && Number(request.get('Content-Length') ?? 0) === 0;
  if (isEmpty) next();
  else readJson(request, response, next);
};
