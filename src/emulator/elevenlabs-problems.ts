import { jsonAnswer, type Answer } from './answer';

export const detail = (status: number, name: string, message: string): Answer =>
  jsonAnswer(status, { detail: { status: name, message } });

export const withheld = detail(400, 'content_against_policy', 'The text was flagged as against our terms of service.');

export const modelFailed = detail(500, 'internal_server_error', 'Something went wrong while generating the audio.');
