import type { Answer } from '../answer';
import { isOver, stateOf, type Operation } from '../operations';
import type { Call, Describe } from '../provider';
import { accept, fateOf, findOwn, ownOperations } from '../submit';
import { createId, fileUri } from './files';
import { findModel, pageOf } from './models';
import { missing, reply } from './problems';
import { readVeo } from './veo-input';
import { webhookUrlsOf } from './webhook-config';

const heights: Record<string, number> = { '720p': 720, '1080p': 1080, '4k': 2160 };

const sizeOf = (resolution: string, aspectRatio: string): { width: number; height: number } => {
  const short = heights[resolution] ?? 720;
  const long = (short * 16) / 9;
  return aspectRatio === '9:16' ? { width: short, height: long } : { width: long, height: short };
};

const nameOf = ({ model, id }: Operation): string => `models/${model}/operations/${id}`;

export const submitVeo = (call: Call): Answer => {
  const model = findModel(call, 'predictLongRunning');
  if ('status' in model) return model;
  const input = readVeo(call, model);
  if ('status' in input) return input;
  const fate = fateOf(call, input.prompt);
  const { seconds, count } = input;
  const shape = { contentType: 'video/mp4', ...sizeOf(input.resolution, input.aspectRatio), seconds };
  const operation = accept(call, {
    ...fate,
    id: createId(),
    model: model.name,
    medium: 'video',
    prompt: input.prompt,
    priceUsd: (model.video?.rates[input.resolution] ?? 0) * seconds * count,
    // A prompt is looked at before anything is made. Nothing that ends without a video is charged.
    durationMs: fate.reason === 'content' ? 3_000 : (model.video?.latencyMs ?? 0),
    outputs: Array.from({ length: count }, () => ({ ...shape })),
    webhookUrls: webhookUrlsOf(input.webhookConfig),
    details: { webhookConfig: input.webhookConfig },
  });
  return reply(200, { name: nameOf(operation) });
};

const responseOf = (content: Record<string, unknown>): Record<string, unknown> => ({
  '@type': 'type.googleapis.com/google.ai.generativelanguage.v1beta.PredictLongRunningResponse',
  generateVideoResponse: content,
});

const filteredReason =
  "Sorry, we can't create videos with this content. It might violate Google's Responsible AI practices. Please adjust your prompt and try again. You have not been charged.";

/** google.rpc codes, not HTTP's. */
const errors = {
  content: {
    code: 3,
    message:
      "The prompt could not be submitted. This prompt contains words that violate Google's Responsible AI practices. Try rephrasing the prompt.",
  },
  internal: {
    code: 13,
    message: 'Video generation failed due to an internal server issue. Please try again in a few minutes.',
  },
} as const;

const resultOf = (call: Call, operation: Operation): Record<string, unknown> => {
  // Filtered output is a success without a video.
  if (operation.reason === 'filtered') {
    const count = operation.outputs.length;
    return {
      response: responseOf({
        raiMediaFilteredCount: count,
        raiMediaFilteredReasons: Array.from({ length: count }, () => filteredReason),
      }),
    };
  }
  if (stateOf(operation, call.world.clock()) === 'failed') return { error: errors[operation.reason ?? 'internal'] };
  const generatedSamples = operation.outputs.map((_, index) => ({
    video: { uri: fileUri(call, operation.id, index) },
  }));
  return { response: responseOf({ generatedSamples }) };
};

const show = (call: Call, operation: Operation): Record<string, unknown> =>
  isOver(operation, call.world.clock())
    ? { name: nameOf(operation), done: true, ...resultOf(call, operation) }
    : { name: nameOf(operation) };

const find = (call: Call): Operation | undefined => {
  const operation = findOwn(call, call.params['operation'] ?? '');
  return operation?.model === call.params['model'] ? operation : undefined;
};

export const describeVeo: Describe = ({ params, body }) => {
  const { instances } = Object(body) as Record<string, unknown>;
  const first: unknown = Array.isArray(instances) ? instances[0] : undefined;
  const { prompt } = Object(first) as Record<string, unknown>;
  return { model: params['model'], prompt: typeof prompt === 'string' ? prompt : '' };
};

export const describeVeoOperation: Describe = (call) => ({ operation: find(call) });

export const pollVeo = (call: Call): Answer => {
  const operation = find(call);
  return operation === undefined ? missing : reply(200, show(call, operation));
};

/** The only recovery door: no time, no prompt, nothing but names and results. */
export const listVeo = (call: Call): Answer => {
  const own = ownOperations(call).filter(({ model, medium }) => model === call.params['model'] && medium === 'video');
  const { page, ...token } = pageOf(call, own);
  return reply(200, { operations: page.map((operation) => show(call, operation)), ...token });
};
