import type { Medium } from '../../domain/generation';
import type { Model } from '../../domain/model';
import type { Call, Operation, Outcome, Provider, ReadyInput } from '../provider';
import { askAtDoor, concludeAbsence } from '../recovery';
import { converse, type Conversation } from '../refusal';
import type { Purpose, Transport } from '../transport';
import { collectChat, toChatOutcome, toChatRequest, toChatSearch, toFoundChat } from './chat';
import { toConnection, toSubmitHeaders, type Connection } from './gateway';
import { toEditRequest, toImageOutcome, toImageRequest } from './images';
import { models } from './models';
import { collectResponse, toResponseCancellation, toResponseOutcome, toResponseRequest } from './responses';
import { toSpeechOutcome, toSpeechRequest } from './speech';
import { toVideoOutcome, toVideoRequest } from './videos';
import { checkModel, readRefusal } from './wire';

const probedModel = 'gpt-5.5';

const loadSdk = () => import('openai');

const connect = (
  sdk: Awaited<ReturnType<typeof loadSdk>>,
  { call, purpose, line }: Conversation,
  connection: Connection,
) =>
  new sdk.default({
    apiKey: connection.key,
    // Named, or the SDK reads them from the environment.
    baseURL: connection.baseUrl,
    organization: null,
    project: null,
    defaultHeaders: { ...connection.headers, ...(purpose === 'submit' && toSubmitHeaders(call, connection)) },
    // With `Response` at hand the SDK need not try a request to learn whether forms can be sent.
    fetch: Object.assign(line.fetch.bind(null), { Response }),
    maxRetries: 0,
    timeout: call.deadlineMs * 2, // ours comes first
    logLevel: 'off',
  });

type Work = {
  openai: ReturnType<typeof connect>;
  connection: Connection;
  /** Under the name it has where the request goes. */
  model: Model;
  input: ReadyInput;
  call: Call;
};

/** Whether what a gateway passes on is kept behind it, and can be asked for, is not told. */
const isKept = ({ store }: Call, { isDirect }: Connection): boolean => store === true && isDirect;

const drawImages = async ({ openai, connection, model, input }: Work): Promise<Outcome> => {
  const edit = toEditRequest(model, input);
  const body = { ...toImageRequest(model, input), ...connection.body };
  // `never`: the SDK's type of a file differs between its two module formats.
  const drawing = edit === null ? openai.images.generate(body) : openai.images.edit(edit as never);
  return toImageOutcome(await drawing, input);
};

const writeChat = async ({ openai, connection, model, input, call }: Work): Promise<Outcome> => {
  const keptAs = isKept(call, connection) ? call.trace : null;
  const body = { ...toChatRequest(model, input, keptAs), ...connection.body };
  if (call.onText === undefined) return toChatOutcome(await openai.chat.completions.create(body));
  const stream = { stream: true, stream_options: { include_usage: true } } as const;
  return collectChat(await openai.chat.completions.create({ ...body, ...stream }), call.onText);
};

const writeResponse = async ({ openai, connection, model, input, call }: Work): Promise<Outcome> => {
  const { onText, trace } = call;
  const isBackground = onText === undefined && connection.isDirect;
  const body = { ...toResponseRequest(model, input, { isBackground, trace }), ...connection.body };
  if (onText === undefined) return toResponseOutcome(await openai.responses.create({ ...body, stream: false }));
  return collectResponse(await openai.responses.create({ ...body, stream: true }), onText);
};

const speak = async ({ openai, connection, model, input }: Work): Promise<Outcome> => {
  const answer = await openai.audio.speech.create({ ...toSpeechRequest(model, input), ...connection.body });
  const bytes = new Uint8Array(await answer.arrayBuffer());
  return toSpeechOutcome({ bytes, contentType: answer.headers.get('content-type') }, input);
};

const shootVideo = async ({ openai, connection, model, input }: Work): Promise<Outcome> =>
  toVideoOutcome(await openai.videos.create(toVideoRequest(model, input) as never), connection.baseUrl);

const works: Record<string, (work: Work) => Promise<Outcome>> = {
  images: drawImages,
  chat: writeChat,
  responses: writeResponse,
  speech: speak,
  videos: shootVideo,
};

/** Of a row that names no interface. */
const usualWorks: Record<Medium, (work: Work) => Promise<Outcome>> = {
  text: writeChat,
  image: drawImages,
  speech: speak,
  video: shootVideo,
};

const workOf = ({ api, medium }: Model): ((work: Work) => Promise<Outcome>) => works[api ?? ''] ?? usualWorks[medium];

const isChat = (model: Model): boolean => workOf(model) === writeChat;

type Lookup = Pick<Work, 'openai' | 'connection' | 'model'> & { operation: Operation };

const look = async ({ openai, connection, model, operation: { id } }: Lookup): Promise<Outcome> => {
  if (model.api === 'videos') return toVideoOutcome(await openai.videos.retrieve(id), connection.baseUrl);
  if (isChat(model)) return toChatOutcome(await openai.chat.completions.retrieve(id));
  return toResponseOutcome(await openai.responses.retrieve(id));
};

/**
 * Most of it is synchronous: the answer is the result. Responses in the background and videos are looked at, and what
 * `find` has found.
 */
export const createOpenai = (transport: Transport): Provider => {
  const begin = async (call: Call, purpose: Purpose, hidden: Conversation['hidden'] = []) => {
    const sdk = await loadSdk(); // before the deadline starts
    const connection = toConnection(call);
    const conversation: Conversation = {
      call,
      purpose,
      line: transport.open(call, purpose),
      readRefusal,
      hidden: [...hidden, call.credential.gateway?.key ?? null],
    };
    return { conversation, connection, openai: connect(sdk, conversation, connection) };
  };

  return {
    id: 'openai',
    models,

    async prepare() {
      await loadSdk();
    },

    async submit(model, input, call) {
      const hidden = [input.prompt, input.system, ...input.messages.map(({ content }) => content)];
      const { conversation, connection, openai } = await begin(call, 'submit', hidden);
      const named = { ...model, providerModel: `${connection.modelPrefix}${model.providerModel}` };
      return converse(conversation, () => workOf(model)({ openai, connection, model: named, input, call }));
    },

    async check(model, operation, call) {
      const { conversation, connection, openai } = await begin(call, 'check');
      return converse(conversation, () => look({ openai, connection, model, operation }));
    },

    async cancel(model, operation, call) {
      if (model.api === 'videos') return 'unable';
      // Kept once it is written.
      if (isChat(model)) return 'too_late';
      const { conversation, openai } = await begin(call, 'cancel');
      return toResponseCancellation(await converse(conversation, () => openai.responses.cancel(operation.id)));
    },

    /** Responses have no list, and images and speech are not kept at all. Never `absent`: `store` is not an obligation. */
    async find(model, sent, call) {
      const { conversation, connection, openai } = await begin(call, 'find');
      if (!isChat(model) || !isKept(call, connection)) return 'unknown';
      return askAtDoor(async () => {
        const search = toChatSearch(call.trace);
        const body = await converse(conversation, async () => openai.chat.completions.list(search));
        return toFoundChat(body) ?? concludeAbsence(model, sent);
      });
    },

    async probe(call) {
      const { conversation, connection, openai } = await begin(call, 'probe');
      const name = `${connection.modelPrefix}${probedModel}`;
      checkModel(await converse(conversation, () => openai.models.retrieve(name)));
      return { model: probedModel };
    },
  };
};
