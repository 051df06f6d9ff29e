import type { ServerResponse } from 'node:http';
import { createCloudflare } from '../../../src/providers/cloudflare';
import type { Call } from '../../../src/providers/provider';
import { useRecordedProvider } from '../../support/golden';
import { image, makeCall, makeReadyInput, modelOf, secret, tinyPng } from '../../support/provider-calls';
import { json } from '../../support/recording-server';

const current = useRecordedProvider(createCloudflare);

const accountId = '0123456789abcdef0123456789abcdef';
const base = '/cloudflare/client/v4';
const account = `${base}/accounts/${accountId}`;
const headers = { authorization: `Bearer ${secret}`, 'x-stainless-retry-count': '0', connection: 'close' };

const call = (overrides: Partial<Call> = {}) => {
  const baseUrl = `${current.server.url}${base}`;
  return makeCall(baseUrl, { credential: { alias: 'test', secret, baseUrl, accountId }, ...overrides });
};

const answered = (result: unknown) => json({ result, success: true, errors: [], messages: [] });
const usage = { prompt_tokens: 12, completion_tokens: 3, total_tokens: 15 };
const llama = modelOf('cloudflare/llama-3.3-70b-instruct-fp8-fast');

test('writes text from a system text, messages and a prompt', async () => {
  current.server.answer(answered({ response: 'A bicycle.', usage }));
  const input = makeReadyInput({
    system: 'be brief',
    messages: [{ role: 'assistant', content: 'hi' }],
    maxTokens: 50,
    temperature: 0.2,
    seed: 7,
  });
  expect(await current.provider.submit(llama, input, call())).toEqual({
    state: 'succeeded',
    outputs: [{ kind: 'text', text: 'A bicycle.' }],
    usage: { inputTokens: 12, outputTokens: 3, characters: null, seconds: null, images: null },
    warnings: [],
  });
  const path = `${account}/ai/run/@cf/meta/llama-3.3-70b-instruct-fp8-fast`;
  expect(current.server.requests).toMatchObject([{ method: 'POST', path, headers }]);
  expect(current.server.requests[0]?.body).toEqual({
    messages: [
      { role: 'system', content: 'be brief' },
      { role: 'assistant', content: 'hi' },
      { role: 'user', content: input.prompt },
    ],
    max_tokens: 50,
    temperature: 0.2,
    seed: 7,
  });
});

test.each([
  ['cloudflare/llama-3.3-70b-instruct-fp8-fast', 4096],
  ['cloudflare/gpt-oss-120b', 4096],
  ['cloudflare/llama-3.1-8b-instruct-fp8-fast', 1992],
])('leaves %s room for an answer where the caller left it open', async (id, max_tokens) => {
  current.server.answer(answered({ response: 'A bicycle.' }));
  await current.provider.submit(modelOf(id), makeReadyInput(), call());
  expect(current.server.requests[0]?.body).toMatchObject({ max_tokens });
});

test('writes JSON by a schema and hands over its text', async () => {
  current.server.answer(answered({ response: { a: 'b' }, usage }));
  const schema = { type: 'object', properties: { a: { type: 'string' } } };
  const outcome = await current.provider.submit(llama, makeReadyInput({ schema }), call());
  expect(outcome).toMatchObject({ outputs: [{ kind: 'text', text: '{"a":"b"}' }] });
  const response_format = { type: 'json_schema', json_schema: schema };
  expect(current.server.requests[0]?.body).toMatchObject({ response_format });
});

const picture = { kind: 'bytes', contentType: 'image/png' };

test('draws with JSON on both sides, with as many steps as the price counts', async () => {
  current.server.answer(answered({ image: tinyPng }));
  const input = makeReadyInput({ size: '1024x1024' });
  expect(await current.provider.submit(modelOf('cloudflare/flux-1-schnell'), input, call())).toMatchObject({
    state: 'succeeded',
    outputs: [{ ...picture, bytes: Buffer.from(tinyPng, 'base64') }],
    usage: { images: 1 },
  });
  const path = `${account}/ai/run/@cf/black-forest-labs/flux-1-schnell`;
  expect(current.server.requests).toMatchObject([{ method: 'POST', path, headers }]);
  expect(current.server.requests[0]?.body).toEqual({ prompt: input.prompt, steps: 4 });
});

