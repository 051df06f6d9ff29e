import { createSigningKeys } from '../callback-signatures';
import type { Call, Found, Media, Outcome, Provider, ReadyInput } from '../provider';
import { askAtDoor, concludeAbsence } from '../recovery';
import { converse, type Conversation } from '../refusal';
import type { Line, Purpose, Transport } from '../transport';
import { readAnnouncement } from './callbacks';
import { models } from './models';
import { readPage, toListUrl, type Listed } from './requests';
import {
  endpointOf,
  hasOwnSeed,
  isOwnNotFound,
  isTooLarge,
  readRefusal,
  redirectHosts,
  takesOwnSeed,
  toAccepted,
  toCancellation,
  toDelivery,
  toEndpoint,
  toEndpoints,
  toFailure,
  toLook,
  toResult,
  toSeed,
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

/** Five thousand requests: more than are sent to one endpoint while anything is looked for. */
const maximumPages = 50;

type Listing = { endpoint: string; since: Date };

const keySetUrl = 'https://rest.fal.ai/.well-known/jwks.json';

const openConversation = (
  transport: Transport,
  talk: Pick<Conversation, 'call' | 'purpose' | 'hidden'>,
): Conversation => ({
  ...talk,
  line: transport.open(talk.call, talk.purpose, redirectHosts(talk.call.credential.baseUrl)),
  readRefusal,
});

/** What the SDK has no call for. */
const fetchJson = (conversation: Conversation, url: string, headers: Record<string, string>): Promise<unknown> =>
  converse(conversation, async () => (await neverRetried(conversation.line)(url, { headers })).json());

/** The list of an endpoint's requests, as the account's key sees it. */
async function* listRequests(
  conversation: Conversation,
  adminKey: string,
  { endpoint, since }: Listing,
): AsyncGenerator<Listed> {
  const authorization = `Key ${adminKey}`;
  let cursor: string | null = null;
  for (let pages = 0; pages < maximumPages; pages += 1) {
    const body = await fetchJson(conversation, toListUrl(endpoint, since, cursor), { authorization });
    const page = readPage(body, endpoint);
    yield* page.listed;
    if (page.nextCursor === null) return;
    cursor = page.nextCursor;
  }
}

const firstWith = async (listed: AsyncIterable<Listed>, seed: number): Promise<Listed['operation'] | null> => {
  for await (const request of listed) if (request.seed === seed) return request.operation;
  return null;
};

type Doors = Pick<Provider, 'find' | 'findAll' | 'announces' | 'readCallback'>;

const createDoors = (transport: Transport): Doors => {
  const isSigned = createSigningKeys((call) =>
    fetchJson(openConversation(transport, { call, purpose: 'verify' }), keySetUrl, {}),
  );

  const list = (call: Call, adminKey: string, listing: Listing): AsyncGenerator<Listed> =>
    listRequests(openConversation(transport, { call, purpose: 'find', hidden: [adminKey] }), adminKey, listing);

  return {
    /** Never `absent`: of the list it is not told when a request comes into it, nor that all do. */
    async find(model, sent, call) {
      const { adminKey } = call.credential;
      if (adminKey === undefined || !hasOwnSeed(model, sent.input)) return 'unknown';
      return askAtDoor(async () => {
        const listed = list(call, adminKey, { endpoint: toEndpoint(model, sent.input), since: sent.at });
        return (await firstWith(listed, toSeed(call.trace))) ?? concludeAbsence(model, sent);
      });
    },

    async findAll(model, since, call) {
      const { adminKey } = call.credential;
      if (adminKey === undefined || !takesOwnSeed(model) || call.traces.length === 0) return [];
      const traces = new Map(call.traces.map((trace) => [toSeed(trace), trace]));
      const found: Found[] = [];
      for (const endpoint of toEndpoints(model))
        for await (const { seed, operation } of list(call, adminKey, { endpoint, since })) {
          const trace = traces.get(seed);
          if (trace !== undefined) found.push({ trace, operation });
        }
      return found;
    },

    announces: () => true,

    async readCallback(_model, callback, call) {
      const announcement = readAnnouncement(callback);
      if (announcement === null) return 'forged';
      return (await isSigned(call, announcement.isSignedBy)) ? announcement.operation : 'forged';
    },
  };
};

export const createFal = (transport: Transport): Provider => {
  const begin = async (call: Call, purpose: Purpose, hidden: readonly (string | null)[] = []) => {
    const sdk = await loadSdk(); // before the deadline starts
    const conversation = openConversation(transport, { call, purpose, hidden });
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
      const submission = toSubmission(model, input, call.trace);
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

    ...createDoors(transport),

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
