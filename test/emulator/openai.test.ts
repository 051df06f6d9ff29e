import OpenAI, { APIError, toFile } from 'openai';
import { magicOf, postJson, readJson, useEmulator } from './support';

const current = useEmulator();

const clientOf = (apiKey = 'sk-test'): OpenAI =>
  new OpenAI({ apiKey, baseURL: `${current().url}/openai/v1`, maxRetries: 0 });

const failureOf = async (call: Promise<unknown>): Promise<Record<string, unknown>> => {
  const error: unknown = await call.catch((caught: unknown) => caught);
  if (!(error instanceof APIError)) throw new Error('not refused');
  return { status: error.status as number, code: error.code, type: error.type, param: error.param };
};

const bytesOf = (base64: string | undefined): Uint8Array => Buffer.from(base64 ?? '', 'base64');

const messages = [{ role: 'user' as const, content: 'Name a colour for a bicycle' }];

test.each([
  ['png', 'png'],
  ['jpeg', 'jpeg'],
  ['webp', 'WEBP'],
] as const)('makes an image as %s', async (output_format, magic) => {
  const image = await clientOf().images.generate({
    model: 'gpt-image-2',
    prompt: 'a bicycle',
    size: '1536x864',
    quality: 'low',
    output_format,
  });
  expect(magicOf(bytesOf(image.data?.[0]?.b64_json))).toBe(magic);
  expect(image).toMatchObject({ size: '1536x864', quality: 'low', output_format });
  expect(image._request_id).toMatch(/^req_/);
});

test('books an image at the price of its tokens', async () => {
  const image = await clientOf().images.generate({
    model: 'gpt-image-2',
    prompt: 'a bicycle',
    size: '1024x1024',
    quality: 'high',
    n: 2,
  });
  expect(image.usage).toMatchObject({
    output_tokens: 2 * 7033,
    input_tokens_details: { text_tokens: 3, image_tokens: 0 },
  });
  expect(image.data?.[0]?.b64_json).not.toBe(image.data?.[1]?.b64_json);
  expect(await current().ledger()).toMatchObject([
    { model: 'gpt-image-2', costUsd: '0.421995', state: 'succeeded', retryCount: 0 },
  ]);
});

test('edits an image sent as multipart', async () => {
  const image = await toFile(Buffer.from('89504e470d0a1a0a', 'hex'), 'a.png', { type: 'image/png' });
  const answer = await clientOf().images.edit({ model: 'gpt-image-1-mini', image, prompt: 'make it blue', n: 1 });
  expect(magicOf(bytesOf(answer.data?.[0]?.b64_json))).toBe('png');
  expect(answer.usage?.input_tokens_details.image_tokens).toBeGreaterThan(0);
});

test.each([
  ['an unknown parameter', { colour: 'red' }, 'unknown_parameter', 'colour'],
  ['a parameter of other models', { response_format: 'b64_json' }, 'unknown_parameter', 'response_format'],
  ['a size that is no multiple of 16', { size: '1000x1000' }, 'invalid_value', 'size'],
  ['a ratio over 3:1', { size: '2048x512' }, 'invalid_value', 'size'],
  ['a transparent background', { background: 'transparent' }, 'invalid_value', 'background'],
  ['a missing prompt', { prompt: undefined }, 'missing_required_parameter', 'prompt'],
])('refuses %s', async (_, extra, code, param) => {
  const body = { model: 'gpt-image-2', prompt: 'a bicycle', ...extra } as OpenAI.ImageGenerateParamsNonStreaming;
  expect(await failureOf(clientOf().images.generate(body))).toEqual({
    status: 400,
    code,
    param,
    type: 'invalid_request_error',
  });
  expect(await current().ledger()).toEqual([]);
});