test('takes an image that is the body', async () => {
  const bytes = Buffer.from(tinyPng, 'base64');
  current.server.answer((response) => response.writeHead(200, { 'content-type': 'image/png' }).end(bytes));
  const input = makeReadyInput({ size: '512x768', negativePrompt: 'blur', seed: 7 });
  const model = modelOf('cloudflare/stable-diffusion-xl-base-1.0');
  const outcome = await current.provider.submit(model, input, call());
  expect(outcome).toMatchObject({ state: 'succeeded', outputs: [{ ...picture, bytes: new Uint8Array(bytes) }] });
  const path = `${account}/ai/run/@cf/stabilityai/stable-diffusion-xl-base-1.0`;
  expect(current.server.requests).toMatchObject([{ method: 'POST', path, headers }]);
  expect(current.server.requests[0]?.body).toEqual({
    prompt: input.prompt,
    negative_prompt: 'blur',
    width: 512,
    height: 768,
    seed: 7,
  });
});

/** The parts of a form as it came, without what differs from time to time. */
const partsOf = (body: unknown): Record<string, string> =>
  Object.fromEntries(
    String(body)
      .split(/--[^\r\n]+(?:\r\n|$)/)
      .map((part) => /name="([^"]+)"([^]*?)\r\n\r\n([^]*?)\r\n$/.exec(part))
      .filter((part) => part !== null)
      .map(([, name = '', , value = '']) => [name, name.startsWith('input_image') ? value.slice(1, 4) : value]),
  );

test('draws from a form, with references by their numbers', async () => {
  current.server.answer(answered({ image: tinyPng }));
  const input = makeReadyInput({ size: '1024x768', seed: 7, referenceImages: [image, image] });
  const outcome = await current.provider.submit(modelOf('cloudflare/flux-2-dev'), input, call());
  expect(outcome).toMatchObject({ state: 'succeeded', outputs: [picture] });
  const path = `${account}/ai/run/@cf/black-forest-labs/flux-2-dev`;
  expect(current.server.requests).toMatchObject([
    { method: 'POST', path, headers: { ...headers, 'content-type': /^multipart\/form-data; boundary=/ } },
  ]);
  expect(partsOf(current.server.requests[0]?.body)).toEqual({
    prompt: input.prompt,
    steps: '25',
    width: '1024',
    height: '768',
    seed: '7',
    input_image_0: 'PNG',
    input_image_1: 'PNG',
  });
});

test('names no steps to the models that have them fixed', async () => {
  current.server.answer(answered({ image: tinyPng }));
  const input = makeReadyInput({ size: '512x512' });
  await current.provider.submit(modelOf('cloudflare/flux-2-klein-9b'), input, call());
  expect(partsOf(current.server.requests[0]?.body)).toEqual({ prompt: input.prompt, width: '512', height: '512' });
});

test('says which setting is missing, and asks nobody', async () => {
  current.server.answer(answered({ response: 'Hi' }));
  const credential = { alias: 'test', secret, baseUrl: `${current.server.url}${base}` };
  const refusal = {
    code: 'provider_auth',
    scope: 'credential',
    accepted: 'no',
    message: 'CLOUDFLARE_ACCOUNT_ID is not set',
  };
  await expect(current.provider.submit(llama, makeReadyInput(), call({ credential }))).rejects.toMatchObject(refusal);
  await expect(current.provider.probe(call({ credential }))).rejects.toMatchObject(refusal);
  expect(current.server.requests).toHaveLength(0);
});

test('asks for one model to see whether the key reaches the account', async () => {
  current.server.answer(answered([{ name: '@cf/meta/llama-3.1-8b-instruct-fp8-fast' }]));
  expect(await current.provider.probe(call())).toEqual({ model: null });
  expect(current.server.requests).toMatchObject([{ method: 'GET', path: `${account}/ai/models/search?per_page=1` }]);
});

