import type { Call, Media, Provider } from '../provider';
import { converse, type Conversation } from '../refusal';
import type { Purpose, Transport } from '../transport';
import { models } from './models';
import {
  checkOrganization,
  isTooLarge,
  readRefusal,
  toAccepted,
  toFile,
  toOutcome,
  toSubmission,
  toUploaded,
  type Submission,
} from './wire';

const defaultBaseUrl = 'https://api.dev.runwayml.com';

const loadSdk = () => import('@runwayml/sdk');

const connect = (sdk: Awaited<ReturnType<typeof loadSdk>>, { call, line }: Conversation) =>
  new sdk.default({
    apiKey: call.credential.secret,
    baseURL: call.credential.baseUrl ?? defaultBaseUrl, // else the SDK reads the environment
    fetch: line.fetch,
    maxRetries: 0,
    timeout: call.deadlineMs * 2, // ours comes first and covers the body
    logLevel: 'off',
  });

type Runway = ReturnType<typeof connect>;

// `await`: the SDK's own promise is one that can also wait for the task.
const create = async (runway: Runway, { kind, body }: Submission): Promise<unknown> => {
  switch (kind) {
    case 'text_to_video':
      return await runway.textToVideo.create(body);
    case 'image_to_video':
      return await runway.imageToVideo.create(body);
    case 'text_to_image':
      return await runway.textToImage.create(body);
    case 'text_to_speech':
      return await runway.textToSpeech.create(body);
    case 'sound_effect':
      return await runway.soundEffect.create(body);
  }
};

export const createRunway = (transport: Transport): Provider => {
  const begin = async (call: Call, purpose: Purpose, hidden: Conversation['hidden'] = []) => {
    const sdk = await loadSdk(); // before the deadline starts
    const conversation: Conversation = { call, purpose, line: transport.open(call, purpose), readRefusal, hidden };
    return { conversation, runway: connect(sdk, conversation) };
  };

  return {
    id: 'runway',
    models,

    async prepare() {
      await loadSdk();
    },

    /** Larger images than a data URI may hold are uploaded: an intent at Runway, then a form to where it says. */
    async stage(_model, input, call) {
      const bring = async (media: Media): Promise<Media> => {
        if (!isTooLarge(media)) return media;
        const { conversation, runway } = await begin(call, 'stage');
        const upload = () => runway.uploads.createEphemeral({ file: toFile(media) });
        return toUploaded(await converse(conversation, upload), media);
      };
      return {
        ...input,
        image: input.image && (await bring(input.image)),
        lastFrame: input.lastFrame && (await bring(input.lastFrame)),
        referenceImages: await Promise.all(input.referenceImages.map(bring)),
      };
    },

    async submit(model, input, call) {
      const submission = toSubmission(model, input);
      const { conversation, runway } = await begin(call, 'submit', [input.prompt, input.negativePrompt]);
      return toAccepted(await converse(conversation, () => create(runway, submission)), model, input);
    },

    async check(_model, operation, call) {
      const { conversation, runway } = await begin(call, 'check');
      return toOutcome(await converse(conversation, async () => runway.tasks.retrieve(operation.id)), operation);
    },

    /** DELETE cancels active work but destroys the output of finished work: never send it unseen. */
    async cancel(_model, operation, call) {
      const { conversation, runway } = await begin(call, 'cancel');
      const outcome = toOutcome(
        await converse(conversation, async () => runway.tasks.retrieve(operation.id)),
        operation,
      );
      if (outcome.state === 'canceled') return 'confirmed';
      if (outcome.state !== 'pending') return 'too_late';
      await converse(conversation, () => runway.tasks.delete(operation.id));
      return 'confirmed';
    },

    async probe(call) {
      const { conversation, runway } = await begin(call, 'probe');
      checkOrganization(await converse(conversation, async () => runway.organization.retrieve()));
      return { model: null };
    },
  };
};
