import { jsonAnswer, textAnswer, type Answer } from './answer';
import { artifactUrl } from './artifacts';
import { falModels, type FalPlan } from './fal-models';
import { contentRefused, invalidInput, modelFailed, platformProblem } from './fal-problems';
import { listRequests } from './fal-platform';
import { queuePosition, withdraw } from './lanes';
import { renderOutput } from './media';
import { hashOf, isOver, progressOf, stateOf, type Operation } from './operations';
import type { Call, EmulatedProvider, Failure, Route } from './provider';
import { accept, fateOf, findOwn, type Fate } from './submit';
import { changeOperation, type Draft } from './world';

/** Endpoint ids have a path (`fal-ai/flux/dev`); their requests live at the application (`fal-ai/flux`). */
const applicationOf = (endpoint: string): string => endpoint.split('/').slice(0, 2).join('/');

const find = (call: Call): Operation | undefined => {
  const operation = findOwn(call, call.params['id'] ?? '');
  const application = `${call.params['owner'] ?? ''}/${call.params['app'] ?? ''}`;
  return operation !== undefined && applicationOf(operation.model) === application ? operation : undefined;
};

const linksOf = (call: Call, operation: Operation): Record<string, string> => {
  const url = `${call.origin}/fal/${applicationOf(operation.model)}/requests/${operation.id}`;
  return { response_url: url, status_url: `${url}/status`, cancel_url: `${url}/cancel` };
};

/** The safety checker of an image model blacks the picture and calls it a success. */
const withBlackImages = (plan: FalPlan, fate: Fate): Pick<Draft, 'outputs' | 'ending' | 'reason'> =>
  plan.medium === 'image' && fate.reason === 'filtered'
    ? { ...fate, ending: 'succeeded', outputs: plan.outputs.map((shape) => ({ ...shape, black: true })) }
    : { ...fate, outputs: plan.outputs };

const longestEcho = 2_000;

/** fal's request list shows the input; a data URI of megabytes is not worth remembering. */
const echoOf = (input: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(input).map(([name, value]) => [
      name,
      typeof value === 'string' && value.length > longestEcho ? `${value.slice(0, longestEcho)}…` : value,
    ]),
  );

const lifetimeOf = (call: Call): number | null => {
  const header = call.headers['x-fal-object-lifecycle-preference'];
  const match = /"expiration_duration_seconds"\s*:\s*(\d+)/.exec(String(header));
  return match === null ? null : Number(match[1]);
};

const submit = (call: Call): Answer => {
  const endpoint = call.params['endpoint'] ?? '';
  const model = falModels[endpoint];
  if (model === undefined) return platformProblem(404, `Application "${endpoint.split('/')[1] ?? endpoint}" not found`);
  const parsed = model.schema.safeParse(call.body);
  if (!parsed.success) return invalidInput(parsed.error, call.body);
  const plan = model.plan(parsed.data);
  const prompt = String(parsed.data['prompt']);
  const fate = fateOf(call, prompt);
  if (fate.reason === 'content') return contentRefused(prompt);
  const draft: Draft = {
    ...withBlackImages(plan, fate),
    model: endpoint,
    medium: plan.medium,
    prompt,
    priceUsd: plan.priceUsd,
    durationMs: plan.latencyMs,
    details: {
      input: echoOf(Object(call.body) as Record<string, unknown>),
      seed: plan.seed,
      webhook: call.query.get('fal_webhook'),
      priority: call.headers['x-fal-queue-priority'] ?? 'normal',
      lifetimeSeconds: lifetimeOf(call),
      syncMode: parsed.data['sync_mode'] === true,
    },
  };
  const operation = accept(call, draft, 'all');
  const answer = { status: 'IN_QUEUE', queue_position: queuePosition(call.world, operation), request_id: operation.id };
  return jsonAnswer(200, { ...answer, ...linksOf(call, operation) });
};

/** A tenth of its time an unhindered request waits for a runner. */
const isQueued = (call: Call, operation: Operation): boolean => progressOf(operation, call.world.clock()) < 0.1;

const logsOf = (operation: Operation): Record<string, unknown>[] => [
  {
    message: 'Runner started',
    level: 'INFO',
    source: 'USER',
    timestamp: new Date(operation.startedAtMs ?? 0).toISOString(),
  },
];

const errorsOf = (call: Call, operation: Operation): Record<string, string> => {
  const state = stateOf(operation, call.world.clock());
  if (state === 'canceled') return { error: 'Request was cancelled', error_type: 'client_cancelled' };
  if (state !== 'failed') return {};
  return operation.reason === 'internal'
    ? { error: 'Internal server error', error_type: 'internal_server_error' }
    : { error: 'Content policy violation', error_type: 'content_policy_violation' };
};

const poll = (call: Call): Answer => {
  const operation = find(call);
  if (operation === undefined) return platformProblem(404, 'Request not found');
  const logs = call.query.get('logs') === '1' ? logsOf(operation) : null;
  const common = { request_id: operation.id, ...linksOf(call, operation) };
  if (isOver(operation, call.world.clock())) {
    const metrics = { inference_time: operation.durationMs / 1000 };
    return jsonAnswer(200, { status: 'COMPLETED', ...common, logs, metrics, ...errorsOf(call, operation) });
  }
  return isQueued(call, operation)
    ? jsonAnswer(202, { status: 'IN_QUEUE', ...common, queue_position: queuePosition(call.world, operation) })
    : jsonAnswer(202, { status: 'IN_PROGRESS', ...common, logs });
};