test('sees that the key does not work, and that a page is no list of models', async () => {
  const errors = [{ code: 10000, message: 'Authentication error' }];
  current.server.answer(json({ success: false, errors, messages: [], result: null }, 403));
  await expect(current.provider.probe(call())).rejects.toMatchObject({ code: 'provider_auth', scope: 'credential' });
  current.server.answer((response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'));
  await expect(current.provider.probe(call())).rejects.toMatchObject({ code: 'provider_bad_response' });
});

const data = (body: unknown): string => `data: ${JSON.stringify(body)}\n\n`;
const done = 'data: [DONE]\n\n';

const streamOf =
  (...events: string[]) =>
  (response: ServerResponse) =>
    void response.writeHead(200, { 'content-type': 'text/event-stream' }).end(events.join(''));

const listen = () => {
  const deltas: string[] = [];
  return { deltas, listening: call({ onText: (delta) => deltas.push(delta) }) };
};

test.each([
  ['its own', [data({ response: 'Hel', p: 'ab' }), data({ response: 'lo ü' }), data({ response: '', usage })]],
  [
    "OpenAI's",
    [
      data({ choices: [{ delta: { role: 'assistant', content: 'Hel' }, finish_reason: null }] }),
      data({ choices: [{ delta: { content: 'lo ü' } }] }),
      data({ choices: [{ delta: {}, finish_reason: 'stop' }], usage }),
    ],
  ],
])('streams text in %s form to whoever listens and returns the whole', async (_form, events) => {
  current.server.answer(streamOf(...events, done));
  const { deltas, listening } = listen();
  expect(await current.provider.submit(llama, makeReadyInput(), listening)).toMatchObject({
    state: 'succeeded',
    outputs: [{ text: 'Hello ü' }],
    usage: { inputTokens: 12, outputTokens: 3 },
  });
  expect(deltas).toEqual(['Hel', 'lo ü']);
  expect(listening.exchanges).toHaveLength(1);
  expect(current.server.requests[0]?.body).toMatchObject({ stream: true, max_tokens: 4096 });
});

test.each([
  ['JSON mode', { schema: { type: 'object' } }],
  ['an answer that is no stream', {}],
])('tells the whole at once with %s', async (_why, input) => {
  current.server.answer(answered({ response: 'Hello', usage }));
  const { deltas, listening } = listen();
  const outcome = await current.provider.submit(llama, makeReadyInput(input), listening);
  expect(outcome).toMatchObject({ outputs: [{ text: 'Hello' }] });
  expect(deltas).toEqual(['Hello']);
  expect('stream' in (current.server.requests[0]?.body as object)).toBe(!('schema' in input));
});

test.each([
  ['early', [data({ response: 'Hel' })]],
  ['in nonsense', [data({ response: 'Hel' }), 'data: {"respo\n\n', done]],
])('takes a stream that ends %s for a lost answer', async (_how, events) => {
  current.server.answer(streamOf(...events));
  const submitting = current.provider.submit(llama, makeReadyInput(), listen().listening);
  await expect(submitting).rejects.toMatchObject({ code: 'provider_bad_response', accepted: 'unknown' });
});

test.each(['stalls', 'breaks'])('keeps the deadline and the verdict when a stream %s', async (how) => {
  current.server.answer((response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(data({ response: 'Hel' }), () => (how === 'breaks' ? response.destroy() : undefined));
  });
  const listening = { ...listen().listening, deadlineMs: 300 };
  const code = how === 'breaks' ? 'provider_server_error' : 'provider_timeout';
  const submitting = current.provider.submit(llama, makeReadyInput(), listening);
  await expect(submitting).rejects.toMatchObject({ code, accepted: 'unknown' });
  expect(listening.exchanges).toHaveLength(1);
});

test('repeats nothing of what it was given in an error', async () => {
  const words = ['please draw the secret plan', 'no secret plan of theirs'];
  const [prompt = '', negativePrompt = ''] = words;
  const errors = [{ code: 5006, message: `AiError: Bad input: ${words.join(' | ')}` }];
  current.server.answer(json({ success: false, errors, messages: [], result: null }, 400));
  const model = modelOf('cloudflare/stable-diffusion-xl-base-1.0');
  const submitting = current.provider.submit(model, makeReadyInput({ prompt, negativePrompt }), call());
  await expect(submitting).rejects.toMatchObject({
    code: 'caller_invalid_request',
    message: 'AiError: Bad input: … | …',
  });
});
