import { jsonAnswer, type Answer } from './answer';
import { showSubscription } from './elevenlabs/account';
import { findHistoryItem, listHistory, retrieveAudio, retrieveItem } from './elevenlabs/history';
import { defaultModel, listModels } from './elevenlabs/models';
import { detail } from './elevenlabs/problems';
import { makeSound, soundModel } from './elevenlabs/sounds';
import { speak } from './elevenlabs/speech';
import { listVoices, searchVoices, showVoice } from './elevenlabs/voices';
import { countRunning } from './meters';
import type { Call, EmulatedProvider, Failure, Route } from './provider';

const describeSpeech: Route['describe'] = ({ body }) => {
  const { model_id, text } = Object(body) as Record<string, unknown>;
  return { model: typeof model_id === 'string' ? model_id : defaultModel, prompt: String(text) };
};

const describeSound: Route['describe'] = ({ body }) => {
  const { model_id, text } = Object(body) as Record<string, unknown>;
  return { model: typeof model_id === 'string' ? model_id : soundModel, prompt: String(text) };
};

const describeItem: Route['describe'] = (call) => ({ operation: findHistoryItem(call) });

const failures: Record<number, readonly [status: string, message: string]> = {
  401: ['invalid_api_key', 'Invalid API key'],
  403: ['only_for_creator+', 'This is only available on a higher plan.'],
  404: ['voice_not_found', 'The voice was not found.'],
  429: ['system_busy', 'The system is experiencing heavy traffic, please try again.'],
};

const fail = ({ status, retryAfterSeconds, scope }: Failure): Answer => {
  const tooMany = ['too_many_concurrent_requests', 'Too many concurrent requests for your subscription.'] as const;
  const [name, message] =
    scope === undefined ? (failures[status] ?? ['internal_server_error', `Emulated ${status}.`]) : tooMany;
  const answer = detail(status, name, message);
  return retryAfterSeconds === undefined
    ? answer
    : { ...answer, headers: { ...answer.headers, 'retry-after': String(Math.ceil(retryAfterSeconds)) } };
};

const signature = (call: Call): Record<string, string> => {
  if (call.kind !== 'submit') return {};
  return {
    'current-concurrent-requests': String(countRunning(call.world, call)),
    'maximum-concurrent-requests': String(call.world.settings.limits['elevenlabs']?.concurrent ?? 15),
  };
};

const speech = { method: 'post', kind: 'submit', describe: describeSpeech, handle: speak } as const;

export const elevenlabs: EmulatedProvider = {
  id: 'elevenlabs',
  prefix: '/elevenlabs',
  overLimit: 'refuse',
  readKey: (headers) => (typeof headers['xi-api-key'] === 'string' ? headers['xi-api-key'] : undefined),
  routes: [
    { ...speech, path: '/v1/text-to-speech/:voice' },
    { ...speech, path: '/v1/text-to-speech/:voice/stream' },
    { ...speech, path: '/v1/text-to-speech/:voice/with-timestamps' },
    { method: 'post', path: '/v1/sound-generation', kind: 'submit', describe: describeSound, handle: makeSound },
    { method: 'get', path: '/v1/history', kind: 'other', handle: listHistory },
    { method: 'get', path: '/v1/history/:id', kind: 'other', describe: describeItem, handle: retrieveItem },
    { method: 'get', path: '/v1/history/:id/audio', kind: 'result', describe: describeItem, handle: retrieveAudio },
    { method: 'get', path: '/v1/voices', kind: 'other', handle: listVoices },
    { method: 'get', path: '/v1/voices/:voice', kind: 'other', handle: showVoice },
    { method: 'get', path: '/v2/voices', kind: 'other', handle: searchVoices },
    { method: 'get', path: '/v1/models', kind: 'other', handle: listModels },
    { method: 'get', path: '/v1/user/subscription', kind: 'other', handle: showSubscription },
  ],
  unauthorized: (key) =>
    key === undefined
      ? detail(401, 'needs_authorization', 'Neither authorization header nor xi-api-key received, please provide one.')
      : detail(401, 'invalid_api_key', 'Invalid API key'),
  // 401 for want of money, not 402: the wire is like that.
  exhausted: () => detail(401, 'quota_exceeded', 'This request exceeds your quota. You have 0 credits remaining.'),
  fail,
  signature,
  notFound: () => jsonAnswer(404, { detail: 'Not Found' }),
  malformed: (reason) => jsonAnswer(422, { detail: [{ loc: ['body'], msg: reason, type: 'json_invalid' }] }),
};
