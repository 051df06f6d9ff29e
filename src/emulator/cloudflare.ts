import type { Answer } from './answer';
import { promptOf } from './cloudflare/images';
import { searchModels } from './cloudflare/models';
import { envelope, noAccount, noRoute, problem, tooLarge, unauthorized } from './cloudflare/problems';
import { runModel } from './cloudflare/run';
import { lastPrompt } from './cloudflare/text';
import { hashOf } from './operations';
import type { Call, EmulatedProvider, Failure, Route } from './provider';

const prefix = '/cloudflare/client/v4';

/** Identifiers have 32 digits; `emulator` is what the embedded stack calls its account. */
const isAccount = (id: string | undefined): boolean => /^([0-9a-f]{32}|emulator)$/.test(id ?? '');

const ofAccount = (route: Route): Route => ({
  ...route,
  handle: (call) =>
    isAccount(call.params['account']) ? route.handle(call) : noAccount(call.path.replace('/cloudflare', '')),
});

const describeRun: Route['describe'] = (call) => ({
  model: call.params['model'],
  prompt: Buffer.isBuffer(call.body) ? promptOf(call.body) : lastPrompt(call.body),
});

const verifyToken = (call: Call): Answer =>
  envelope(
    { id: hashOf(call.key).slice(0, 32), status: 'active' },
    { messages: [{ code: 10000, message: 'This API Token is valid and active', type: null }] },
  );

const failures: Record<number, readonly [code: number, message: string]> = {
  400: [5004, 'Emulated 400.'],
  401: [10000, 'Authentication error'],
  403: [5018, 'The account is not allowed to access this model'],
  404: [3042, 'The model name is invalid'],
  405: [5019, 'Request trying to use deprecated SDK version'],
  408: [3007, 'Request timeout'],
  413: [3006, 'Request is too large'],
};

const neuronsUsedUp =
  "You have used up your daily free allocation of 10,000 neurons. Please upgrade to Cloudflare's Workers Paid plan if you would like to continue usage.";

const limits = {
  day: [3036, neuronsUsedUp],
  minute: [3021, 'rate limiting: inference requests per minute exceeded'],
  tokens: [3021, 'rate limiting: inference requests per minute exceeded'],
  concurrent: [3040, 'Capacity temporarily exceeded, please try again.'],
} as const;

const wordsOf = ({ status, scope }: Failure): readonly [code: number, message: string] => {
  if (status === 429) return limits[scope ?? 'concurrent'];
  return failures[status] ?? [3043, 'Internal server error'];
};

/** Also with status 200: the envelope then contradicts it. */
const fail = (failure: Failure): Answer => {
  const { retryAfterSeconds: seconds } = failure;
  return problem(
    failure.status,
    wordsOf(failure),
    seconds === undefined ? {} : { 'retry-after': String(Math.ceil(seconds)) },
  );
};

const account = '/accounts/:account/ai';

export const cloudflare: EmulatedProvider = {
  id: 'cloudflare',
  prefix,
  overLimit: 'refuse',
  readKey: ({ authorization }) => /^Bearer (.+)$/.exec(authorization ?? '')?.[1],
  routes: [
    ofAccount({
      method: 'post',
      path: `${account}/run/*model`,
      kind: 'submit',
      describe: describeRun,
      handle: runModel,
    }),
    ofAccount({ method: 'get', path: `${account}/models/search`, kind: 'other', handle: searchModels }),
    { method: 'get', path: '/user/tokens/verify', kind: 'other', handle: verifyToken },
  ],
  unauthorized: () => unauthorized,
  exhausted: () => problem(429, [3036, neuronsUsedUp]),
  fail,
  signature: () => ({ 'cf-ray': `${hashOf(crypto.randomUUID()).slice(0, 16)}-EMU` }),
  notFound: ({ path }) => (path.includes('/accounts//') ? noAccount(path.replace('/cloudflare', '')) : noRoute),
  malformed: (reason) =>
    reason.includes('too large') ? tooLarge : problem(400, [6007, `Malformed JSON in request body: ${reason}`]),
};
