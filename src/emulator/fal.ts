import { jsonAnswer, textAnswer, type Answer } from './answer';
import { findRequest } from './fal/addresses';
import { listRequests } from './fal/platform';
import { platformProblem } from './fal/problems';
import { cancelRequest, showResult, showStatus, streamStatus } from './fal/requests';
import { initiateUpload, receiveUpload, serveUpload } from './fal/storage';
import { submit } from './fal/submit';
import { announcer, showKeys } from './fal/webhook';
import type { EmulatedProvider, Failure, Route } from './provider';

const describeSubmit: Route['describe'] = ({ body, params }) => ({
  model: params['endpoint'],
  prompt: String((Object(body) as Record<string, unknown>)['prompt']),
});

const describe: Route['describe'] = (call) => ({ operation: findRequest(call) });

const requestPath = '/:owner/:app/requests/:id';
const filePath = '/files/:id/:name';

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
    // rest.fal.ai and rest.alpha.fal.ai are the same here.
    { method: 'get', path: '/rest/.well-known/jwks.json', kind: 'other', isOpen: true, handle: showKeys },
    { method: 'post', path: '/rest/storage/upload/initiate', kind: 'other', handle: initiateUpload },
    { method: 'put', path: filePath, kind: 'other', isOpen: true, handle: receiveUpload },
    { method: 'get', path: filePath, kind: 'other', isOpen: true, handle: serveUpload },
    { method: 'get', path: `${requestPath}/status`, kind: 'poll', describe, handle: showStatus },
    { method: 'get', path: `${requestPath}/status/stream`, kind: 'poll', describe, handle: streamStatus },
    { method: 'put', path: `${requestPath}/cancel`, kind: 'cancel', describe, handle: cancelRequest },
    { method: 'get', path: requestPath, kind: 'result', describe, handle: showResult },
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
  announcer,
  signature: ({ touched, params }) => ({ 'x-fal-request-id': touched?.id ?? params['id'] ?? crypto.randomUUID() }),
};
