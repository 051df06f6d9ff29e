import type { Call, Outcome, Provider } from '../provider';
import { converse, type Conversation } from '../refusal';
import type { Purpose, Transport } from '../transport';
import { models } from './models';
import { checkModels, collectMessage, readRefusal, toMessageRequest, toOutcome, type MessageRequest } from './wire';

const defaultBaseUrl = 'https://api.anthropic.com';

const loadSdk = () => import('@anthropic-ai/sdk');

const connect = (sdk: Awaited<ReturnType<typeof loadSdk>>, { call, line }: Conversation) =>
  new sdk.default({
    apiKey: call.credential.secret,
    // Named, or the SDK reads them from the environment.
    baseURL: call.credential.baseUrl ?? defaultBaseUrl,
    webhookKey: null,
    openTelemetry: false,
    fetch: line.fetch,
    maxRetries: 0,
    // Ours comes first. Without one the SDK refuses a max_tokens that could take more than ten minutes.
    timeout: call.deadlineMs * 2,
    logLevel: 'off',
  });

type Client = ReturnType<typeof connect>;

const write = async (anthropic: Client, body: MessageRequest, onText: Call['onText']): Promise<Outcome> =>
  onText === undefined
    ? toOutcome(await anthropic.messages.create(body))
    : collectMessage(await anthropic.messages.create({ ...body, stream: true }), onText);

export const createAnthropic = (transport: Transport): Provider => {
  const begin = async (call: Call, purpose: Purpose, hidden: Conversation['hidden'] = []) => {
    const sdk = await loadSdk(); // before the deadline starts
    const conversation: Conversation = { call, purpose, line: transport.open(call, purpose), readRefusal, hidden };
    return { conversation, anthropic: connect(sdk, conversation) };
  };

  return {
    id: 'anthropic',
    models,

    async prepare() {
      await loadSdk();
    },

    /** The answer is the result, so there is nothing to check, cancel or find. */
    async submit(model, input, call) {
      const body = toMessageRequest(model, input);
      const hidden = [input.prompt, input.system, ...input.messages.map(({ content }) => content)];
      const { conversation, anthropic } = await begin(call, 'submit', hidden);
      return converse(conversation, () => write(anthropic, body, call.onText));
    },

    async probe(call) {
      const { conversation, anthropic } = await begin(call, 'probe');
      // Not `models.list`: it turns whatever comes into an empty page.
      checkModels(await converse(conversation, () => anthropic.get('/v1/models', { query: { limit: 1 } })));
      return { model: null };
    },
  };
};
