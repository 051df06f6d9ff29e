import { jsonAnswer, textAnswer, type Answer } from './answer';
import type { Call, EmulatedProvider, Failure, Route } from './provider';
import { textToImage } from './runway/images';
import { showOrganization, showUsage } from './runway/organization';
import type { RunwayModels } from './runway/plan';
import { missing, problem } from './runway/problems';
import { soundEffect, textToSpeech } from './runway/sounds';
import { submitTo } from './runway/submit';
import { findTask, pollTask, removeTask } from './runway/tasks';
import { createUpload, receiveUpload } from './runway/uploads';
import { imageToVideo, textToVideo } from './runway/videos';

const apiVersion = '2024-11-06';

const checkVersion = ({ headers }: Call): Answer | undefined => {
  const version = headers['x-runway-version'];
  if (version === apiVersion) return undefined;
  return problem(
    400,
    version === undefined
      ? 'The X-Runway-Version header is required.'
      : `The API version ${String(version)} is not supported.`,
  );
};

/** Every route but the artifacts and the uploads' address needs the version header. */
const versioned =
  (handle: (call: Call) => Answer) =>
  (call: Call): Answer =>
    checkVersion(call) ?? handle(call);

const describeSubmit: Route['describe'] = ({ body }) => {
  const { model, promptText } = Object(body) as Record<string, unknown>;
  return { model: String(model), prompt: typeof promptText === 'string' ? promptText : '' };
};

const describeTask: Route['describe'] = (call) => ({ operation: findTask(call) });

const endpoints: Record<string, RunwayModels> = {
  text_to_video: textToVideo,
  image_to_video: imageToVideo,
  text_to_image: textToImage,
  text_to_speech: textToSpeech,
  sound_effect: soundEffect,
};

const models = [...new Set(Object.values(endpoints).flatMap((known) => Object.keys(known)))];

const submitRoutes = Object.entries(endpoints).map(([name, known]): Route => ({
  method: 'post',
  path: `/v1/${name}`,
  kind: 'submit',
  describe: describeSubmit,
  handle: versioned(submitTo(known)),
}));

/** No retry-after is documented; only a fault that asks for one sends it. */
const fail = ({ status, retryAfterSeconds, scope }: Failure): Answer => {
  const headers: Record<string, string> =
    retryAfterSeconds === undefined || scope !== undefined
      ? {}
      : { 'retry-after': String(Math.ceil(retryAfterSeconds)) };
  const text = status === 429 ? 'You have reached the daily generation limit for this model.' : `Emulated ${status}.`;
  return jsonAnswer(status, { error: text }, headers);
};

export const runway: EmulatedProvider = {
  id: 'runway',
  prefix: '/runway',
  overLimit: 'queue',
  readKey: ({ authorization }) => /^Bearer (.+)$/.exec(authorization ?? '')?.[1],
  routes: [
    ...submitRoutes,
    { method: 'get', path: '/v1/tasks/:id', kind: 'poll', describe: describeTask, handle: versioned(pollTask) },
    { method: 'delete', path: '/v1/tasks/:id', kind: 'cancel', describe: describeTask, handle: versioned(removeTask) },
    { method: 'post', path: '/v1/uploads', kind: 'other', handle: versioned(createUpload) },
    { method: 'post', path: '/uploads', kind: 'other', isOpen: true, handle: receiveUpload },
    { method: 'get', path: '/v1/organization', kind: 'other', handle: versioned(showOrganization(models)) },
    { method: 'post', path: '/v1/organization/usage', kind: 'other', handle: versioned(showUsage) },
  ],
  unauthorized: () => problem(401, 'The API key is missing or not valid.'),
  exhausted: () => problem(400, 'You do not have enough credits to run this task.'),
  fail,
  notFound: () => missing,
  malformed: (reason) => problem(400, `The body is not valid JSON: ${reason}`),
  artifactExpired: () =>
    textAnswer(
      403,
      '<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>Access denied</Message></Error>',
      { 'content-type': 'application/xml' },
    ),
};
