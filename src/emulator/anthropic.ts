import type { Answer } from './answer';
import {
  cancelBatch,
  createBatch,
  deleteBatch,
  describeBatch,
  findBatch,
  listBatches,
  listResults,
  retrieveBatch,
} from './anthropic/batches';
import { countMessage, createMessage } from './anthropic/messages';
import { listModels, retrieveModel } from './anthropic/models';
import { invalid, newId, notFound, problemAnswer, tooLarge } from './anthropic/problems';
import { lastPrompt } from './anthropic/request';
import { versioned } from './anthropic/versions';
import { countRecent } from './meters';
import type { Call, EmulatedProvider, Failure, Route } from './provider';

const requestsPerMinute = 1000;
const tokensPerMinute = { 'input-tokens': 450_000, 'output-tokens': 90_000, tokens: 540_000 };

const signature = (call: Call): Record<string, string> => {
  const identity = { 'request-id': newId('req'), 'anthropic-organization-id': '00000000-0000-4000-8000-000000000000' };
  if (call.kind !== 'submit') return identity;
  const nowMs = call.world.clock();
  const limit = call.world.settings.limits['anthropic']?.requestsPerMinute ?? requestsPerMinute;
  const recent = countRecent(call.world, call, 'minute');
  const reset = `${new Date(nowMs + (recent * 60_000) / limit).toISOString().slice(0, 19)}Z`;
  const limits = Object.entries({ requests: limit, ...tokensPerMinute }).map(([name, most]): [string, string][] => [
    [`anthropic-ratelimit-${name}-limit`, String(most)],
    [`anthropic-ratelimit-${name}-remaining`, String(Math.max(0, name === 'requests' ? most - recent : most))],
    [`anthropic-ratelimit-${name}-reset`, reset],
  ]);
  return { ...identity, ...Object.fromEntries(limits.flat()) };
};

const failures: Record<number, readonly [type: string, message: string]> = {
  400: ['invalid_request_error', 'Emulated 400.'],
  401: ['authentication_error', 'invalid x-api-key'],
  402: ['billing_error', 'There is an issue with your billing or payment information.'],
  403: ['permission_error', 'Your API key does not have permission to use the specified resource.'],
  404: ['not_found_error', 'The requested resource could not be found.'],
  409: ['conflict_error', 'The request conflicts with the current state of the resource.'],
  413: ['request_too_large', tooLarge.message],
  429: ['rate_limit_error', "This request would exceed your organization's rate limit. Please try again later."],
  504: ['timeout_error', 'The request timed out while processing.'],
  529: ['overloaded_error', 'Overloaded'],
};

const fail = ({ status, retryAfterSeconds }: Failure): Answer => {
  const [type, message] = failures[status] ?? ['api_error', 'Internal server error'];
  const headers: Record<string, string> =
    retryAfterSeconds === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfterSeconds)) };
  return problemAnswer({ status, type, message }, headers);
};

const describeMessage: Route['describe'] = ({ body }) => ({
  model: String((Object(body) as Record<string, unknown>)['model']),
  prompt: lastPrompt(body),
});

const describeOne: Route['describe'] = (call) => ({ operation: findBatch(call) });

const batches = '/v1/messages/batches';

const routes: Route[] = [
  { method: 'post', path: '/v1/messages', kind: 'submit', describe: describeMessage, handle: createMessage },
  { method: 'post', path: '/v1/messages/count_tokens', kind: 'other', handle: countMessage },
  { method: 'post', path: batches, kind: 'submit', describe: ({ body }) => describeBatch(body), handle: createBatch },
  { method: 'get', path: batches, kind: 'other', handle: listBatches },
  { method: 'get', path: `${batches}/:id`, kind: 'poll', describe: describeOne, handle: retrieveBatch },
  { method: 'get', path: `${batches}/:id/results`, kind: 'result', describe: describeOne, handle: listResults },
  { method: 'post', path: `${batches}/:id/cancel`, kind: 'cancel', describe: describeOne, handle: cancelBatch },
  { method: 'delete', path: `${batches}/:id`, kind: 'other', handle: deleteBatch },
  { method: 'get', path: '/v1/models', kind: 'other', handle: listModels },
  { method: 'get', path: '/v1/models/:id', kind: 'other', handle: retrieveModel },
];

export const anthropic: EmulatedProvider = {
  id: 'anthropic',
  prefix: '/anthropic',
  overLimit: 'refuse',
  // Where both are sent the older one counts.
  readKey: (headers) => {
    const key = headers['x-api-key'];
    return typeof key === 'string' ? key : /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1];
  },
  routes: routes.map(versioned),
  unauthorized: (key) =>
    problemAnswer({
      status: 401,
      type: 'authentication_error',
      message: key === undefined ? 'x-api-key header is required' : 'invalid x-api-key',
    }),
  // The documents have 402 for this; the wire says 400.
  exhausted: () =>
    problemAnswer(
      invalid(
        'Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.',
      ),
    ),
  fail,
  signature,
  notFound: () => problemAnswer(notFound('Not found')),
  malformed: (reason) =>
    problemAnswer(reason.includes('too large') ? tooLarge : invalid(`The request body is not valid JSON: ${reason}`)),
};
