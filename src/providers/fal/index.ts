import type { Call, Media, Outcome, Provider, ReadyInput } from '../provider';
import { converse, type Conversation } from '../refusal';
import type { Line, Purpose, Transport } from '../transport';
import { models } from './models';
import {
  endpointOf,
  isOwnNotFound,
  isTooLarge,
  readRefusal,
  redirectHosts,
  toAccepted,
  toCancellation,
  toDelivery,
  toFailure,
  toLook,
  toResult,
  toSubmission,
  toUploaded,
} from './wire';

/**
 * The SDK sends again on 429, 5xx and everything that looks like a network error, submits included, and no option
 * turns that off. It gives up on errors it does not know, so a refusal must never reach it as an answer.
 */
const neverRetried =
  (line: Line): typeof fetch =>
  async (target, init) => {
    const response = await line.fetch(target, init);
    if (!response.ok) throw new Error('refused');
    return response;
  };

const probedEndpoint = 'fal-ai/fast-sdxl';
const nobodysRequest = '00000000-0000-0000-0000-000000000000';

const loadSdk = () => import('@fal-ai/client');

const connect = (sdk: Awaited<ReturnType<typeof loadSdk>>, { call, line }: Conversation) =>
  sdk.createFalClient({
    credentials: call.credential.secret,
    fetch: neverRetried(line),
    suppressLocalCredentialsWarning: true,
  });

const toBlob = ({ bytes, contentType }: Media): Blob => new Blob([new Uint8Array(bytes)], { type: contentType });

/** A day is more than any request waits. */
const uploadLifecycle = { expiresIn: '1d' } as const;

const mapMedia = async (input: ReadyInput, bring: (media: Media) => Promise<Media>): Promise<ReadyInput> => ({
  ...input,
  image: input.image && (await bring(input.image)),
  lastFrame: input.lastFrame && (await bring(input.lastFrame)),
  referenceImages: await Promise.all(input.referenceImages.map(bring)),
});

/** Failed work is told by the refusal of its result. */
const fetchResult = async (conversation: Conversation, fetchData: () => Promise<unknown>, lookError: string | null) => {
  try {
    return { data: await converse(conversation, fetchData) };
  } catch (error) {
    const answer = conversation.line.failure() === null ? conversation.line.answer() : null;
    const failure = answer === null ? null : toFailure(answer, lookError);
    if (failure === null) throw error;
    return { failure };
  }
};

export const createFal = (transport: Transport): Provider => {
  const begin = async (call: Call, purpose: Purpose, hidden: Conversation['hidden'] = []) => {
    const sdk = await loadSdk(); // before the deadline starts
    const line = transport.open(call, purpose, redirectHosts(call.credential.baseUrl));
    const conversation = { call, purpose, line, readRefusal, hidden };
    return { conversation, ...connect(sdk, conversation) };
  };

  return {
    id: 'fal',
    models,

    async prepare() {
      await loadSdk();
    },

    async stage(_model, input, call) {
      const bring = async (media: Media): Promise<Media> => {
        if (!isTooLarge(media)) return media;
        const { conversation, storage } = await begin(call, 'stage');
        const url = await converse(conversation, () => storage.upload(toBlob(media), { lifecycle: uploadLifecycle }));
        return toUploaded(url, media);
      };
      return mapMedia(input, bring);
    },

    async submit(model, input, call) {
      const submission = toSubmission(model, input);
      const { conversation, queue } = await begin(call, 'submit', [input.prompt, input.negativePrompt]);
      const order = { input: submission.input, ...toDelivery(call) };
      const body = await converse(conversation, () => queue.submit(submission.endpoint, order));
      return toAccepted(body, submission, input);
    },

    async check(model, operation, call): Promise<Outcome> {
      const { conversation, queue } = await begin(call, 'check');
      const endpoint = endpointOf(model, operation);
      const requestId = operation.id;
      const seen = toLook(await converse(conversation, () => queue.status(endpoint, { requestId, logs: false })));
      if (seen.state === 'pending') return { ...seen, operation };
      if (seen.state === 'canceled') return seen;
      const fetchData = async (): Promise<unknown> => (await queue.result(endpoint, { requestId })).data;
      const result = await fetchResult(conversation, fetchData, seen.error);
      return result.failure ?? toResult(model, operation, result.data);
    },

    async cancel(model, operation, call) {
      const { conversation, queue } = await begin(call, 'cancel');
      try {
        await converse(conversation, () => queue.cancel(endpointOf(model, operation), { requestId: operation.id }));
      } catch (error) {
        if (conversation.line.answer()?.status !== 400) throw error;
      }
      return toCancellation(conversation.line.answer()?.status ?? 0);
    },

    /** No free look at the account itself: of a request that cannot exist, 404 is what only a valid key gets to hear. */
    async probe(call) {
      const { conversation, queue } = await begin(call, 'probe');
      try {
        await converse(conversation, () => queue.status(probedEndpoint, { requestId: nobodysRequest }));
      } catch (error) {
        if (!isOwnNotFound(conversation.line.answer())) throw error;
      }
      return { model: null };
    },
  };
};
