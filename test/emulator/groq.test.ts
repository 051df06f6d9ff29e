import Groq from 'groq-sdk';
import type { ChatCompletionCreateParamsBase } from 'groq-sdk/resources/chat/completions';
import { sendJson, testSubmitFaults } from './submit-faults';
import { magicOf, postJson, readJson, useEmulator } from './support';

const current = useEmulator();

const clientOf = (apiKey = 'gsk_test'): Groq => new Groq({ apiKey, baseURL: `${current().url}/groq`, maxRetries: 0 });

const headers = { authorization: 'Bearer gsk_test' };
const messages = [{ role: 'user' as const, content: 'Name a colour for a bicycle' }];
const base = { model: 'openai/gpt-oss-20b', messages };
const speech = { model: 'canopylabs/orpheus-v1-english', voice: 'troy', input: 'Hello there, good morning.' };

type GroqError = { status: number; message: string; type: string; code?: string; failed_generation?: string };

const errorOf = async (response: Response): Promise<GroqError> => {
  const { error } = (await readJson(response)) as { error: GroqError };
  return { ...error, status: response.status };
};

const post = (body: unknown, sent: Record<string, string> = headers): Promise<Response> =>
  postJson(`${current().url}/groq/openai/v1/chat/completions`, body, sent);

const say = (body: unknown): Promise<Response> =>
  postJson(`${current().url}/groq/openai/v1/audio/speech`, body, headers);

const failureOf = async (call: Promise<unknown>): Promise<Record<string, unknown>> => {
  const error: unknown = await call.catch((caught: unknown) => caught);
  if (!(error instanceof Groq.APIError)) throw new Error('not refused');
  return { kind: error.constructor.name, status: error.status as number, ...(error.error as { error: object }).error };
};

test('answers a chat through the official client, with its times', async () => {
  const chat = await clientOf().chat.completions.create({ ...base, seed: 7 });
  expect(chat.id).toMatch(/^chatcmpl-/);
  expect(chat.choices[0]?.message.content).toContain('Name a colour for a bicycle');
  expect(chat).toMatchObject({
    object: 'chat.completion',
    service_tier: 'on_demand',
    x_groq: { id: expect.stringMatching(/^req_/), seed: 7 },
    choices: [{ finish_reason: 'stop', message: { role: 'assistant', reasoning: expect.any(String) } }],
  });
  const usage = chat.usage as Groq.CompletionUsage;
  for (const name of ['queue_time', 'prompt_time', 'completion_time', 'total_time'] as const) {
    expect(usage[name]).toBeGreaterThanOrEqual(0);
  }
  expect(usage.total_tokens).toBe(usage.prompt_tokens + usage.completion_tokens);
  expect(usage.completion_tokens_details?.reasoning_tokens).toBeGreaterThan(0);
  expect((await current().requests('?kind=submit'))[0]).toMatchObject({ retryCount: 0, model: base.model });
});

test.each([
  ['llama-3.3-70b-versatile', 0.59, 0.79],
  ['openai/gpt-oss-120b', 0.15, 0.6],
  ['openai/gpt-oss-20b', 0.075, 0.3],
  ['qwen/qwen3.8-27b', 0.8, 4],
])('books %s at the price of its tokens', async (model, inUsd, outUsd) => {
  const { usage } = await clientOf().chat.completions.create({ ...base, model });
  const [entry] = await current().ledger();
  const costUsd = ((usage?.prompt_tokens ?? 0) * inUsd + (usage?.completion_tokens ?? 0) * outUsd) / 1e6;
  expect(entry).toMatchObject({ model, medium: 'text', state: 'succeeded' });
  expect(Number(entry?.['costUsd'])).toBeCloseTo(costUsd, 7);
});

test('streams what it would have answered whole, the usage in the last piece', async () => {
  const whole = await clientOf().chat.completions.create(base);
  const stream = await clientOf().chat.completions.create({ ...base, stream: true });
  let [text, reasoning] = ['', ''];
  const signs: (object | undefined)[] = [];
  for await (const { choices, x_groq } of stream) {
    text += choices[0]?.delta.content ?? '';
    reasoning += choices[0]?.delta.reasoning ?? '';
    signs.push(x_groq ?? undefined);
  }
  expect(text).toBe(whole.choices[0]?.message.content);
  expect(reasoning).toBe(whole.choices[0]?.message.reasoning);
  expect(signs[0]).toMatchObject({ id: expect.stringMatching(/^req_/) });
  expect(signs.at(-1)).toMatchObject({ usage: { completion_tokens: whole.usage?.completion_tokens } });
});

