import type { Answer } from '../answer';
import { renderOutput } from '../media';
import { endsAtMs, isOver, stateOf, type Operation } from '../operations';
import { countTokens } from '../prose';
import type { Call, Describe } from '../provider';
import { accept, complete, fateOf, findOwn } from '../submit';
import { changeOperation, pause, type Draft } from '../world';
import { createId, fileUri, interactionIdOf } from './files';
import { describeInput, readInteraction, type InteractionRequest } from './interactions-input';
import { interactionProblem, reply } from './problems';
import { webhookUrlsOf } from './webhook-config';

const modelName = 'gemini-omni-1.1-flash';

/** Published: 5,792 tokens a second of video at 17.50 USD a million (≈ 0.10 USD a second), 1.50 for what goes in. */
const tokensPerSecond = 5_792;
const rates = { input: 1.5, video: 17.5 };
/** Of an image or a second of anything that is looked at. */
const mediaTokens = 258;

const heights: Record<string, number> = { '360p': 360, '720p': 720, '1080p': 1080, '4k': 2160 };

const sizeOf = ({ resolution, aspect_ratio }: InteractionRequest['video']): { width: number; height: number } => {
  const short = heights[resolution] ?? 720;
  const long = (short * 16) / 9;
  return aspect_ratio === '9:16' ? { width: short, height: long } : { width: long, height: short };
};

type Modality = { modality: string; tokens: number };

type Usage = {
  total_tokens: number;
  total_input_tokens: number;
  input_tokens_by_modality: Modality[];
  total_cached_tokens: number;
  total_output_tokens: number;
  output_tokens_by_modality: Modality[];
  total_tool_use_tokens: number;
  total_thought_tokens: number;
};

const usageOf = ({ input, prompt, video, system_instruction = '' }: InteractionRequest): Usage => {
  const text = countTokens(`${system_instruction}${prompt}`);
  const kinds = [...new Set(input.map(({ type }) => type))].filter((type) => type !== 'text');
  const byModality = [
    { modality: 'text', tokens: text },
    ...kinds.map((modality) => ({
      modality,
      tokens: mediaTokens * input.filter(({ type }) => type === modality).length,
    })),
  ];
  const total_input_tokens = byModality.reduce((sum, { tokens }) => sum + tokens, 0);
  const total_output_tokens = Math.round(parseFloat(video.duration) * tokensPerSecond);
  return {
    total_tokens: total_input_tokens + total_output_tokens,
    total_input_tokens,
    input_tokens_by_modality: byModality,
    total_cached_tokens: 0,
    total_output_tokens,
    output_tokens_by_modality: [{ modality: 'video', tokens: total_output_tokens }],
    total_tool_use_tokens: 0,
    total_thought_tokens: 0,
  };
};

const latencyMs = 35_000;

/** What is kept for ever must not hold megabytes. */
const withoutData = (input: InteractionRequest['input']): Record<string, unknown>[] =>
  input.map((item) => Object.fromEntries(Object.entries(item).filter(([name]) => name !== 'data')));

const draftOf = (call: Call, request: InteractionRequest): Draft => {
  const fate = fateOf(call, request.prompt);
  const usage = usageOf(request);
  const fileId = createId();
  const seconds = parseFloat(request.video.duration);
  return {
    ...fate,
    id: interactionIdOf(fileId),
    model: request.model,
    medium: 'video',
    prompt: request.prompt,
    priceUsd: (usage.total_input_tokens * rates.input + usage.total_output_tokens * rates.video) / 1e6,
    durationMs: fate.reason === 'content' ? 3_000 : latencyMs,
    outputs: [{ contentType: 'video/mp4', ...sizeOf(request.video), seconds }],
    // Only what runs in the background outlives the request that could be told.
    webhookUrls: request.background ? webhookUrlsOf(request.webhook_config) : [],
    details: {
      fileId,
      usage,
      background: request.background,
      stored: request.store,
      delivery: request.video.delivery,
      input: withoutData(request.input),
      labels: request.labels ?? null,
      webhookConfig: request.webhook_config ?? null,
      previous: request.previous_interaction_id ?? null,
    },
  };
};

const failures = {
  content: {
    code: 'prohibited_content',
    message: 'Request blocked due to prohibited content guidelines. Please modify your input and retry.',
  },
  filtered: {
    code: 'content_blocked',
    message:
      "Unable to show the generated video. The video was filtered out because it violated Google's Generative AI Prohibited Use policy. Try rephrasing the prompt.",
  },
  internal: { code: 'api_error', message: 'Internal error encountered.' },
} as const;

type InteractionFailure = (typeof failures)[keyof typeof failures];

export const failureOf = (reason: Operation['reason']): InteractionFailure => failures[reason ?? 'internal'];

const states = {
  waiting: 'in_progress',
  running: 'in_progress',
  succeeded: 'completed',
  failed: 'failed',
  canceled: 'cancelled',
} as const;

const videoOf = (call: Call, operation: Operation): Record<string, unknown> => ({
  type: 'video',
  mime_type: 'video/mp4',
  ...(operation.details['delivery'] === 'uri'
    ? { uri: fileUri(call, String(operation.details['fileId']), 0) }
    : { data: renderOutput(operation, 0).toString('base64') }),
});

/** To the second, as the API writes times. */
const time = (atMs: number): string => `${new Date(atMs).toISOString().slice(0, 19)}Z`;

