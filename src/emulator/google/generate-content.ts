import type { Answer } from '../answer';
import type { Operation } from '../operations';
import type { Call, Describe } from '../provider';
import { complete, fateOf } from '../submit';
import type { Draft } from '../world';
import { countPrompt, priceOf, replyTo, showChunks, showReply, type Asked, type Reply } from './content-answer';
import { countFields, type ContentBody } from './content-fields';
import { lastPrompt, readContent } from './content-input';
import { pixelsOf } from './image-sizes';
import { jsonOf, readMessage } from './message';
import { findModel, type GoogleModel, type Method } from './models';
import { badPayload, internal, invalidArgument, reply } from './problems';

export const describeContent: Describe = ({ params, body }) => ({
  model: params['model'],
  prompt: lastPrompt(body),
});

const outputsOf = ({ model, body, reason }: Asked): Draft['outputs'] =>
  model.image === undefined || reason !== null
    ? []
    : [{ contentType: 'image/png', ...pixelsOf(model.name, body.generationConfig?.imageConfig ?? {}) }];

const latencyOf = ({ image, thinking }: GoogleModel): number => {
  if (image !== undefined) return image.latencyMs;
  return thinking === 'always' ? 4_000 : 1_200;
};

const perform = async (
  call: Call,
  model: GoogleModel,
  body: ContentBody,
): Promise<{ operation: Operation; made: Reply }> => {
  const prompt = lastPrompt(call.body);
  const fate = fateOf(call, prompt);
  const asked: Asked = { model, body, prompt, reason: fate.reason };
  const made = replyTo(asked);
  // A blocked text is an answer like any other, and charged like one; a blocked image is not charged.
  const isAnswered = model.image === undefined && fate.ending === 'failed' && fate.reason !== 'internal';
  const operation = await complete(call, {
    ending: isAnswered ? 'succeeded' : fate.ending,
    reason: fate.reason,
    id: crypto.randomUUID().replaceAll('-', '').slice(0, 22),
    model: model.name,
    medium: model.image === undefined ? 'text' : 'image',
    prompt,
    priceUsd: priceOf(model, made, body.generationConfig?.imageConfig?.imageSize),
    tokens: made.usage.totalTokenCount,
    durationMs: fate.reason === 'content' ? 500 : latencyOf(model),
    outputs: outputsOf(asked),
  });
  return { operation, made };
};

/** Interactions only: what a client gets that takes it for one more content model. */
const elsewhere = 'gemini-omni-1.1-flash';

const content =
  (method: Method, show: (call: Call, operation: Operation, made: Reply) => Answer) =>
  async (call: Call): Promise<Answer> => {
    if (call.params['model'] === elsewhere) {
      return invalidArgument(
        `${elsewhere} is only supported in the Interactions API and cannot be called directly via generateContent.`,
      );
    }
    const model = findModel(call, method);
    if ('status' in model) return model;
    const body = readContent(call.body, model);
    if ('status' in body) return body;
    const { operation, made } = await perform(call, model, body);
    return operation.reason === 'internal' ? internal : show(call, operation, made);
  };

export const generateContent = content('generateContent', (_call, operation, made) =>
  reply(200, showReply(operation, made)),
);

/** Server-sent events when asked for, else one JSON array that grows. */
const stream = (call: Call, operation: Operation, made: Reply): Answer => {
  const chunks = showChunks(operation, made).map((chunk) => JSON.stringify(chunk));
  if (call.query.get('alt') === 'sse') {
    const headers = { 'content-type': 'text/event-stream' };
    return { status: 200, headers, parts: chunks.map((chunk) => `data: ${chunk}\r\n\r\n`), paceMs: 5 };
  }
  const headers = { 'content-type': 'application/json; charset=UTF-8' };
  const last = chunks.length - 1;
  const parts = chunks.map((chunk, index) => `${index === 0 ? '[' : ','}${chunk}\n${index === last ? ']' : ''}`);
  return { status: 200, headers, parts, paceMs: 5 };
};

export const streamContent = content('streamGenerateContent', stream);

/** Free of charge. */
export const countContent = (call: Call): Answer => {
  const model = findModel(call, 'countTokens');
  if ('status' in model) return model;
  const { value, violations } = readMessage(jsonOf(call.body), countFields);
  if (violations.length > 0) return badPayload(violations);
  const body = (value['generateContentRequest'] ?? value) as ContentBody;
  const { total, details } = countPrompt(body);
  return reply(200, { totalTokens: total, promptTokensDetails: details });
};