test('blocks refused images, and serves retired models unless the lifecycle is strict', async () => {
  const refused = clientOf().images.generate({ model: 'gpt-image-2', prompt: '[refuse]' });
  expect(await failureOf(refused)).toMatchObject({
    status: 400,
    code: 'moderation_blocked',
    type: 'image_generation_user_error',
  });
  const old = await clientOf().images.generate({ model: 'dall-e-3', prompt: 'a bicycle' });
  expect(magicOf(new Uint8Array(await (await fetch(old.data?.[0]?.url ?? '')).arrayBuffer()))).toBe('png');
  await current().set({ strictLifecycle: true });
  expect(await failureOf(clientOf().images.generate({ model: 'dall-e-3', prompt: 'a bicycle' }))).toMatchObject({
    status: 404,
    code: 'model_not_found',
  });
});

test('answers a chat, the same for the same prompt', async () => {
  const ask = (): Promise<OpenAI.ChatCompletion> =>
    clientOf().chat.completions.create({ model: 'gpt-4o-mini', messages });
  const [first, second] = [await ask(), await ask()];
  expect(first.choices[0]?.message.content).toContain('Name a colour for a bicycle');
  expect(first.choices[0]?.message.content).toBe(second.choices[0]?.message.content);
  expect(first.id).not.toBe(second.id);
  expect(first.usage?.total_tokens).toBe((first.usage?.prompt_tokens ?? 0) + (first.usage?.completion_tokens ?? 0));
  expect(await current().ledger()).toMatchObject([{ submits: 2 }, { submits: 2 }]);
});

test('streams a chat with its usage at the end', async () => {
  const stream = await clientOf().chat.completions.create({
    model: 'gpt-4o-mini',
    messages,
    stream: true,
    stream_options: { include_usage: true },
  });
  let text = '';
  let usage: unknown;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? '';
    usage = chunk.usage ?? usage;
  }
  const whole = await clientOf().chat.completions.create({ model: 'gpt-4o-mini', messages });
  expect(text).toBe(whole.choices[0]?.message.content);
  expect(usage).toEqual(whole.usage);
});

test('fits its answer to a JSON schema', async () => {
  const schema = {
    type: 'object',
    additionalProperties: false,
    required: ['language', 'complexity', 'moderation', 'suggestions', 'aspectRatio'],
    properties: {
      language: { type: 'string' },
      complexity: { type: 'integer', minimum: 2, maximum: 5 },
      aspectRatio: { enum: ['16:9', '9:16'] },
      moderation: { $ref: '#/$defs/moderation' },
      suggestions: { type: 'array', items: { type: ['string', 'null'] } },
    },
    $defs: { moderation: { type: 'object', properties: { flagged: { type: 'boolean' } }, required: ['flagged'] } },
  };
  const answer = await clientOf().chat.completions.create({
    model: 'gpt-4o-mini',
    messages,
    response_format: { type: 'json_schema', json_schema: { name: 'analysis', strict: true, schema } },
  });
  expect(JSON.parse(answer.choices[0]?.message.content ?? '')).toEqual({
    language: 'en',
    complexity: 2,
    aspectRatio: '16:9',
    moderation: { flagged: false },
    suggestions: ['suggestions: Name a colour for a bicycle'],
  });
});

test('refuses in its own ways', async () => {
  const ask = (content: string): Promise<OpenAI.ChatCompletion> =>
    clientOf().chat.completions.create({ model: 'gpt-4o', messages: [{ role: 'user', content }] });
  expect((await ask('[refuse]')).choices[0]?.message.refusal).toContain("can't assist");
  await current().addFault({ provider: 'openai', kind: 'filtered' });
  expect((await ask('hello')).choices[0]?.finish_reason).toBe('content_filter');
  expect(await failureOf(ask('[fail]'))).toMatchObject({ status: 500, type: 'server_error' });
});

test('cuts an answer at the token limit', async () => {
  const answer = await clientOf().chat.completions.create({ model: 'gpt-5.5', messages, max_completion_tokens: 5 });
  expect(answer.choices[0]?.finish_reason).toBe('length');
  expect(answer.choices[0]?.message.content).toHaveLength(20);
});