const headOf = (call: Call, operation: Operation): Record<string, unknown> => {
  const nowMs = call.world.clock();
  const updatedMs = isOver(operation, nowMs) ? (endsAtMs(operation) ?? nowMs) : operation.submittedAtMs;
  const { labels, previous, webhookConfig } = operation.details;
  return {
    id: operation.id,
    object: 'interaction',
    model: operation.model,
    role: 'model',
    status: states[stateOf(operation, nowMs)],
    created: time(operation.submittedAtMs),
    updated: time(updatedMs),
    ...(labels === null ? {} : { labels }),
    ...(previous === null ? {} : { previous_interaction_id: previous }),
    ...(webhookConfig === null ? {} : { webhook_config: webhookConfig }),
  };
};

const show = (call: Call, operation: Operation, withInput = false): Record<string, unknown> => {
  const head = headOf(call, operation);
  const input = withInput ? [{ type: 'user_input', content: operation.details['input'] }] : [];
  if (head['status'] === 'failed') {
    return { ...head, ...(withInput ? { steps: input } : {}), errors: [failureOf(operation.reason)] };
  }
  if (head['status'] !== 'completed') return { ...head, ...(withInput ? { steps: input } : {}) };
  const steps = [...input, { type: 'model_output', content: [videoOf(call, operation)] }];
  return { ...head, steps, usage: operation.details['usage'] };
};

const notFound = interactionProblem(404, 'not_found', 'Interaction not found.');

const find = (call: Call, id = call.params['id'] ?? ''): Operation | undefined => {
  const operation = findOwn(call, id);
  return operation?.deletedAtMs === null && operation.details['fileId'] !== undefined ? operation : undefined;
};

/** What a finished interaction looks like to those who listen; nothing tells of it before. */
const stream = (call: Call, operation: Operation): Answer => {
  const { steps, ...whole } = show(call, operation);
  const begun = { ...headOf(call, operation), status: 'in_progress' };
  const output = videoOf(call, operation);
  const events = [
    { event_type: 'interaction.created', interaction: begun },
    { event_type: 'interaction.status_update', interaction_id: operation.id, status: 'in_progress' },
    ...(steps === undefined
      ? []
      : [
          { event_type: 'step.start', index: 0, step: { type: 'model_output' } },
          { event_type: 'step.delta', index: 0, delta: output },
          { event_type: 'step.stop', index: 0 },
        ]),
    { event_type: 'interaction.completed', interaction: whole },
  ];
  const parts = events.map((event) => `event: ${event.event_type}\ndata: ${JSON.stringify(event)}\n\n`);
  return {
    status: 200,
    headers: { 'content-type': 'text/event-stream' },
    parts: [...parts, 'event: done\ndata: [DONE]\n\n'],
    paceMs: 5,
  };
};

/** In one request a failure is an HTTP error; of a background interaction it is a state. */
const finish = (call: Call, operation: Operation, isStream: boolean): Answer => {
  if (operation.ending === 'failed') {
    const { code, message } = failureOf(operation.reason);
    return interactionProblem(code === 'api_error' ? 500 : 400, code, message);
  }
  return isStream ? stream(call, operation) : reply(200, show(call, operation));
};

const checkModel = (model: string): Answer | undefined =>
  model === modelName
    ? undefined
    : interactionProblem(404, 'model_not_found', `Model '${model}' is not found or does not support interactions.`);

export const createInteraction = async (call: Call): Promise<Answer> => {
  const request = readInteraction(call.body);
  if ('status' in request) return request;
  const refusal = checkModel(request.model);
  if (refusal !== undefined) return refusal;
  const previous = request.previous_interaction_id;
  if (previous !== undefined && find(call, previous) === undefined) return notFound;
  const draft = draftOf(call, request);
  if (request.background) return reply(200, show(call, accept(call, draft)));
  return finish(call, await complete(call, draft), request.stream);
};

export const describeInteraction: Describe = ({ body }) => ({
  model: String((Object(body) as Record<string, unknown>)['model']),
  prompt: describeInput(body),
});

export const describeOwnInteraction: Describe = (call) => ({ operation: find(call) });

/** Until it is over, however it ends. */
const outlast = async ({ world }: Call, operation: Operation): Promise<void> => {
  for (let nowMs = world.clock(); !isOver(operation, nowMs) && !world.closing.signal.aborted; nowMs = world.clock()) {
    await pause(world, Math.min(1_000, Math.max(1, (endsAtMs(operation) ?? Infinity) - nowMs)));
  }
};

export const retrieveInteraction = async (call: Call): Promise<Answer> => {
  const operation = find(call);
  if (operation?.details['stored'] !== true) return notFound;
  if (call.query.get('stream') === 'true') {
    await outlast(call, operation);
    return stream(call, operation);
  }
  return reply(200, show(call, operation, call.query.get('include_input') === 'true'));
};

export const cancelInteraction = (call: Call): Answer => {
  const operation = find(call);
  if (operation === undefined) return notFound;
  const nowMs = call.world.clock();
  if (operation.details['background'] !== true || isOver(operation, nowMs)) {
    const message = 'Only background interactions that are still running can be cancelled.';
    return interactionProblem(400, 'failed_precondition', message);
  }
  changeOperation(call.world, operation, { canceledAtMs: nowMs });
  return reply(200, show(call, operation));
};

/** Forgets it; what still runs goes on, and is charged. */
export const deleteInteraction = (call: Call): Answer => {
  const operation = find(call);
  if (operation === undefined) return notFound;
  changeOperation(call.world, operation, { deletedAtMs: call.world.clock() });
  return reply(200, {});
};
