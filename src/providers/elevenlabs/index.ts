import type { Provider } from '../provider';
import { converse, type Conversation } from '../refusal';
import type { Transport } from '../transport';
import { models } from './models';
import { checkModels, readRefusal, toOutcome, toSubmission, type Spoken, type Submission } from './wire';

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

const order = (elevenlabs: Elevenlabs, submission: Submission) =>
  submission.kind === 'speech'
    ? elevenlabs.textToSpeech.convert(submission.voice, submission.body).withRawResponse()
    : elevenlabs.textToSoundEffects.convert(submission.body).withRawResponse();

const speak = async (elevenlabs: Elevenlabs, submission: Submission): Promise<Spoken> => {
  const { data, rawResponse } = await order(elevenlabs, submission);
  return {
    bytes: new Uint8Array(await new Response(data).arrayBuffer()),
    contentType: rawResponse.headers.get('content-type'),
    characterCost: rawResponse.headers.get('character-cost'),
  };
};

/** Synchronous: the answer is the audio. */
export const createElevenlabs = (transport: Transport): Provider => ({
  id: 'elevenlabs',
  models,

  async prepare() {
    await loadSdk();
  },

  async submit(model, input, call) {
    const sdk = await loadSdk(); // before the deadline starts
    const line = transport.open(call, 'submit');
    const conversation: Conversation = { call, purpose: 'submit', line, readRefusal, hidden: [input.prompt] };
    const elevenlabs = connect(sdk, conversation);
    const spoken = await converse(conversation, () => speak(elevenlabs, toSubmission(model, input)));
    return toOutcome(spoken, model, input);
  },

  async probe(call) {
    const sdk = await loadSdk();
    const conversation: Conversation = { call, purpose: 'probe', line: transport.open(call, 'probe'), readRefusal };
    checkModels(await converse(conversation, async () => connect(sdk, conversation).models.list()));
    return { model: null };
  },
});
