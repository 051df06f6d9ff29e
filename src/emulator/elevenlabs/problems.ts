import type { z } from 'zod';
import { jsonAnswer, type Answer } from '../answer';

export const detail = (status: number, name: string, message: string): Answer =>
  jsonAnswer(status, { detail: { status: name, message } });

export const withheld = detail(400, 'content_against_policy', 'The text was flagged as against our terms of service.');

export const modelFailed = detail(500, 'internal_server_error', 'Something went wrong while generating the audio.');

/** FastAPI's list of everything that does not fit. */
export const invalidInput = (error: z.ZodError): Answer =>
  jsonAnswer(422, {
    detail: error.issues.map(({ path, message, code }) => ({
      loc: ['body', ...path.map(String)],
      msg: code === 'invalid_type' && message.includes('undefined') ? 'Field required' : message,
      type: code === 'invalid_type' && message.includes('undefined') ? 'missing' : 'value_error',
    })),
  });