test('sends the usage once more on its own when asked to, and says it is done', async () => {
  const response = await post({ ...base, stream: true, stream_options: { include_usage: true } });
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  const lines = (await response.text()).trim().split('\n\n');
  expect(lines.at(-1)).toBe('data: [DONE]');
  expect(JSON.parse(lines.at(-2)?.slice(6) ?? '')).toMatchObject({
    choices: [],
    usage: { total_tokens: expect.any(Number) },
  });
});

test.each([
  ['an unknown property', { colour: 'red' }, "property 'colour' is unsupported"],
  [
    'an unknown property of a message',
    { messages: [{ ...messages[0], id: 'm1' }] },
    "'messages.0' : for 'role:user' the following must be satisfied[('messages.0' : property 'id' is unsupported)]",
  ],
  ['no messages', { messages: [] }, "'messages' : minimum number of items is 1"],
  ['missing messages', { messages: undefined }, "property 'messages' is missing"],
  ['several answers', { n: 2 }, "'n' : "],
  ['a temperature over 2', { temperature: 2.5 }, "'temperature' : "],
  ['metadata', { metadata: { job: 'a' } }, "'metadata' : not yet supported"],
  ['storing', { store: true }, "'store' : "],
  [
    'effort for a model that does not reason',
    { model: 'llama-3.3-70b-versatile', reasoning_effort: 'low' },
    '`reasoning_effort` is not supported',
  ],
  [
    'an effort it does not know',
    { reasoning_effort: 'none' },
    '`reasoning_effort` must be one of `low`, `medium`, `high`',
  ],
  ['a reasoning format', { reasoning_format: 'parsed' }, '`reasoning_format` is not supported'],
  [
    'both ways to place thoughts',
    { model: 'qwen/qwen3.8-27b', reasoning_format: 'parsed', include_reasoning: true },
    'cannot specify both',
  ],
  [
    'thoughts inside of JSON',
    {
      model: 'qwen/qwen3.8-27b',
      reasoning_format: 'raw',
      response_format: { type: 'json_object' },
      messages: [{ role: 'user', content: 'json' }],
    },
    '`reasoning_format` must be',
  ],
  ['JSON without the word', { response_format: { type: 'json_object' } }, "must contain the word 'json'"],
  [
    'a picture',
    { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://example.com/a.png' } }] }] },
    'messages[0].content must be a string',
  ],
])('refuses %s', async (_, extra, message) => {
  const error = await errorOf(await post({ ...base, ...extra }));
  expect(error).toMatchObject({ status: 400, type: 'invalid_request_error' });
  expect(error.message).toContain(message);
  expect(await current().ledger()).toEqual([]);
});

const closed = {
  type: 'object',
  additionalProperties: false,
  required: ['language', 'score'],
  properties: { language: { type: 'string' }, score: { type: 'integer', minimum: 2 } },
};
const formatOf = (schema: object, strict = true): NonNullable<ChatCompletionCreateParamsBase['response_format']> => ({
  type: 'json_schema',
  json_schema: { name: 'analysis', strict, schema: { ...schema } },
});

test('fits its answer to a JSON schema where the model can', async () => {
  const chat = await clientOf().chat.completions.create({ ...base, response_format: formatOf(closed) });
  expect(JSON.parse(chat.choices[0]?.message.content ?? '')).toEqual({ language: 'en', score: 2 });
  for (const model of ['llama-3.3-70b-versatile', 'qwen/qwen3.8-27b']) {
    const failure = await failureOf(
      clientOf().chat.completions.create({ ...base, model, response_format: formatOf(closed) }),
    );
    expect(failure).toMatchObject({
      kind: 'BadRequestError',
      message: expect.stringContaining('does not support response format'),
    });
  }
});

test('wants strict schemas closed and complete, and no stream', async () => {
  const messageOf = async (extra: object): Promise<string> =>
    (await errorOf(await post({ ...base, ...extra }))).message;
  const { additionalProperties: _, ...open } = closed;
  expect(await messageOf({ response_format: formatOf(open) })).toContain('additionalProperties:false');
  expect(await messageOf({ response_format: formatOf({ ...closed, required: ['score'] }) })).toContain(
    "missing 'language'",
  );
  expect(await messageOf({ response_format: formatOf(closed), stream: true })).toContain('streaming');
  expect((await post({ ...base, response_format: formatOf(open, false) })).status).toBe(200);
});

test('fails where the text is not the JSON that was asked for, and shows it', async () => {
  const ask = (extra: object): Promise<Response> => post({ ...base, response_format: formatOf(closed), ...extra });
  const refused = await errorOf(await ask({ messages: [{ role: 'user', content: '[refuse]' }] }));
  expect(refused).toMatchObject({
    status: 400,
    type: 'invalid_request_error',
    code: 'json_validate_failed',
    failed_generation: expect.stringContaining("can't help"),
  });
  const cut = await errorOf(await ask({ max_completion_tokens: 5 }));
  expect(cut).toMatchObject({
    code: 'json_validate_failed',
    message: expect.stringContaining('max completion tokens'),
  });
  const entries = await current().ledger();
  expect(entries.map(({ state }) => state)).toEqual(['failed', 'failed']);
  for (const { costUsd } of entries) expect(Number(costUsd)).toBeGreaterThan(0);
});

test('says no in plain words, for the usual price', async () => {
  const chat = await clientOf().chat.completions.create({ ...base, messages: [{ role: 'user', content: '[refuse]' }] });
  expect(chat.choices[0]).toMatchObject({
    finish_reason: 'stop',
    message: { content: expect.stringContaining("can't help") },
  });
  expect(await current().ledger()).toMatchObject([{ state: 'succeeded' }]);
});

test('puts its thoughts where they were wanted', async () => {
  const ask = async (extra: object): Promise<Groq.Chat.ChatCompletionMessage | undefined> =>
    (await clientOf().chat.completions.create({ ...base, model: 'qwen/qwen3.8-27b', ...extra })).choices[0]?.message;
  expect((await ask({}))?.content).toMatch(/^<think>\n[^]+<\/think>\n\nYou asked/);
  expect(await ask({ reasoning_format: 'parsed' })).toMatchObject({
    content: expect.stringMatching(/^You asked/),
    reasoning: expect.stringContaining('bicycle'),
  });
  expect((await ask({ reasoning_format: 'hidden' }))?.reasoning).toBeUndefined();
  expect((await ask({ reasoning_effort: 'none' }))?.content).toMatch(/^You asked/);
  expect((await ask({ model: 'openai/gpt-oss-20b', include_reasoning: false }))?.reasoning).toBeUndefined();
});

test('cuts at the limit, thoughts first, and at stop sequences', async () => {
  const ask = async (extra: object): Promise<Groq.Chat.ChatCompletion.Choice | undefined> =>
    (await clientOf().chat.completions.create({ ...base, ...extra })).choices[0];
  expect(await ask({ max_completion_tokens: 5 })).toMatchObject({ finish_reason: 'length', message: { content: '' } });
  const llama = { model: 'llama-3.3-70b-versatile' };
  expect((await ask({ ...llama, max_tokens: 5 }))?.message.content).toHaveLength(20);
  expect((await ask({ ...llama, stop: 'bicycle' }))?.message.content).not.toContain('bicycle');
});

test('refuses what is too long or too large', async () => {
  const long = await errorOf(await post({ ...base, messages: [{ role: 'user', content: 'x'.repeat(600_000) }] }));
  expect(long).toMatchObject({ status: 400, code: 'context_length_exceeded' });
  const url = `data:image/png;base64,${'A'.repeat(5 * 2 ** 20)}`;
  const large = await post({
    model: 'qwen/qwen3.8-27b',
    messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }],
  });
  expect(await errorOf(large)).toMatchObject({ status: 413, code: 'request_too_large' });
});

