import type { Answer } from './answer';
import { formatGoDuration } from './go-duration';
import { completeChat } from './groq/chat';
import { listModels, retrieveModel } from './groq/models';
import { problem, tooLarge } from './groq/problems';
import { lastPrompt } from './groq/request';
import { speak } from './groq/speech';
import { countRecent } from './meters';
import type { Call, EmulatedProvider, Failure, Route } from './provider';

const requestsPerDay = 14_400;
const tokensPerMinute = 300_000;
const dayMs = 86_400_000;

/** Requests are counted by the day, tokens by the minute. */
const signature = (call: Call): Record<string, string> => {
  const identity = { 'x-request-id': `req_01${crypto.randomUUID().replaceAll('-', '').slice(0, 24)}` };
  if (call.kind !== 'submit') return identity;
  const limit = call.world.settings.limits['groq']?.requestsPerDay ?? requestsPerDay;
  const recent = countRecent(call.world, call, 'day');
  return {
    ...identity,
    'x-ratelimit-limit-requests': String(limit),
    'x-ratelimit-remaining-requests': String(Math.max(0, limit - recent)),
    'x-ratelimit-reset-requests': formatGoDuration((recent * dayMs) / limit),
    'x-ratelimit-limit-tokens': String(tokensPerMinute),
    'x-ratelimit-remaining-tokens': String(tokensPerMinute - 100),
    'x-ratelimit-reset-tokens': formatGoDuration(20),
  };
};

const describeChat: Route['describe'] = ({ body }) => ({
  model: String((Object(body) as Record<string, unknown>)['model']),
  prompt: lastPrompt(body),
});

const describeSpeech: Route['describe'] = ({ body }) => {
  const { model, input } = Object(body) as Record<string, unknown>;
  return { model: String(model), prompt: String(input) };
};

type Words = { message: string; type?: string; code?: string };

const failures: Record<number, Words> = {
  400: { message: 'Emulated 400.' },
  401: { message: 'Invalid API Key', code: 'invalid_api_key' },
  403: { message: 'Access to this resource is not permitted.', code: 'permission_denied' },
  404: { message: 'The requested resource does not exist.', code: 'not_found' },
  413: { message: 'Request Entity Too Large', code: 'request_too_large' },
  422: { message: 'The request could not be followed due to semantic errors.' },
  424: { message: 'A dependent request failed.', type: 'failed_dependency' },
  498: {
    message: 'Flex tier capacity exceeded. Please try again later.',
    type: 'capacity_exceeded',
    code: 'capacity_exceeded',
  },
  499: { message: 'The request was cancelled by the caller.' },
  502: { message: 'Bad Gateway', type: 'internal_server_error' },
  503: { message: 'Service Unavailable', type: 'service_unavailable' },
};

const spans = {
  day: 'requests per day (RPD)',
  minute: 'requests per minute (RPM)',
  tokens: 'tokens per minute (TPM)',
  concurrent: 'concurrent requests',
};

const rateLimited = ({ retryAfterSeconds = 2, scope = 'tokens' }: Failure): Answer => {
  const what = spans[scope];
  const message = `Rate limit reached on ${what}. Please try again in ${formatGoDuration(retryAfterSeconds * 1000)}.`;
  return problem(
    429,
    { message, type: scope === 'tokens' ? 'tokens' : 'requests', code: 'rate_limit_exceeded' },
    { 'retry-after': String(Math.ceil(retryAfterSeconds)) },
  );
};

/** Only a 429 says when to come back. */
const fail = (failure: Failure): Answer =>
  failure.status === 429
    ? rateLimited(failure)
    : problem(
        failure.status,
        failures[failure.status] ?? { message: 'Internal Server Error', type: 'internal_server_error' },
      );

export const groq: EmulatedProvider = {
  id: 'groq',
  prefix: '/groq',
  overLimit: 'refuse',
  readKey: ({ authorization }) => /^Bearer (.+)$/.exec(authorization ?? '')?.[1],
  routes: [
    {
      method: 'post',
      path: '/openai/v1/chat/completions',
      kind: 'submit',
      describe: describeChat,
      handle: completeChat,
    },
    { method: 'post', path: '/openai/v1/audio/speech', kind: 'submit', describe: describeSpeech, handle: speak },
    { method: 'get', path: '/openai/v1/models', kind: 'other', handle: listModels },
    { method: 'get', path: '/openai/v1/models/*id', kind: 'other', handle: retrieveModel },
  ],
  unauthorized: () => problem(401, { message: 'Invalid API Key', code: 'invalid_api_key' }),
  // The monthly spend limit: a 400, and waiting does not help.
  exhausted: () =>
    problem(400, {
      message: 'API access is blocked: the spend limit of your organization was reached.',
      code: 'blocked_api_access',
    }),
  fail,
  signature,
  notFound: ({ method, path }) =>
    problem(404, {
      message: `Unknown request URL: ${method} ${path.replace(/^\/groq/, '')}. Please check the URL for typos.`,
      code: 'unknown_url',
    }),
  malformed: (reason) =>
    reason.includes('too large') ? tooLarge : problem(400, { message: `could not parse the JSON body: ${reason}` }),
};