test('refuses what reasoning models do not take', async () => {
  const ask = (extra: object): Promise<unknown> =>
    clientOf().chat.completions.create({ model: 'gpt-5.5', messages, ...extra });
  expect(await failureOf(ask({ max_tokens: 5 }))).toMatchObject({ code: 'unsupported_parameter', param: 'max_tokens' });
  expect(await failureOf(ask({ temperature: 0.2 }))).toMatchObject({ code: 'unsupported_value', param: 'temperature' });
});

test('finds by its metadata a stored chat whose answer was lost', async () => {
  await current().addFault({ provider: 'openai', kind: 'drop_after_accept' });
  const lost = { model: 'gpt-4o-mini', messages, store: true, metadata: { trace: 'lost' } };
  await expect(clientOf().chat.completions.create(lost)).rejects.toThrow();
  const { data } = await clientOf().chat.completions.list({ metadata: { trace: 'lost' } });
  const [entry] = await current().ledger();
  expect(data).toMatchObject([{ id: entry?.['operation'], choices: [{ finish_reason: 'stop' }] }]);
  expect(entry).toMatchObject({ marks: { metadata: { trace: 'lost' } } });
});

test('finds a stored chat by its metadata, and no other', async () => {
  const ask = (store: boolean, job: string): Promise<OpenAI.ChatCompletion> =>
    clientOf().chat.completions.create({ model: 'gpt-4o-mini', messages, store, metadata: { job } });
  const stored = await ask(true, 'a');
  await ask(false, 'a');
  await ask(true, 'b');
  const { data } = await clientOf().chat.completions.list({ metadata: { job: 'a' } });
  expect(data.map(({ id }) => id)).toEqual([stored.id]);
  expect(await clientOf().chat.completions.retrieve(stored.id)).toMatchObject({
    id: stored.id,
    metadata: { job: 'a' },
  });
});

test('has four members in every error, and rate headers on every submit', async () => {
  const response = await postJson(
    `${current().url}/openai/v1/chat/completions`,
    { model: 'gpt-9', messages },
    { authorization: 'Bearer k' },
  );
  expect(response.status).toBe(404);
  const error = (await readJson(response))['error'] as object;
  expect(Object.keys(error).sort()).toEqual(['code', 'message', 'param', 'type']);
  expect(response.headers.get('x-ratelimit-reset-requests')).toMatch(/^(\d+m)?\d+(ms|s)$/);
  expect(response.headers.get('x-request-id')).toMatch(/^req_/);
});

test('refuses bad keys and empty accounts', async () => {
  const ask = (key: string): Promise<unknown> => clientOf(key).chat.completions.create({ model: 'gpt-4o', messages });
  expect(await failureOf(ask('sk-invalid'))).toMatchObject({ status: 401, code: 'invalid_api_key' });
  expect(await failureOf(ask('sk-exhausted'))).toMatchObject({ status: 429, code: 'insufficient_quota' });
  const names = [];
  for await (const model of clientOf().models.list()) names.push(model.id);
  expect(names).toContain('gpt-image-2');
});

test('refuses an argument it does not know and an image that is none in the words of chat', async () => {
  const url = `${current().url}/openai/v1/chat/completions`;
  const ask = (extra: object): Promise<Response> =>
    postJson(url, { model: 'gpt-4o', messages, ...extra }, { authorization: 'Bearer k' });
  expect(await readJson(await ask({ colour: 'red' }))).toMatchObject({
    error: { message: 'Unrecognized request argument supplied: colour', param: null },
  });
  const picture = (image: string): object => ({
    messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: image } }] }],
  });
  expect(await readJson(await ask(picture('ftp://example.com')))).toMatchObject({
    error: { code: 'invalid_image_url' },
  });
  expect((await ask(picture('data:image/png;base64,AAAA'))).status).toBe(200);
});