test('speaks, for the price of the characters', async () => {
  const response = await clientOf().audio.speech.create({ ...speech, response_format: 'wav' });
  expect(response.headers.get('content-type')).toBe('audio/wav');
  const bytes = Buffer.from(await response.arrayBuffer());
  expect(magicOf(bytes)).toBe('WAVE');
  expect(bytes.readUInt32LE(24)).toBe(24_000);
  expect(await current().ledger()).toMatchObject([
    { model: speech.model, medium: 'speech', costUsd: String((speech.input.length * 22) / 1e6), state: 'succeeded' },
  ]);
});

test.each([
  ['over 200 characters', { input: 'x'.repeat(201) }, 'maximum length is 200'],
  ['without a text', { input: '' }, "'input' : "],
  ['with a voice of another model', { voice: 'fahad' }, '[autumn diana hannah austin daniel troy]'],
  ['in another format', { response_format: 'mp3' }, '[wav]'],
  ['with an unknown property', { tone: 'warm' }, "property 'tone' is unsupported"],
])('refuses speech %s', async (_, extra, message) => {
  const error = await errorOf(await say({ ...speech, ...extra }));
  expect(error).toMatchObject({ status: 400, type: 'invalid_request_error' });
  expect(error.message).toContain(message);
  expect(await current().ledger()).toEqual([]);
});

