import type { ServerResponse } from 'node:http';
import { createGroq } from '../../../src/providers/groq';
import { useRecordedProvider } from '../../support/golden';
import { image, makeCall, makeReadyInput, modelOf, secret, tinyPng } from '../../support/provider-calls';
import { json } from '../../support/recording-server';

const current = useRecordedProvider(createGroq);
const call = () => makeCall(`${current.server.url}/groq`);
const oss = modelOf('groq/gpt-oss-120b');
const headers = { authorization: `Bearer ${secret}`, 'x-stainless-retry-count': '0', connection: 'close' };
const completion = json({
  id: 'chatcmpl-1',
  choices: [{ index: 0, message: { role: 'assistant', content: 'A bicycle.' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 12, completion_tokens: 3, total_tokens: 15, queue_time: 0.1 },
  x_groq: { id: 'req_1' },
});

test('writes text by a schema from a system text, messages and a prompt', async () => {
  current.server.answer(completion);
  const schema = {
    type: 'object',
    properties: { a: { type: 'string' } },
    required: ['a'],
    additionalProperties: false,
  };
  const input = makeReadyInput({
    system: 'be brief',
    messages: [{ role: 'assistant', content: 'hi' }],
    schema,
    maxTokens: 50,
    temperature: 0.2,
    seed: 7,
  });
  expect(await current.provider.submit(oss, input, call())).toMatchObject({
    state: 'succeeded',
    outputs: [{ kind: 'text', text: 'A bicycle.' }],
    usage: { inputTokens: 12, outputTokens: 3 },
  });
  expect(current.server.requests).toMatchObject([
    { method: 'POST', path: '/groq/openai/v1/chat/completions', headers },
  ]);
  expect(current.server.requests[0]?.body).toEqual({
    model: 'openai/gpt-oss-120b',
    messages: [
      { role: 'system', content: 'be brief' },
      { role: 'assistant', content: 'hi' },
      { role: 'user', content: input.prompt },
    ],
    max_completion_tokens: 50,
    temperature: 0.2,
    seed: 7,
    response_format: { type: 'json_schema', json_schema: { name: 'answer', schema, strict: true } },
  });
});

test('shows an image to the model that sees, and keeps its thoughts out of the text', async () => {
  current.server.answer(completion);
  const input = makeReadyInput({ image });
  await current.provider.submit(modelOf('groq/qwen3.8-27b'), input, call());
  expect(current.server.requests[0]?.body).toEqual({
    model: 'qwen/qwen3.8-27b',
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: input.prompt },
          { type: 'image_url', image_url: { url: `data:image/png;base64,${tinyPng}` } },
        ],
      },
    ],
    reasoning_format: 'hidden',
  });
});

test('goes on from messages without a prompt', async () => {
  current.server.answer(completion);
  const messages = [{ role: 'user', content: 'hi' } as const];
  await current.provider.submit(oss, makeReadyInput({ prompt: null, messages }), call());
  expect(current.server.requests[0]?.body).toMatchObject({ messages });
});

const wav = Buffer.concat([Buffer.from('RIFF\xff\xff\xff\xffWAVEfmt ', 'latin1'), Buffer.alloc(32)]);

test('speaks with the first of the voices unless another is named', async () => {
  current.server.answer((response) => response.writeHead(200, { 'content-type': 'audio/wav' }).end(wav));
  const english = modelOf('groq/orpheus-v1-english');
  const input = makeReadyInput({ format: 'wav' });
  expect(await current.provider.submit(english, input, call())).toMatchObject({
    state: 'succeeded',
    outputs: [{ kind: 'bytes', contentType: 'audio/wav', bytes: new Uint8Array(wav) }],
    usage: { characters: input.prompt?.length },
  });
  await current.provider.submit(english, makeReadyInput({ voice: 'troy' }), call());
  expect(current.server.requests).toMatchObject([
    { method: 'POST', path: '/groq/openai/v1/audio/speech', headers: { ...headers, accept: 'audio/wav' } },
    { body: { voice: 'troy' } },
  ]);
  expect(current.server.requests[0]?.body).toEqual({
    model: 'canopylabs/orpheus-v1-english',
    input: input.prompt,
    voice: 'hannah',
    response_format: 'wav',
  });
});

test('asks for the models to see whether the key works', async () => {
  current.server.answer(json({ object: 'list', data: [{ id: 'openai/gpt-oss-20b' }] }));
  expect(await current.provider.probe(call())).toEqual({ model: null });
  expect(current.server.requests).toMatchObject([{ method: 'GET', path: '/groq/openai/v1/models' }]);
});

