import type { Call, Provider } from '../provider';
import { askAtDoor, concludeAbsence } from '../recovery';
import { converse, type Conversation } from '../refusal';
import type { Purpose, Transport } from '../transport';
import { isListed, toFoundSpeech, toHistoryRequest } from './history';
import { models } from './models';
import { checkModels, readRefusal, toKeptOutcome, toOutcome, toSubmission, type Spoken, type Submission } from './wire';

const defaultBaseUrl = 'https://api.elevenlabs.io';

/** 0.8 s and 86 MB: only when somebody speaks. */
const loadSdk = () => import('@elevenlabs/elevenlabs-js');

const connect = (sdk: Awaited<ReturnType<typeof loadSdk>>, { call, line }: Conversation) =>
  new sdk.ElevenLabsClient({
    apiKey: call.credential.secret,
    baseUrl: call.credential.baseUrl ?? defaultBaseUrl,
    fetch: line.fetch,
    maxRetries: 0,
    timeoutInSeconds: Math.ceil(call.deadlineMs / 500), // ours comes first and covers the body
  });

type Elevenlabs = ReturnType<typeof connect>;

type Answering = { data: ReadableStream<Uint8Array>; rawResponse: { headers: { get(name: string): string | null } } };

const order = (elevenlabs: Elevenlabs, submission: Submission): Promise<Answering> =>
  submission.kind === 'speech'
    ? elevenlabs.textToSpeech.convert(submission.voice, submission.body).withRawResponse()
    : elevenlabs.textToSoundEffects.convert(submission.body).withRawResponse();

const listen = async (answering: Promise<Answering>): Promise<Spoken> => {
  const { data, rawResponse } = await answering;
  return {
    bytes: new Uint8Array(await new Response(data).arrayBuffer()),
    contentType: rawResponse.headers.get('content-type'),
    characterCost: rawResponse.headers.get('character-cost'),
  };
};

/** Synchronous: the answer is the audio. What `find` has found in the history is fetched from there. */
export const createElevenlabs = (transport: Transport): Provider => {
  const begin = async (call: Call, purpose: Purpose, hidden: readonly (string | null)[] = []) => {
    const sdk = await loadSdk(); // before the deadline starts
    const conversation: Conversation = { call, purpose, line: transport.open(call, purpose), readRefusal, hidden };
    return { conversation, elevenlabs: connect(sdk, conversation) };
  };

  return {
    id: 'elevenlabs',
    models,

    async prepare() {
      await loadSdk();
    },

    async submit(model, input, call) {
      const { conversation, elevenlabs } = await begin(call, 'submit', [input.prompt]);
      const submission = toSubmission(model, input);
      const spoken = await converse(conversation, () => listen(order(elevenlabs, submission)));
      return toOutcome(spoken, model, input);
    },

    async check(_model, operation, call) {
      const { conversation, elevenlabs } = await begin(call, 'check');
      const fetchAudio = () => listen(elevenlabs.history.getAudio(operation.id).withRawResponse());
      return toKeptOutcome(await converse(conversation, fetchAudio), operation);
    },

    /** Never `absent`: an account may keep no history, and when it shows an item is not told. */
    async find(model, sent, call) {
      if (!isListed(model, sent)) return 'unknown';
      return askAtDoor(async () => {
        const { conversation, elevenlabs } = await begin(call, 'find', [sent.input.prompt]);
        const request = toHistoryRequest(model, sent);
        const history = await converse(conversation, async () => elevenlabs.history.list(request));
        return toFoundSpeech(history, model, sent) ?? concludeAbsence(model, sent);
      });
    },

    async probe(call) {
      const { conversation, elevenlabs } = await begin(call, 'probe');
      checkModels(await converse(conversation, async () => elevenlabs.models.list()));
      return { model: null };
    },
  };
};
