import type { GenerationInput } from '../../domain/generation';
import type { Model } from '../../domain/model';
import type { Call, Outcome, Provider } from '../provider';
import { converse, type Conversation } from '../refusal';
import type { Transport } from '../transport';
import { models } from './models';
import { collectChat, readRefusal, toChatOutcome, toChatRequest, toImageOutcome, toImageRequest } from './wire';

const defaultBaseUrl = 'https://api.openai.com/v1';

const loadSdk = () => import('openai');

const connect = (sdk: Awaited<ReturnType<typeof loadSdk>>, { call, line }: Conversation) =>
  new sdk.default({
    apiKey: call.credential.secret,
    // Named, or the SDK reads them from the environment.
    baseURL: call.credential.baseUrl ?? defaultBaseUrl,
    organization: null,
    project: null,
    fetch: line.fetch,
    maxRetries: 0,
    timeout: call.deadlineMs * 2, // ours comes first
    logLevel: 'off',
  });

type Work = { openai: ReturnType<typeof connect>; model: Model; input: GenerationInput };

const drawImages = async ({ openai, model, input }: Work): Promise<Outcome> =>
  toImageOutcome(await openai.images.generate(toImageRequest(model, input)), input);

const writeText = async ({ openai, model, input }: Work, onText: Call['onText']): Promise<Outcome> => {
  const body = toChatRequest(model, input);
  if (onText === undefined) return toChatOutcome(await openai.chat.completions.create(body));
  const stream = { stream: true, stream_options: { include_usage: true } } as const;
  return collectChat(await openai.chat.completions.create({ ...body, ...stream }), onText);
};

/** Synchronous: the answer is the result, so there is nothing to check, cancel or find. */
export const createOpenai = (transport: Transport): Provider => ({
  id: 'openai',
  models,

  async prepare() {
    await loadSdk();
  },

  async submit(model, input, call) {
    const sdk = await loadSdk(); // before the deadline starts
    const line = transport.open(call, 'submit');
    const hidden = [input.prompt, input.system];
    const conversation: Conversation = { call, purpose: 'submit', line, readRefusal, hidden };
    const work = { openai: connect(sdk, conversation), model, input };
    return converse(conversation, () => (model.medium === 'image' ? drawImages(work) : writeText(work, call.onText)));
  },
});