const fileUrl = (call: Call, operation: Operation, index: number): string => {
  if (operation.details['syncMode'] === true) {
    return `data:${operation.outputs[index]?.contentType ?? ''};base64,${renderOutput(operation, index).toString('base64')}`;
  }
  const lifetime = operation.details['lifetimeSeconds'];
  const endMs = (operation.startedAtMs ?? operation.submittedAtMs) + operation.durationMs;
  return artifactUrl(call, operation, {
    index,
    expiresAtMs: typeof lifetime === 'number' ? endMs + lifetime * 1000 : null,
  });
};

const outputOf = (call: Call, operation: Operation): Record<string, unknown> => {
  if (operation.medium === 'video') {
    const file_size = renderOutput(operation, 0).length;
    return {
      video: { url: fileUrl(call, operation, 0), content_type: 'video/mp4', file_name: 'output.mp4', file_size },
    };
  }
  const images = operation.outputs.map(({ contentType, width, height }, index) => ({
    url: fileUrl(call, operation, index),
    width,
    height,
    content_type: contentType,
  }));
  return {
    images,
    timings: { inference: operation.durationMs / 1000 },
    seed: operation.details['seed'] ?? Number.parseInt(hashOf(operation.id).slice(0, 8), 16),
    has_nsfw_concepts: images.map(() => operation.reason === 'filtered'),
    prompt: operation.prompt,
  };
};

const result = (call: Call): Answer => {
  const operation = find(call);
  if (operation === undefined) return platformProblem(404, 'Request not found');
  const state = stateOf(operation, call.world.clock());
  if (state === 'succeeded') return jsonAnswer(200, outputOf(call, operation));
  if (state === 'canceled') return platformProblem(400, 'Request was cancelled', 'client_cancelled');
  if (state === 'failed') return operation.reason === 'internal' ? modelFailed : contentRefused(operation.prompt);
  return platformProblem(400, 'Request is still in progress');
};

const cancel = (call: Call): Answer => {
  const operation = find(call);
  if (operation === undefined) return jsonAnswer(404, { status: 'NOT_FOUND' });
  const nowMs = call.world.clock();
  if (isOver(operation, nowMs)) return jsonAnswer(400, { status: 'ALREADY_COMPLETED' });
  const wasQueued = isQueued(call, operation);
  withdraw(call.world, operation);
  // Never begun = never charged.
  changeOperation(call.world, operation, { canceledAtMs: nowMs, ...(wasQueued ? { startedAtMs: null } : {}) });
  return wasQueued ? textAnswer(200, 'OK') : jsonAnswer(202, { status: 'CANCELLATION_REQUESTED' });
};

const describeSubmit: Route['describe'] = ({ body, params }) => ({
  model: params['endpoint'],
  prompt: String((Object(body) as Record<string, unknown>)['prompt']),
});

const describeRequest: Route['describe'] = (call) => ({ operation: find(call) });

const requestPath = '/:owner/:app/requests/:id';

/** Its infrastructure says `error_type`; limits and keys do not. */
const fail = ({ status, retryAfterSeconds }: Failure): Answer => {
  const type = status === 504 ? 'request_timeout' : status >= 500 ? 'runner_connection_timeout' : undefined;
  const answer = platformProblem(status, status === 429 ? 'Too many requests' : `Emulated ${status}`, type);
  const wait: Record<string, string> =
    retryAfterSeconds === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfterSeconds)) };
  return { ...answer, headers: { ...answer.headers, ...wait } };
};

export const fal: EmulatedProvider = {
  id: 'fal',
  prefix: '/fal',
  overLimit: 'queue',
  readKey: ({ authorization }) => /^(?:Key|Bearer) (.+)$/.exec(authorization ?? '')?.[1],
  routes: [
    { method: 'get', path: '/platform/v1/models/requests/by-endpoint', kind: 'other', handle: listRequests },
    { method: 'get', path: `${requestPath}/status`, kind: 'poll', describe: describeRequest, handle: poll },
    { method: 'put', path: `${requestPath}/cancel`, kind: 'cancel', describe: describeRequest, handle: cancel },
    { method: 'get', path: requestPath, kind: 'result', describe: describeRequest, handle: result },
    { method: 'post', path: '/*endpoint', kind: 'submit', describe: describeSubmit, handle: submit },
  ],
  unauthorized: (key) =>
    platformProblem(
      401,
      key === undefined
        ? 'Authentication is required to access this application.'
        : 'Invalid authentication credentials.',
    ),
  exhausted: () =>
    platformProblem(403, 'User is locked. Reason: Exhausted balance. Top up your balance at fal.ai/dashboard/billing.'),
  fail,
  // `/fal-ai/flux/dev/requests/…` reaches the model's own runner, which knows POST only.
  notFound: ({ path }) =>
    path.includes('/requests/') ? platformProblem(405, 'Method Not Allowed') : platformProblem(404, 'Not Found'),
  malformed: (reason) => jsonAnswer(422, { detail: [{ loc: ['body'], msg: reason, type: 'json_invalid' }] }),
  artifactExpired: () => textAnswer(410, 'Gone'),
  signature: ({ touched, params }) => ({ 'x-fal-request-id': touched?.id ?? params['id'] ?? crypto.randomUUID() }),
};
