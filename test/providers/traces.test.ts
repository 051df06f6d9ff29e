import { createProviders } from '../../src/providers';
import type { Call } from '../../src/providers/provider';
import { createTransport, type Transport } from '../../src/providers/transport';
import { makeCall, makeReadyInput, modelOf, secret } from '../support/provider-calls';
import { json, startRecordingServer, type RecordingServer } from '../support/recording-server';

let server: RecordingServer;
let transport: Transport;
beforeAll(async () => {
  server = await startRecordingServer(json({}));
  transport = createTransport();
});
afterAll(async () => {
  await transport.close();
  await server.close();
});

const trace = 'gen_1/attempt/1';

/** Where in a value the trace, or the seed that stands for it, is to be found. */
const placesOf = (value: unknown, path: string): string[] => {
  if (value === trace || value === 712_564_746 || value === 'gen_1-attempt-1') return [path];
  return typeof value === 'object' && value !== null
    ? Object.entries(value).flatMap(([name, inner]) => placesOf(inner, `${path}.${name}`))
    : [];
};

const film = { durationSeconds: 4, aspectRatio: '16:9', resolution: '720p' };

// Fields that name an end user are no place for it: `user`, `metadata.user_id`, `safety_identifier`.
test.each([
  ['mock/video', ['body.trace'], film],
  ['google/veo-3.1-fast-generate-preview', ['body.webhookConfig.userMetadata.trace'], film],
  ['google/gemini-omni-1.1-flash', ['body.labels.trace', 'body.webhook_config.user_metadata.trace'], film],
  ['google/gemini-2.5-flash', [], {}],
  ['fal/veo3.1', ['body.seed'], film],
  ['fal/flux/dev', ['body.seed'], {}],
  ['fal/veo3.1/reference-to-video', [], film],
  ['runway/gen4.5', [], { durationSeconds: 5 }],
  ['openai/gpt-4o-mini', ['headers.x-client-request-id', 'body.metadata.trace'], {}],
  ['openai/gpt-5.5', ['headers.x-client-request-id', 'body.metadata.trace'], {}],
  ['openai/gpt-image-2', ['headers.x-client-request-id'], {}],
  ['openai/gpt-4o-mini-tts', ['headers.x-client-request-id'], {}],
  ['anthropic/claude-sonnet-5-5', [], { maxTokens: 100 }],
  ['groq/gpt-oss-120b', [], {}],
  ['cloudflare/llama-3.1-8b-instruct', [], {}],
  ['elevenlabs/eleven_multilingual_v2', [], {}],
] as const)(
  'puts the trace of %s into %j',
  async (id, places, wish) => {
    const model = modelOf(id);
    const provider = createProviders(transport).find((candidate) => candidate.id === model.provider);
    const overrides: Partial<Call> = {
      credential: { alias: 'test', secret, baseUrl: server.url, accountId: 'acc' },
      store: true,
      webhookUrl: 'https://hooks.example/1',
    };
    server.answer(json({}));
    // what an empty answer means to each of them is not the question here
    await provider?.submit(model, makeReadyInput(wish), makeCall(server.url, overrides)).catch(() => undefined);
    expect(server.requests).toHaveLength(1);
    const [{ headers, body } = { headers: {}, body: {} }] = server.requests;
    expect([...placesOf(headers, 'headers'), ...placesOf(body, 'body')]).toEqual(places);
  },
  20_000,
); // each loads an SDK
