import { jsonAnswer, type Answer } from './answer';
import { formatGoDuration } from './go-duration';
import { isShut } from './lifecycle';
import { completeChat, lastPrompt, listChats, retrieveChat } from './openai/chat';
import { describeBody } from './openai/form';
import { withGateway } from './openai/gateway';
import { imageModelNames } from './openai/image-models';
import { editImages, generateImages } from './openai/images';
import { modelNotFound, problem, unauthorized } from './openai/problems';
import { cancelResponse, createResponse, findResponse, lastInput, showResponse } from './openai/responses';
import { createSpeech, speechModels } from './openai/speech';
import { textModels } from './openai/texts';
import {
  createVideo,
  deleteVideo,
  findVideo,
  listVideos,
  serveVideo,
  showVideo,
  videoModels,
  videosShutOn,
} from './openai/videos';
import { countRecent } from './meters';
import type { Call, EmulatedProvider, Failure, Route } from './provider';

const requestsPerMinute = 500;
const tokensPerMinute = 200_000;

const signature = (call: Call): Record<string, string> => {
  const identity = { 'x-request-id': `req_${crypto.randomUUID().replaceAll('-', '')}`, 'openai-version': '2020-10-01' };
  if (call.kind !== 'submit') return identity;
  const limit = call.world.settings.limits['openai']?.requestsPerMinute ?? requestsPerMinute;
  const recent = countRecent(call.world, call, 'minute');
  return {
    ...identity,
    'openai-processing-ms': '1',
    'x-ratelimit-limit-requests': String(limit),
    'x-ratelimit-remaining-requests': String(Math.max(0, limit - recent)),
    'x-ratelimit-reset-requests': formatGoDuration((recent * 60_000) / limit),
    'x-ratelimit-limit-tokens': String(tokensPerMinute),
    'x-ratelimit-remaining-tokens': String(tokensPerMinute - 100),
    'x-ratelimit-reset-tokens': formatGoDuration(30),
  };
};

const toModel = (id: string): Record<string, unknown> => ({
  id,
  object: 'model',
  created: 1_770_000_000,
  owned_by: 'openai',
});

const modelNames = (call: Call): string[] => [
  ...imageModelNames(call.world),
  ...Object.keys(textModels),
  ...Object.keys(speechModels),
  ...(isShut(call.world, videosShutOn) ? [] : videoModels),
];

const listModels = (call: Call): Answer => jsonAnswer(200, { object: 'list', data: modelNames(call).map(toModel) });

const retrieveModel = (call: Call): Answer => {
  const id = call.params['id'] ?? '';
  return modelNames(call).includes(id) ? jsonAnswer(200, toModel(id)) : modelNotFound(id);
};

const modelOf = ({ body }: Call): string => String((Object(body) as Record<string, unknown>)['model']);

const describePrompt: Route['describe'] = (call) => describeBody(call, 'prompt');
const describeSpeech: Route['describe'] = (call) => describeBody(call, 'input');
const describeChat: Route['describe'] = (call) => ({ model: modelOf(call), prompt: lastPrompt(call.body) });
const describeInput: Route['describe'] = (call) => ({ model: modelOf(call), prompt: lastInput(call.body) });
const describeResponse: Route['describe'] = (call) => ({ operation: findResponse(call) });
const describeVideo: Route['describe'] = (call) => ({ operation: findVideo(call) });

const rateLimited = ({ retryAfterSeconds: seconds, scope }: Failure): Answer => {
  const message = `Rate limit reached. Please try again in ${seconds ?? 20}s.`;
  const headers: Record<string, string> = seconds === undefined ? {} : { 'retry-after': String(Math.ceil(seconds)) };
  if (seconds !== undefined && !Number.isInteger(seconds))
    headers['retry-after-ms'] = String(Math.round(seconds * 1000));
  return problem(
    429,
    { message, type: scope === 'tokens' ? 'tokens' : 'requests', code: 'rate_limit_exceeded' },
    headers,
  );
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

const fail = (failure: Failure): Answer => {
  const { status, retryAfterSeconds } = failure;
  if (status === 429) return rateLimited(failure);
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

const routes: Route[] = [
  { method: 'post', path: '/images/generations', kind: 'submit', describe: describePrompt, handle: generateImages },
  { method: 'post', path: '/images/edits', kind: 'submit', describe: describePrompt, handle: editImages },
  { method: 'post', path: '/audio/speech', kind: 'submit', describe: describeSpeech, handle: createSpeech },
  { method: 'post', path: '/chat/completions', kind: 'submit', describe: describeChat, handle: completeChat },
  { method: 'get', path: '/chat/completions', kind: 'other', handle: listChats },
  { method: 'get', path: '/chat/completions/:id', kind: 'other', handle: retrieveChat },
  { method: 'post', path: '/responses', kind: 'submit', describe: describeInput, handle: createResponse },
  { method: 'get', path: '/responses/:id', kind: 'poll', describe: describeResponse, handle: showResponse },
  { method: 'post', path: '/responses/:id/cancel', kind: 'cancel', describe: describeResponse, handle: cancelResponse },
  { method: 'post', path: '/videos', kind: 'submit', describe: describePrompt, handle: createVideo },
  { method: 'get', path: '/videos', kind: 'other', handle: listVideos },
  { method: 'get', path: '/videos/:id', kind: 'poll', describe: describeVideo, handle: showVideo },
  { method: 'get', path: '/videos/:id/content', kind: 'artifact', describe: describeVideo, handle: serveVideo },
  { method: 'delete', path: '/videos/:id', kind: 'cancel', describe: describeVideo, handle: deleteVideo },
  { method: 'get', path: '/models', kind: 'other', handle: listModels },
  { method: 'get', path: '/models/:id', kind: 'other', handle: retrieveModel },
];

const bearerOf = (header: string | string[] | undefined): string | undefined =>
  typeof header === 'string' ? /^Bearer (.+)$/.exec(header)?.[1] : undefined;

export const openai: EmulatedProvider = {
  id: 'openai',
  prefix: '/openai/v1',
  overLimit: 'refuse',
  // A gateway that keeps the provider's key itself is called with its own key alone.
  readKey: (headers) => bearerOf(headers.authorization) ?? bearerOf(headers['cf-aig-authorization']),
  routes: withGateway(routes),
  unauthorized,
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
