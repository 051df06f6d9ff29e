import express, { type RequestHandler } from 'express';
import { SureshotError } from '../domain/failure';

// an image of 5 MB has 6.7 MB as base64
const parseJson = express.json({ limit: 10 * 1024 * 1024 });

/** After authentication: nobody without a key makes us parse 10 MB. */
export const readJson: RequestHandler = (request, response, next) => {
  parseJson(request, response, (error?: unknown) => {
    if (error !== undefined) next(error);
    else if (request.body !== undefined) next();
    else next(new SureshotError('caller_malformed', 'send a JSON object with Content-Type: application/json'));
  });
};