test('withholds speech by fault only', async () => {
  await current().addFault({ provider: 'groq', kind: 'content_refused' });
  expect(await errorOf(await say(speech))).toMatchObject({ status: 400, code: 'content_policy_violation' });
  await current().addFault({ provider: 'groq', kind: 'filtered' });
  expect(await errorOf(await say(speech))).toMatchObject({ status: 400, code: 'content_policy_violation' });
  expect(await current().ledger()).toMatchObject([{ state: 'failed', costUsd: '0' }]);
  expect(await errorOf(await say({ ...speech, model: 'playai-tts' }))).toMatchObject({
    status: 404,
    code: 'model_not_found',
  });
});

test('has limits in every answer to a submit, and a time to come back in a 429 only', async () => {
  const first = await post(base);
  expect(first.headers.get('x-ratelimit-limit-requests')).toBe('14400');
  expect(first.headers.get('x-ratelimit-remaining-requests')).toBe('14399');
  expect(first.headers.get('x-ratelimit-reset-requests')).toBe('6s');
  expect(first.headers.get('x-ratelimit-reset-tokens')).toBe('20ms');
  expect(first.headers.get('retry-after')).toBeNull();
  await current().set({ limits: { groq: { requestsPerMinute: 1 } } });
  const second = await post(base);
  expect(Number(second.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(second.headers.get('x-ratelimit-limit-requests')).toBe('14400');
  expect(await errorOf(second)).toMatchObject({ status: 429, type: 'requests', code: 'rate_limit_exceeded' });
  await current().reset();
  await current().addFault({ provider: 'groq', kind: 'status', status: 503, retryAfter: 9 });
  expect((await post(base)).headers.get('retry-after')).toBeNull();
});

test.each([
  [401, 'AuthenticationError', 'invalid_api_key'],
  [413, 'APIError', 'request_too_large'],
  [429, 'RateLimitError', 'rate_limit_exceeded'],
  [498, 'APIError', 'capacity_exceeded'],
])('answers %i as %s', async (status, kind, code) => {
  await current().addFault({ provider: 'groq', operation: 'submit', kind: 'status', status });
  const failure = await failureOf(clientOf().chat.completions.create({ ...base, service_tier: 'flex' }));
  expect(failure).toMatchObject({ kind, status, code });
  expect(await current().ledger()).toEqual([]);
});

test('refuses bad keys, empty accounts, unknown paths and broken JSON', async () => {
  const ask = (key: string): Promise<unknown> => clientOf(key).chat.completions.create(base);
  expect(await failureOf(ask('gsk_invalid'))).toMatchObject({ status: 401, code: 'invalid_api_key' });
  expect(await failureOf(ask('gsk_exhausted'))).toMatchObject({ status: 400, code: 'blocked_api_access' });
  expect((await post(base, {})).status).toBe(401);
  const nowhere = await fetch(`${current().url}/groq/openai/v2/models`, { headers });
  expect(await errorOf(nowhere)).toMatchObject({ status: 404, code: 'unknown_url' });
  const broken = await fetch(`${current().url}/groq/openai/v1/chat/completions`, {
    method: 'POST',
    body: '{',
    headers: { ...headers, 'content-type': 'application/json' },
  });
  expect(await errorOf(broken)).toMatchObject({ status: 400, type: 'invalid_request_error' });
  expect(await current().ledger()).toEqual([]);
});

test('serves a decommissioned model unless the lifecycle is strict', async () => {
  const model = 'llama-3.3-70b-versatile';
  const ids = async (): Promise<string[]> => (await clientOf().models.list()).data.map(({ id }) => id);
  expect(await ids()).toEqual(expect.arrayContaining([model, 'openai/gpt-oss-120b', speech.model]));
  expect((await post({ ...base, model })).status).toBe(200);
  await current().set({ strictLifecycle: true });
  expect(await errorOf(await post({ ...base, model }))).toMatchObject({ status: 404, code: 'model_not_found' });
  expect(await ids()).not.toContain(model);
  expect(await clientOf().models.retrieve('openai/gpt-oss-20b')).toMatchObject({
    id: 'openai/gpt-oss-20b',
    object: 'model',
  });
  expect(await failureOf(clientOf().models.retrieve(model))).toMatchObject({ status: 404, code: 'model_not_found' });
});

const chatPath = '/groq/openai/v1/chat/completions';
testSubmitFaults(current, { provider: 'groq', name: 'a chat', send: sendJson(chatPath, base, headers) });
const speechPath = '/groq/openai/v1/audio/speech';
testSubmitFaults(current, { provider: 'groq', name: 'speech', send: sendJson(speechPath, speech, headers) });
