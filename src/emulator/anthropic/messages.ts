import { jsonAnswer, type Answer } from '../answer';
import type { Call } from '../provider';
import { complete, fateOf } from '../submit';
import { modelFailed, newId, problemAnswer, tooLarge } from './problems';
import { composeMessage, countInput, priceOf } from './replies';
import { lastPrompt, readCount, readMessage } from './request';
import { streamFailure, streamMessage } from './stream';
import { versionOf } from './versions';

const maxRequestBytes = 32 * 2 ** 20;

const isTooLarge = (call: Call, limitBytes: number): boolean =>
  Number(call.headers['content-length'] ?? 0) > limitBytes;

export const createMessage = async (call: Call): Promise<Answer> => {
  if (isTooLarge(call, maxRequestBytes)) return problemAnswer(tooLarge);
  const request = readMessage(call.body, versionOf(call));
  if ('status' in request) return problemAnswer(request);
  const { body, model } = request;
  const prompt = lastPrompt(body);
  const fate = fateOf(call, prompt);
  const message = composeMessage(newId('msg'), { body, model, prompt, reason: fate.reason, tier: 'standard' });
  const operation = await complete(call, {
    // A refusal is an answer like any other.
    ending: fate.ending === 'failed' && fate.reason !== 'internal' ? 'succeeded' : fate.ending,
    reason: fate.reason,
    id: message.id,
    model: body.model,
    medium: 'text',
    prompt,
    priceUsd: priceOf(message, model),
    tokens: message.usage.input_tokens + message.usage.output_tokens,
    durationMs: 1_500,
    outputs: [],
  });
  if (operation.ending === 'failed') {
    return body.stream === true ? streamFailure(message) : problemAnswer(modelFailed);
  }
  return body.stream === true ? streamMessage(message) : jsonAnswer(200, message);
};

export const countMessage = (call: Call): Answer => {
  const request = readCount(call.body);
  return 'status' in request ? problemAnswer(request) : jsonAnswer(200, { input_tokens: countInput(request.body) });
};
