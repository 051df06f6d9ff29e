import type { Model } from '../../domain/model';
import type { Call, Outcome, Provider, ReadyInput } from '../provider';
import { converse, type Conversation } from '../refusal';
import type { Purpose, Transport } from '../transport';
import { models } from './models';
import {
  checkModels,
  collectChat,
  readRefusal,
  toChatOutcome,
  toChatRequest,
  toSpeechOutcome,
  toSpeechRequest,
} from './wire';

/** The SDK adds `/openai/v1`. */
const defaultBaseUrl = 'https://api.groq.com';

const loadSdk = () => import('groq-sdk');

const connect = (sdk: Awaited<ReturnType<typeof loadSdk>>, { call, line }: Conversation) =>
  new sdk.default({
    apiKey: call.credential.secret,
    baseURL: call.credential.baseUrl ?? defaultBaseUrl, // else the SDK reads the environment
    fetch: line.fetch,
    maxRetries: 0,
    timeout: call.deadlineMs * 2, // ours comes first and covers the body
    logLevel: 'off',
  });

type Work = { groq: ReturnType<typeof connect>; model: Model; input: ReadyInput; call: Call };

/** A schema and a stream do not go together at Groq: then the listener hears the whole at once. */
const writeText = async ({ groq, model, input, call }: Work): Promise<Outcome> => {
  const body = toChatRequest(model, input);
  if (call.onText !== undefined && input.schema === null)
    return collectChat(await groq.chat.completions.create({ ...body, stream: true }), call.onText);
  const outcome = toChatOutcome(await groq.chat.completions.create(body));
  if (outcome.state === 'succeeded')
    for (const output of outcome.outputs) if (output.kind === 'text') call.onText?.(output.text);
  return outcome;
};

const speak = async ({ groq, model, input }: Work): Promise<Outcome> => {
  const response = await groq.audio.speech.create(toSpeechRequest(model, input));
  const bytes = new Uint8Array(await response.arrayBuffer());
  return toSpeechOutcome({ bytes, contentType: response.headers.get('content-type') }, input);
};

export const createGroq = (transport: Transport): Provider => {
  const begin = async (call: Call, purpose: Purpose, hidden: Conversation['hidden'] = []) => {
    const sdk = await loadSdk(); // before the deadline starts
    const conversation: Conversation = { call, purpose, line: transport.open(call, purpose), readRefusal, hidden };
    return { conversation, groq: connect(sdk, conversation) };
  };

  return {
    id: 'groq',
    models,

    async prepare() {
      await loadSdk();
    },

    /** The answer is the result, so there is nothing to check, cancel or find. */
    async submit(model, input, call) {
      const hidden = [input.prompt, input.system, ...input.messages.map(({ content }) => content)];
      const { conversation, groq } = await begin(call, 'submit', hidden);
      const work: Work = { groq, model, input, call };
      return converse(conversation, () => (model.medium === 'speech' ? speak(work) : writeText(work)));
    },

    async probe(call) {
      const { conversation, groq } = await begin(call, 'probe');
      checkModels(await converse(conversation, () => groq.models.list()));
      return { model: null };
    },
  };
};
