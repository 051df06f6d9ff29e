import type { Model } from '../../domain/model';
import type { Call, Outcome, Provider, ReadyInput } from '../provider';
import { converse, type Conversation } from '../refusal';
import type { Purpose, Transport } from '../transport';
import { models } from './models';
import {
  checkModels,
  collectText,
  listPath,
  readRefusal,
  runPath,
  toBinaryOutcome,
  toImageForm,
  toImageOutcome,
  toImageRequest,
  toTextOutcome,
  toTextRequest,
} from './wire';

const defaultBaseUrl = 'https://api.cloudflare.com/client/v4';

/** 0.3 s: only when somebody asks for it. */
const loadSdk = () => import('cloudflare');

const connect = (sdk: Awaited<ReturnType<typeof loadSdk>>, { call, line }: Conversation) =>
  new sdk.default({
    apiToken: call.credential.secret,
    // Named, or the SDK reads them from the environment.
    apiKey: null,
    apiEmail: null,
    userServiceKey: null,
    baseURL: call.credential.baseUrl ?? defaultBaseUrl,
    fetch: line.fetch,
    maxRetries: 0,
    timeout: call.deadlineMs * 2, // ours comes first and covers the body
    logLevel: 'off',
  });

type Work = { cloudflare: ReturnType<typeof connect>; path: string; model: Model; input: ReadyInput; call: Call };

const tellWhole = (outcome: Outcome, { onText }: Call): Outcome => {
  if (outcome.state === 'succeeded')
    for (const output of outcome.outputs) if (output.kind === 'text') onText?.(output.text);
  return outcome;
};

/** JSON mode does not stream: then the listener hears the whole at once. */
const write = async ({ cloudflare, path, model, input, call }: Work): Promise<Outcome> => {
  const body = toTextRequest(model, input);
  if (call.onText === undefined || input.schema !== null)
    return tellWhole(toTextOutcome(await cloudflare.post(path, { body }), model, input), call);
  // The SDK reads no event streams.
  const response = await cloudflare.post(path, { body: { ...body, stream: true } }).asResponse();
  const isStream = (response.headers.get('content-type') ?? '').startsWith('text/event-stream');
  if (isStream && response.body !== null) return collectText(response.body, { model, input, onText: call.onText });
  return tellWhole(toTextOutcome(await response.json(), model, input), call);
};

const draw = async ({ cloudflare, path, model, input }: Work): Promise<Outcome> => {
  if (model.api === 'multipart')
    return toImageOutcome(await cloudflare.post(path, { body: toImageForm(model, input) }));
  const body = toImageRequest(model, input);
  if (model.api === 'json') return toImageOutcome(await cloudflare.post(path, { body }));
  // Parsed, an image is nothing to the SDK.
  const response = await cloudflare.post(path, { body }).asResponse();
  return toBinaryOutcome(new Uint8Array(await response.arrayBuffer()), response.headers.get('content-type'));
};

export const createCloudflare = (transport: Transport): Provider => {
  const begin = async (call: Call, purpose: Purpose, hidden: Conversation['hidden'] = []) => {
    const sdk = await loadSdk(); // before the deadline starts
    const conversation: Conversation = { call, purpose, line: transport.open(call, purpose), readRefusal, hidden };
    return { conversation, cloudflare: connect(sdk, conversation) };
  };

  return {
    id: 'cloudflare',
    models,

    async prepare() {
      await loadSdk();
    },

    /** The answer is the result, so there is nothing to check, cancel or find. */
    async submit(model, input, call) {
      const path = runPath(model, call);
      const { prompt, system, negativePrompt, messages } = input;
      const hidden = [prompt, system, negativePrompt, ...messages.map(({ content }) => content)];
      const { conversation, cloudflare } = await begin(call, 'submit', hidden);
      const work: Work = { cloudflare, path, model, input, call };
      return converse(conversation, () => (model.medium === 'image' ? draw(work) : write(work)));
    },

    async probe(call) {
      const path = listPath(call);
      const { conversation, cloudflare } = await begin(call, 'probe');
      checkModels(await converse(conversation, () => cloudflare.get(path, { query: { per_page: 1 } })));
      return { model: null };
    },
  };
};
