import { createOpenai } from '../../../src/providers/openai';
import type { Call, Sent } from '../../../src/providers/provider';
import { useRecordedProvider } from '../../support/golden';
import { makeCall, makeInput, makeReadyInput, modelOf, secret } from '../../support/provider-calls';
import { json } from '../../support/recording-server';

const current = useRecordedProvider(createOpenai);
const mini = modelOf('openai/gpt-4o-mini');
const call = (overrides: Partial<Call> = {}) =>
  makeCall(`${current.server.url}/openai/v1`, { store: true, ...overrides });
const gateway = () => ({ url: `${current.server.url}/gateway`, key: 'vck_token', modelPrefix: '' });
const behindGateway = () => call({ credential: { alias: 'test', secret, baseUrl: null, gateway: gateway() } });

const completion = {
  id: 'chatcmpl-1',
  object: 'chat.completion',
  model: 'gpt-4o-mini-2024-07-18',
  metadata: { trace: 'gen_1/attempt/1' },
  choices: [{ index: 0, message: { role: 'assistant', content: 'A bicycle.' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 12, completion_tokens: 3, total_tokens: 15 },
};
const list = (...data: unknown[]) => json({ object: 'list', data, has_more: false });
const sent = (at = new Date(Date.now() - 3_600_000)): Sent => ({ at, input: makeInput() });
const find = (what = sent(), talked = call(), model = mini) => current.provider.find?.(model, what, talked);
const requested = () => current.server.requests.map(({ method, path }) => `${method} ${decodeURIComponent(path)}`);

test('has the completion kept under its trace where that is wanted', async () => {
  current.server.answer(json(completion));
  await current.provider.submit(mini, makeReadyInput(), call());
  expect(current.server.requests[0]?.body).toEqual({
    model: 'gpt-4o-mini',
    messages: [{ role: 'user', content: 'a red bicycle in the rain' }],
    store: true,
    metadata: { trace: 'gen_1/attempt/1' },
  });
});

test.each([
  ['unless it is wanted', () => call({ store: false })],
  ['behind a gateway', behindGateway],
])('keeps nothing %s', async (_name, talked) => {
  current.server.answer(json(completion));
  await current.provider.submit(mini, makeReadyInput(), talked());
  expect(current.server.requests[0]?.body).not.toHaveProperty('store');
  expect(current.server.requests[0]?.body).not.toHaveProperty('metadata');
});

test('finds a kept completion by its trace, and reads it as if it had been the answer', async () => {
  current.server.answer(list(completion), json(completion));
  const found = await find();
  expect(found).toEqual({ id: 'chatcmpl-1' });
  const outcome = await current.provider.check?.(mini, { id: 'chatcmpl-1' }, call());
  expect(outcome).toMatchObject({
    state: 'succeeded',
    outputs: [{ kind: 'text', text: 'A bicycle.' }],
    usage: { inputTokens: 12, outputTokens: 3 },
  });
  expect(requested()).toEqual([
    'GET /openai/v1/chat/completions?metadata[trace]=gen_1/attempt/1&order=desc&limit=1',
    'GET /openai/v1/chat/completions/chatcmpl-1',
  ]);
});

test('wants to be asked again while the list may lag, and then does not know', async () => {
  current.server.answer(list());
  await expect(find(sent(new Date()))).rejects.toMatchObject({ code: 'provider_timeout', retryAfterMs: 15_000 });
  expect(await find()).toBe('unknown');
});

test('cannot know what was not kept, or what has no list', async () => {
  current.server.answer(list(completion));
  expect(await find(sent(), call({ store: false }))).toBe('unknown');
  expect(await find(sent(), behindGateway())).toBe('unknown');
  for (const id of ['openai/gpt-5.5', 'openai/gpt-image-2', 'openai/gpt-4o-mini-tts', 'openai/sora-2'])
    expect(await find(sent(), call(), modelOf(id))).toBe('unknown');
  expect(current.server.requests).toEqual([]);
});

test('takes a list that is closed to the key for no list, and trouble for trouble', async () => {
  const refusal = { error: { message: 'missing scopes', type: 'invalid_request_error', param: null, code: null } };
  current.server.answer(json(refusal, 403));
  expect(await find()).toBe('unknown');
  current.server.answer(json(refusal, 500));
  await expect(find()).rejects.toMatchObject({ code: 'provider_server_error' });
  current.server.answer(list({ object: 'chat.completion' }));
  await expect(find()).rejects.toMatchObject({ code: 'provider_bad_response' });
});

test('says that a kept completion is gone', async () => {
  current.server.answer(json({ error: { message: 'not found', type: 'invalid_request_error', code: null } }, 404));
  const looking = current.provider.check?.(mini, { id: 'chatcmpl-1' }, call());
  await expect(looking).rejects.toMatchObject({ code: 'provider_result_lost' });
});

test('has nothing to stop in what was written', async () => {
  current.server.answer(json({}));
  expect(await current.provider.cancel?.(mini, { id: 'chatcmpl-1' }, call())).toBe('too_late');
  expect(current.server.requests).toEqual([]);
});

test('names the request to the support of OpenAI alone, and only when it sends work', async () => {
  current.server.answer(json(completion));
  await current.provider.submit(mini, makeReadyInput(), call());
  expect(current.server.requests[0]?.headers).toMatchObject({ 'x-client-request-id': 'gen_1/attempt/1' });
  await current.provider.check?.(mini, { id: 'chatcmpl-1' }, call());
  await current.provider.submit(mini, makeReadyInput(), behindGateway());
  for (const { headers } of current.server.requests.slice(1)) expect(headers).not.toHaveProperty('x-client-request-id');
  expect(current.server.requests).toHaveLength(3);
});
