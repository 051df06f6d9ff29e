import type { ServerResponse } from 'node:http';
import { createAnthropic } from '../../../src/providers/anthropic';
import { useRecordedProvider } from '../../support/golden';
import { image, makeCall, makeReadyInput, modelOf, secret, tinyPng } from '../../support/provider-calls';
import { json } from '../../support/recording-server';

const current = useRecordedProvider(createAnthropic);
const call = () => makeCall(`${current.server.url}/anthropic`);
const sonnet = modelOf('anthropic/claude-sonnet-5-5');
const headers = {
  authorization: `Bearer ${secret}`,
  'anthropic-version': '2026-10-21',
  'x-stainless-retry-count': '0',
  connection: 'close',
};
const usage = { input_tokens: 12, output_tokens: 3 };
const message = json({
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'claude-sonnet-5-5',
  content: [{ type: 'text', text: 'A bicycle.' }],
  stop_reason: 'end_turn',
  usage,
});

test('writes text by a schema from system texts, messages, an image and a prompt', async () => {
  current.server.answer(message);
  const schema = { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] };
  const input = makeReadyInput({
    system: 'be brief',
    messages: [
      { role: 'user', content: 'hi' },
      { role: 'assistant', content: 'hello' },
      { role: 'system', content: 'now in verse' },
    ],
    image,
    schema,
    maxTokens: 50,
  });
  expect(await current.provider.submit(sonnet, input, call())).toEqual({
    state: 'succeeded',
    outputs: [{ kind: 'text', text: 'A bicycle.' }],
    usage: { inputTokens: 12, outputTokens: 3, characters: null, seconds: null, images: null },
    warnings: [],
  });
  expect(current.server.requests).toMatchObject([{ method: 'POST', path: '/anthropic/v1/messages', headers }]);
  expect(current.server.requests[0]?.headers['x-api-key']).toBeUndefined();
  expect(current.server.requests[0]?.body).toEqual({
    model: 'claude-sonnet-5-5',
    max_tokens: 50,
    system: 'be brief\n\nnow in verse',
    messages: [
      { role: 'user', content: 'hi' },
      { role: 'assistant', content: 'hello' },
      {
        role: 'user',
        content: [
          { type: 'image', source: { type: 'base64', media_type: 'image/png', data: tinyPng } },
          { type: 'text', text: input.prompt },
        ],
      },
    ],
    output_config: { format: { type: 'json_schema', schema } },
  });
});

test('names a limit where the caller left it open, and nothing else', async () => {
  current.server.answer(message);
  const input = makeReadyInput();
  await current.provider.submit(sonnet, input, call());
  expect(current.server.requests[0]?.body).toEqual({
    model: 'claude-sonnet-5-5',
    max_tokens: 4096,
    messages: [{ role: 'user', content: [{ type: 'text', text: input.prompt }] }],
  });
});

test('sends as many tokens as the model may write, long as that takes', async () => {
  current.server.answer(message);
  const outcome = await current.provider.submit(sonnet, makeReadyInput({ maxTokens: 128_000 }), call());
  expect(outcome).toMatchObject({ state: 'succeeded' });
  expect(current.server.requests[0]?.body).toMatchObject({ max_tokens: 128_000 });
});

test('asks for one model to see whether the key works', async () => {
  current.server.answer(json({ data: [{ id: 'claude-haiku-5-5', type: 'model' }], has_more: true }));
  expect(await current.provider.probe(call())).toEqual({ model: null });
  expect(current.server.requests).toMatchObject([{ method: 'GET', path: '/anthropic/v1/models?limit=1' }]);
});

