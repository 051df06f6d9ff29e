import type { Model } from '../../domain/model';
import { createSigningKeys } from '../callback-signatures';
import { ProviderError, type Call, type Operation, type Outcome, type Provider, type ReadyInput } from '../provider';
import { converse, type Conversation } from '../refusal';
import type { Purpose, Transport } from '../transport';
import { models, type Api } from './models';
import {
  checkModels,
  collectContent,
  defaultBaseUrl,
  hiddenOf,
  readAnnouncement,
  readRefusal,
  toCancellation,
  toContentOutcome,
  toContentRequest,
  toInteraction,
  toInteractionAccepted,
  toInteractionOutcome,
  toVeoAccepted,
  toVeoOutcome,
  toVeoRequest,
} from './wire';

const loadSdk = () => import('@google/genai');

type Sdk = Awaited<ReturnType<typeof loadSdk>>;

const connect = (sdk: Sdk, { call, line }: Conversation) =>
  new sdk.GoogleGenAI({
    apiKey: call.credential.secret,
    // Named, or the SDK reads both from the environment.
    enterprise: false,
    apiVersion: 'v1beta',
    // No timeout of its own: ours covers the whole call. Its retries are off unless asked for.
    httpOptions: { baseUrl: call.credential.baseUrl ?? defaultBaseUrl, fetch: line.fetch },
  });

/** Interactions alone are sent again by default, four times. */
const once = { maxRetries: 0 };

type Work = { sdk: Sdk; google: ReturnType<typeof connect>; model: Model; call: Call };

const submitters: Record<Api, (work: Work, input: ReadyInput) => Promise<Outcome>> = {
  veo: async ({ google, model, call }, input) =>
    toVeoAccepted(await google.models.generateVideos(toVeoRequest(model, input, call)), input),
  interactions: async ({ google, model, call }, input) =>
    toInteractionAccepted(await google.interactions.create(toInteraction(model, input, call), once), input, call),
  content: async ({ google, model, call }, input) => {
    const body = toContentRequest(model, input);
    if (call.onText === undefined) return toContentOutcome(model, await google.models.generateContent(body));
    return collectContent(model, await google.models.generateContentStream(body), call.onText);
  },
};

const apiOf = ({ api }: Model): Api => (api ?? 'content') as Api;

const look = async ({ sdk, google, model, call }: Work, operation: Operation): Promise<Outcome> => {
  if (apiOf(model) === 'interactions')
    return toInteractionOutcome(await google.interactions.get(operation.id, {}, once), operation, call);
  // A plain object in its place makes the SDK stumble over the answer.
  const asked = Object.assign(new sdk.GenerateVideosOperation(), { name: operation.id });
  return toVeoOutcome(await google.operations.getVideosOperation({ operation: asked }), operation, call);
};

const fetchKeySet = (transport: Transport, call: Call): Promise<unknown> => {
  const conversation: Conversation = { call, purpose: 'verify', line: transport.open(call, 'verify'), readRefusal };
  const baseUrl = (call.credential.baseUrl ?? defaultBaseUrl).replace(/\/$/, '');
  return converse(conversation, async () => {
    const response = await conversation.line.fetch(`${baseUrl}/.well-known/jwks.json`);
    if (!response.ok) throw new Error('refused');
    return response.json();
  });
};

/** No `find`: the list of operations carries neither a time nor anything of ours, interactions have no list. */
export const createGoogle = (transport: Transport): Provider => {
  const begin = async (call: Call, purpose: Purpose, hidden: Conversation['hidden'] = []) => {
    const sdk = await loadSdk(); // before the deadline starts
    const conversation: Conversation = { call, purpose, line: transport.open(call, purpose), readRefusal, hidden };
    return { conversation, sdk, google: connect(sdk, conversation) };
  };

  const check = async (model: Model, operation: Operation, call: Call): Promise<Outcome> => {
    const { conversation, ...client } = await begin(call, 'check');
    return converse(conversation, () => look({ ...client, model, call }, operation));
  };

  const isSigned = createSigningKeys((call) => fetchKeySet(transport, call));

  return {
    id: 'google',
    models,

    async prepare() {
      await loadSdk();
    },

    async submit(model, input, call) {
      const { conversation, ...client } = await begin(call, 'submit', hiddenOf(input));
      return converse(conversation, () => submitters[apiOf(model)]({ ...client, model, call }, input));
    },

    check,

    /** What a refusal of an ended interaction says is not documented: a look tells. */
    async cancel(model, operation, call) {
      if (apiOf(model) !== 'interactions') return 'unable';
      const { conversation, google } = await begin(call, 'cancel');
      try {
        const body = await converse(conversation, () => google.interactions.cancel(operation.id, {}, once));
        return toCancellation(body);
      } catch (error) {
        if (!(error instanceof ProviderError) || error.httpStatus !== 400) throw error;
        if ((await check(model, operation, call)).state === 'pending') throw error;
        return 'too_late';
      }
    },

    announces: (model) => apiOf(model) !== 'content',

    async readCallback(model, callback, call) {
      const announcement = readAnnouncement(model, callback);
      if (announcement === null) return 'forged';
      return (await isSigned(call, announcement.isSignedBy)) ? announcement.operation : 'forged';
    },

    async probe(call) {
      const { conversation, google } = await begin(call, 'probe');
      checkModels(await converse(conversation, () => google.models.list({ config: { pageSize: 1 } })));
      return { model: null };
    },
  };
};