test('sees that the key does not work, and that a page is no list of models', async () => {
  current.server.answer(json({ error: { message: 'Invalid API Key', code: 'invalid_api_key' } }, 401));
  await expect(current.provider.probe(call())).rejects.toMatchObject({ code: 'provider_auth', scope: 'credential' });
  current.server.answer((response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'));
  await expect(current.provider.probe(call())).rejects.toMatchObject({ code: 'provider_bad_response' });
});

const piece = (delta: unknown, finish: string | null = null, more: Record<string, unknown> = {}): string =>
  `data: ${JSON.stringify({ id: 'c', choices: [{ index: 0, delta, finish_reason: finish }], ...more })}\n\n`;

const done = 'data: [DONE]\n\n';
const usage = { prompt_tokens: 1, completion_tokens: 2 };

const streamOf =
  (...pieces: string[]) =>
  (response: ServerResponse) =>
    void response.writeHead(200, { 'content-type': 'text/event-stream' }).end(pieces.join(''));

test('streams text to whoever listens and returns the whole', async () => {
  const thought = piece({ reasoning: 'hm' });
  const last = piece({}, 'stop', { x_groq: { id: 'req_1', usage } });
  current.server.answer(
    streamOf(piece({ content: '' }), thought, piece({ content: 'Hel' }), piece({ content: 'lo' }), last, done),
  );
  const deltas: string[] = [];
  const listening = { ...call(), onText: (delta: string) => deltas.push(delta) };
  expect(await current.provider.submit(oss, makeReadyInput(), listening)).toMatchObject({
    state: 'succeeded',
    outputs: [{ text: 'Hello' }],
    usage: { inputTokens: 1, outputTokens: 2 },
  });
  expect(deltas).toEqual(['Hel', 'lo']);
  expect(listening.exchanges).toHaveLength(1);
  expect(current.server.requests[0]?.body).toMatchObject({ stream: true });
});

test('tells the whole at once where a schema rules out a stream', async () => {
  current.server.answer(completion);
  const deltas: string[] = [];
  const listening = { ...call(), onText: (delta: string) => deltas.push(delta) };
  await current.provider.submit(oss, makeReadyInput({ schema: { type: 'object' } }), listening);
  expect(deltas).toEqual(['A bicycle.']);
  expect(current.server.requests[0]?.body).not.toHaveProperty('stream');
});

test.each([
  ['early', [piece({ content: 'Hel' }), done]],
  [
    'with a reason of its own',
    [piece({ content: 'Hel' }), piece({}, 'stop', { x_groq: { error: 'over capacity' } }), done],
  ],
  ['in nonsense', [piece({ content: 'Hel' }), 'data: {"choices":7}\n\n', done]],
])('takes a stream that ends %s for a lost answer', async (_how, pieces) => {
  current.server.answer(streamOf(...pieces));
  const submitting = current.provider.submit(oss, makeReadyInput(), { ...call(), onText: () => undefined });
  await expect(submitting).rejects.toMatchObject({ accepted: 'unknown', scope: 'provider' });
  expect(current.server.requests).toHaveLength(1);
});

test.each(['stalls', 'breaks'])('keeps the deadline and the verdict when a stream %s', async (how) => {
  current.server.answer((response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(piece({ content: 'Hel' }), () => (how === 'breaks' ? response.destroy() : undefined));
  });
  const listening = { ...call(), deadlineMs: 300, onText: () => undefined };
  const code = how === 'breaks' ? 'provider_server_error' : 'provider_timeout';
  const submitting = current.provider.submit(oss, makeReadyInput(), listening);
  await expect(submitting).rejects.toMatchObject({ code, accepted: 'unknown' });
  expect(listening.exchanges).toHaveLength(1);
});

test('repeats nothing of what the model wrote in an error', async () => {
  const prompt = 'please draw the secret plan';
  const error = {
    message: `Generated JSON does not match the schema: ${prompt}`,
    type: 'invalid_request_error',
    code: 'json_validate_failed',
    failed_generation: 'the other secret',
  };
  current.server.answer(json({ error }, 400));
  const submitting = current.provider.submit(oss, makeReadyInput({ prompt, schema: {} }), call());
  await expect(submitting).rejects.toMatchObject({
    code: 'caller_invalid_request',
    accepted: 'no',
    message: 'Generated JSON does not match the schema: …',
  });
});