test('sees that the key does not work, and that a page is no list of models', async () => {
  current.server.answer(json({ type: 'error', error: { type: 'authentication_error', message: 'no' } }, 401));
  await expect(current.provider.probe(call())).rejects.toMatchObject({ code: 'provider_auth', scope: 'credential' });
  current.server.answer((response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'));
  await expect(current.provider.probe(call())).rejects.toMatchObject({ code: 'provider_bad_response' });
});

const event = (type: string, rest: Record<string, unknown> = {}): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...rest })}\n\n`;

const start = event('message_start', { message: { usage: { input_tokens: 12, output_tokens: 1 } } });
const piece = (text: string): string => event('content_block_delta', { index: 0, delta: { type: 'text_delta', text } });
const stop = (reason: string): string =>
  event('message_delta', { delta: { stop_reason: reason }, usage: { output_tokens: 7 } });

const streamOf =
  (...events: string[]) =>
  (response: ServerResponse) =>
    void response.writeHead(200, { 'content-type': 'text/event-stream' }).end(events.join(''));

const thinking = event('content_block_delta', { index: 0, delta: { type: 'thinking_delta', thinking: 'hm' } });

test('streams text to whoever listens and returns the whole', async () => {
  const events = [start, event('ping'), thinking, piece('Hel'), piece('lo'), stop('max_tokens'), event('message_stop')];
  current.server.answer(streamOf(...events));
  const deltas: string[] = [];
  const listening = { ...call(), onText: (delta: string) => deltas.push(delta) };
  expect(await current.provider.submit(sonnet, makeReadyInput(), listening)).toMatchObject({
    state: 'succeeded',
    outputs: [{ text: 'Hello' }],
    usage: { inputTokens: 12, outputTokens: 7 },
    warnings: ['the text was cut at the token limit'],
  });
  expect(deltas).toEqual(['Hel', 'lo']);
  expect(listening.exchanges).toHaveLength(1);
  expect(current.server.requests[0]?.body).toMatchObject({ stream: true, max_tokens: 4096 });
});

test('reads a refusal at the end of a stream', async () => {
  current.server.answer(streamOf(start, piece('I'), stop('refusal'), event('message_stop')));
  const outcome = await current.provider.submit(sonnet, makeReadyInput(), { ...call(), onText: () => undefined });
  expect(outcome).toMatchObject({ state: 'failed', code: 'provider_content_rejected' });
});

test.each([
  ['without its last event', [start, piece('Hel'), stop('end_turn')]],
  ['in the middle of the text', [start, piece('Hel')]],
])('takes a stream that ends %s for a lost answer', async (_how, events) => {
  current.server.answer(streamOf(...events));
  const submitting = current.provider.submit(sonnet, makeReadyInput(), { ...call(), onText: () => undefined });
  await expect(submitting).rejects.toMatchObject({ code: 'provider_bad_response', accepted: 'unknown' });
});

test('cannot tell what became of a message whose stream ended in an error', async () => {
  const error = event('error', { error: { type: 'overloaded_error', message: 'Overloaded' } });
  current.server.answer(streamOf(start, piece('Hel'), error));
  const submitting = current.provider.submit(sonnet, makeReadyInput(), { ...call(), onText: () => undefined });
  await expect(submitting).rejects.toMatchObject({ accepted: 'unknown', scope: 'provider' });
  expect(current.server.requests).toHaveLength(1);
});

test.each(['stalls', 'breaks'])('keeps the deadline and the verdict when a stream %s', async (how) => {
  current.server.answer((response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(start + piece('Hel'), () => (how === 'breaks' ? response.destroy() : undefined));
  });
  const listening = { ...call(), deadlineMs: 300, onText: () => undefined };
  const submitting = current.provider.submit(sonnet, makeReadyInput(), listening);
  const code = how === 'breaks' ? 'provider_server_error' : 'provider_timeout';
  await expect(submitting).rejects.toMatchObject({ code, accepted: 'unknown' });
  expect(listening.exchanges).toHaveLength(1);
});

test('repeats nothing of what it was given in an error', async () => {
  const words = ['please draw the secret plan', 'you keep the secret plan', 'what is the secret plan'];
  const [prompt = '', system = '', content = ''] = words;
  const told = { type: 'error', error: { type: 'invalid_request_error', message: `bad: ${words.join(' | ')}` } };
  current.server.answer(json(told, 400));
  const input = makeReadyInput({ prompt, system, messages: [{ role: 'user', content }] });
  const submitting = current.provider.submit(sonnet, input, call());
  await expect(submitting).rejects.toMatchObject({ code: 'caller_invalid_request', message: 'bad: … | … | …' });
});
