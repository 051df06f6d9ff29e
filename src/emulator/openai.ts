import { jsonAnswer, type Answer } from './answer';
import { chatModels, completeChat, lastPrompt, listChats, retrieveChat } from './openai-chat';
import { editImages, generateImages, imageModelNames } from './openai-images';
import { modelNotFound, problem } from './openai-problems';
import type { Call, EmulatedProvider, Failure, Route } from './provider';
import { ownOperations } from './submit';

const requestsPerMinute = 500;
const tokensPerMinute = 200_000;

/** Go's way to write a duration: "120ms", "6m0s". */
const goDuration = (durationMs: number): string => {
  if (durationMs < 1000) return `${Math.round(durationMs)}ms`;
  const seconds = Math.round(durationMs / 1000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
};

const signature = (call: Call): Record<string, string> => {
  const identity = { 'x-request-id': `req_${crypto.randomUUID().replaceAll('-', '')}`, 'openai-version': '2020-10-01' };
  if (call.kind !== 'submit') return identity;
  const limit = call.world.settings.limits['openai']?.requestsPerMinute ?? requestsPerMinute;
  const recent = ownOperations(call).filter(({ submittedAtMs }) => submittedAtMs > call.world.clock() - 60_000).length;
  return {
    ...identity,
    'openai-processing-ms': '1',
    'x-ratelimit-limit-requests': String(limit),
    'x-ratelimit-remaining-requests': String(Math.max(0, limit - recent)),
    'x-ratelimit-reset-requests': goDuration((recent * 60_000) / limit),
    'x-ratelimit-limit-tokens': String(tokensPerMinute),
    'x-ratelimit-remaining-tokens': String(tokensPerMinute - 100),
    'x-ratelimit-reset-tokens': goDuration(30),
  };
};

const toModel = (id: string): Record<string, unknown> => ({
  id,
  object: 'model',
  created: 1_770_000_000,
  owned_by: 'openai',
});

const modelNames = (call: Call): string[] => [
  ...imageModelNames(call.world.settings.strictLifecycle),
  ...Object.keys(chatModels),
];

const listModels = (call: Call): Answer => jsonAnswer(200, { object: 'list', data: modelNames(call).map(toModel) });

const retrieveModel = (call: Call): Answer => {
  const id = call.params['id'] ?? '';
  return modelNames(call).includes(id) ? jsonAnswer(200, toModel(id)) : modelNotFound(id);
};

const describeImage: Route['describe'] = ({ body }) => {
  // A multipart body names them in plain sight: good enough to match a fault with.
  const text = Buffer.isBuffer(body) ? body.toString('latin1') : '';
  const field = (name: string): string | undefined => new RegExp(`name="${name}"\r\n\r\n([^\r]*)`).exec(text)?.[1];
  const { model, prompt } = Object(body) as Record<string, unknown>;
  return { model: field('model') ?? String(model), prompt: field('prompt') ?? String(prompt) };
};

const describeChat: Route['describe'] = ({ body }) => ({
  model: String((Object(body) as Record<string, unknown>)['model']),
  prompt: lastPrompt(body),
});

const rateLimited = (seconds: number | undefined): Answer => {
  const message = `Rate limit reached. Please try again in ${seconds ?? 20}s.`;
  const headers: Record<string, string> = seconds === undefined ? {} : { 'retry-after': String(Math.ceil(seconds)) };
  if (seconds !== undefined && !Number.isInteger(seconds))
    headers['retry-after-ms'] = String(Math.round(seconds * 1000));
  return problem(429, { message, type: 'requests', code: 'rate_limit_exceeded' }, headers);
};

const failures: Record<number, { message: string; type: string; code: string | null }> = {
  400: { message: 'Emulated 400.', type: 'invalid_request_error', code: null },
  401: { message: 'Incorrect API key provided.', type: 'invalid_request_error', code: 'invalid_api_key' },
  403: {
    message: 'Country, region, or territory not supported.',
    type: 'request_forbidden',
    code: 'unsupported_country_region_territory',
  },
  404: { message: 'The model does not exist.', type: 'invalid_request_error', code: 'model_not_found' },
  503: { message: 'The engine is currently overloaded, please try again later.', type: 'server_error', code: null },
};

const fail = ({ status, retryAfterSeconds }: Failure): Answer => {
  if (status === 429) return rateLimited(retryAfterSeconds);
  const { message, type, code } = failures[status] ?? {
    message: 'The server had an error while processing your request.',
    type: 'server_error',
    code: null,
  };
  return problem(
    status,
    { message, type, code },
    retryAfterSeconds === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfterSeconds)) },
  );
};

export const openai: EmulatedProvider = {
  id: 'openai',
  prefix: '/openai/v1',
  overLimit: 'refuse',
  readKey: ({ authorization }) => /^Bearer (.+)$/.exec(authorization ?? '')?.[1],
  routes: [
    { method: 'post', path: '/images/generations', kind: 'submit', describe: describeImage, handle: generateImages },
    { method: 'post', path: '/images/edits', kind: 'submit', describe: describeImage, handle: editImages },
    { method: 'post', path: '/chat/completions', kind: 'submit', describe: describeChat, handle: completeChat },
    { method: 'get', path: '/chat/completions', kind: 'other', handle: listChats },
    { method: 'get', path: '/chat/completions/:id', kind: 'other', handle: retrieveChat },
    { method: 'get', path: '/models', kind: 'other', handle: listModels },
    { method: 'get', path: '/models/:id', kind: 'other', handle: retrieveModel },
  ],
  unauthorized: (key) =>
    key === undefined
      ? problem(401, { message: "You didn't provide an API key." })
      : problem(401, { message: 'Incorrect API key provided.', code: 'invalid_api_key' }),
  // No retry-after: waiting does not help.
  exhausted: () =>
    problem(429, {
      message: 'You exceeded your current quota, please check your plan and billing details.',
      type: 'insufficient_quota',
      code: 'insufficient_quota',
    }),
  fail,
  signature,
  notFound: ({ method, path }) => problem(404, { message: `Invalid URL (${method} ${path.replace(/^\/openai/, '')})` }),
  malformed: () => problem(400, { message: 'We could not parse the JSON body of your request.' }),
};
