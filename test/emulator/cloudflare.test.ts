import Cloudflare from 'cloudflare';
import { sendJson, testSubmitFaults } from './submit-faults';
import { magicOf, postJson, readJson, useEmulator } from './support';

const current = useEmulator();

const account = '0123456789abcdef0123456789abcdef';
const headers = { authorization: 'Bearer token' };

const clientOf = (apiToken = 'token'): Cloudflare =>
  new Cloudflare({ apiToken, baseURL: `${current().url}/cloudflare/client/v4`, maxRetries: 0 });

const pathOf = (model: string): string => `/accounts/${account}/ai/run/${model}`;
const urlOf = (path: string): string => `${current().url}/cloudflare/client/v4${path}`;

const llama = '@cf/meta/llama-3.3-70b-instruct-fp8-fast';
const oss = '@cf/openai/gpt-oss-120b';
const schnell = '@cf/black-forest-labs/flux-1-schnell';
const sdxl = '@cf/stabilityai/stable-diffusion-xl-base-1.0';
const flux2 = '@cf/black-forest-labs/flux-2-dev';
const klein = '@cf/black-forest-labs/flux-2-klein-4b';
const question = { messages: [{ role: 'user', content: 'Name a colour for a bicycle' }] };

type Envelope = {
  result: Record<string, unknown> | null;
  success: boolean;
  errors: { code: number; message: string }[];
  messages: unknown[];
};

const run = (model: string, body: unknown, sent: Record<string, string> = headers): Promise<Response> =>
  postJson(urlOf(pathOf(model)), body, sent);

const open = async (response: Response): Promise<Envelope> => (await readJson(response)) as Envelope;

const resultOf = async (response: Response): Promise<Record<string, unknown>> => {
  const { result, ...rest } = await open(response);
  expect(rest).toEqual({ success: true, errors: [], messages: [] });
  return result ?? {};
};

const errorOf = async (response: Response): Promise<{ status: number; code: number; message: string }> => {
  const { result, success, errors, messages } = await open(response);
  expect({ result, success, messages }).toEqual({ result: null, success: false, messages: [] });
  return { status: response.status, code: errors[0]?.code ?? 0, message: errors[0]?.message ?? '' };
};

const costOf = async (): Promise<number> => Number((await current().ledger())[0]?.['costUsd']);

const formOf = (fields: Record<string, string | Blob>): FormData => {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  return form;
};

test('answers text by the raw path of the official client', async () => {
  const ask = (): Promise<Envelope> => clientOf().post(pathOf(llama), { body: question });
  const first = await ask();
  expect(first).toMatchObject({ success: true, errors: [], result: { tool_calls: [] } });
  expect(first.result?.['response']).toContain('Name a colour for a bicycle');
  expect((await ask()).result).toEqual(first.result);
  const usage = first.result?.['usage'] as Record<string, number>;
  expect(usage['total_tokens']).toBe((usage['prompt_tokens'] ?? 0) + (usage['completion_tokens'] ?? 0));
  expect(await current().ledger()).toMatchObject([{ submits: 2, model: llama, medium: 'text' }, { submits: 2 }]);
  expect((await current().requests('?kind=submit'))[0]).toMatchObject({ retryCount: 0, model: llama });
});

test('has no route for encoded slashes: what run() of the official client sends', async () => {
  const call = clientOf().ai.run(llama, { account_id: account, prompt: 'hello' });
  const error: unknown = await call.catch((caught: unknown) => caught);
  if (!(error instanceof Cloudflare.BadRequestError)) throw new Error('not refused');
  expect(error.errors).toEqual([{ code: 7000, message: 'No route for that URI' }]);
  expect((await current().requests())[0]?.['path']).toContain('%2F');
  expect(await current().ledger()).toEqual([]);
});

test.each([
  ['@cf/meta/llama-3.1-8b-instruct', 0.282, 0.827],
  [llama, 0.293, 2.253],
  [oss, 0.35, 0.75],
])('books %s at the price of its tokens', async (model, inUsd, outUsd) => {
  const { usage } = (await resultOf(await run(model, question))) as { usage: Record<string, number> };
  const costUsd = ((usage['prompt_tokens'] ?? 0) * inUsd + (usage['completion_tokens'] ?? 0) * outUsd) / 1e6;
  expect(await costOf()).toBeCloseTo(costUsd, 7);
});

const eventsOf = async (response: Response): Promise<Record<string, unknown>[]> => {
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  const lines = (await response.text()).trim().split('\n\n');
  expect(lines.pop()).toBe('data: [DONE]');
  return lines.map((line) => JSON.parse(line.slice(6)) as Record<string, unknown>);
};

test('streams what it would have answered whole, without an envelope', async () => {
  const whole = await resultOf(await run(llama, question));
  const events = await eventsOf(
    await clientOf()
      .post(pathOf(llama), { body: { ...question, stream: true } })
      .asResponse(),
  );
  expect(events.map(({ response }) => response).join('')).toBe(whole['response']);
  expect(events.at(-1)).toMatchObject({ usage: whole['usage'] });
});

test('answers gpt-oss in the shape of the API it was asked in', async () => {
  const chat = await resultOf(await run(oss, question));
  expect(chat).toMatchObject({
    object: 'chat.completion',
    choices: [{ finish_reason: 'stop', message: { role: 'assistant' } }],
  });
  expect(chat).not.toHaveProperty('response');
  const response = await resultOf(await run(oss, { input: 'Name a colour for a bicycle' }));
  expect(response).toMatchObject({
    object: 'response',
    output: [{ type: 'message', content: [{ type: 'output_text' }] }],
  });
  const events = await eventsOf(await run(oss, { ...question, stream: true }));
  expect(events[0]).toMatchObject({ object: 'chat.completion.chunk' });
  expect((await run(llama, { input: 'hello' })).status).toBe(400);
});

test('fits an object to a JSON schema, bare or wrapped', async () => {
  const schema = {
    type: 'object',
    properties: { language: { type: 'string' }, score: { type: 'integer', minimum: 2 } },
  };
  for (const json_schema of [schema, { name: 'analysis', strict: true, schema }]) {
    const response_format = { type: 'json_schema', json_schema };
    const result = await resultOf(await run(llama, { ...question, response_format }));
    expect(result['response']).toEqual({ language: 'en', score: 2 });
  }
});

test('misses the JSON when it is cut or does not want to, and charges for it', async () => {
  const response_format = { type: 'json_object' };
  const cut = await errorOf(await run(llama, { ...question, response_format, max_tokens: 3 }));
  expect(cut).toMatchObject({ status: 400, code: 5024, message: expect.stringContaining("JSON Mode couldn't be met") });
  await current().addFault({ provider: 'cloudflare', kind: 'content_refused' });
  expect(await errorOf(await run(llama, { ...question, response_format }))).toMatchObject({ code: 5024 });
  for (const { costUsd } of await current().ledger()) expect(Number(costUsd)).toBeGreaterThan(0);
});

test('says no in plain words, and cuts at 256 tokens unless told otherwise', async () => {
  const refused = await resultOf(await run(llama, { prompt: '[refuse]' }));
  expect(refused['response']).toContain('cannot help');
  const cut = await resultOf(await run(llama, { ...question, max_tokens: 5 }));
  expect(cut['response']).toHaveLength(20);
});

test('draws with flux-1-schnell: a JPEG in the envelope, by tiles and steps', async () => {
  const { result } = await clientOf().post<Envelope>(pathOf(schnell), {
    body: { prompt: 'a bicycle', steps: 8, seed: 3 },
  });
  expect(magicOf(Buffer.from(String(result?.['image']), 'base64'))).toBe('jpeg');
  expect(await costOf()).toBeCloseTo(4 * 0.0000528 + 8 * 0.0001056, 8);
});

test('draws with stable diffusion: a PNG and nothing around it', async () => {
  const body = { prompt: 'a bicycle', width: 512, height: 768, num_steps: 10 };
  const response = await clientOf().post(pathOf(sdxl), { body }).asResponse();
  expect(response.headers.get('content-type')).toBe('image/png');
  const bytes = Buffer.from(await response.arrayBuffer());
  expect(magicOf(bytes)).toBe('png');
  expect([bytes.readUInt32BE(16), bytes.readUInt32BE(20)]).toEqual([512, 768]);
  expect(await current().ledger()).toMatchObject([{ model: sdxl, medium: 'image', costUsd: '0', state: 'succeeded' }]);
});

test('draws with flux-2 from a form, inputs included', async () => {
  const picture = new Blob([Buffer.from('89504e470d0a1a0a', 'hex')], { type: 'image/png' });
  const form = formOf({ prompt: 'a bicycle', width: '1024', height: '512', steps: '10', input_image_0: picture });
  const { result } = await clientOf().post<Envelope>(pathOf(flux2), { body: form });
  expect(magicOf(Buffer.from(String(result?.['image']), 'base64'))).toBe('jpeg');
  expect(await costOf()).toBeCloseTo(10 * (1 * 0.00021 + 2 * 0.00041), 8);
  expect((await current().requests('?kind=submit'))[0]).toMatchObject({ model: flux2 });
});

test('prices flux-2-klein by tiles alone, and takes no steps of its own', async () => {
  await clientOf().post(pathOf(klein), { body: formOf({ prompt: 'a bicycle' }) });
  expect(await costOf()).toBeCloseTo(4 * 0.000287, 8);
  const wrong = await fetch(urlOf(pathOf(klein)), {
    method: 'POST',
    body: formOf({ prompt: 'a', steps: '9' }),
    headers,
  });
  expect(await errorOf(wrong)).toMatchObject({ status: 400, code: 5006 });
});

test('matches faults with the prompt of a form', async () => {
  await current().addFault({
    provider: 'cloudflare',
    kind: 'status',
    status: 503,
    match: { prompt: 'stormy', model: flux2 },
  });
  const draw = (prompt: string): Promise<Response> =>
    fetch(urlOf(pathOf(flux2)), { method: 'POST', body: formOf({ prompt }), headers });
  expect((await draw('a quiet lake')).status).toBe(200);
  expect((await draw('a stormy lake')).status).toBe(503);
});

test.each([
  ['JSON where a form is wanted', flux2, { prompt: 'a' }, 5006, "required properties at '/' are 'multipart'"],
  ['a form without a prompt', llama, { max_tokens: 5 }, 5006, "required properties at '/' are 'prompt'"],
  ['a picture without a prompt', schnell, {}, 5006, "required properties at '/' are 'prompt'"],
  ['too many steps', schnell, { prompt: 'a', steps: 9 }, 5006, "'/steps' must be <= 8"],
  ['a prompt that is too long', schnell, { prompt: 'x'.repeat(2049) }, 5006, "Length of '/prompt' must be <= 2048"],
  ['a picture that is too wide', sdxl, { prompt: 'a', width: 4096 }, 5006, "'/width' must be <= 2048"],
  [
    'a picture that is no text',
    sdxl,
    { prompt: 'a', image_b64: [1, 2] },
    5004,
    'Invalid data type for base64 input: object',
  ],
  ['a temperature over 5', llama, { prompt: 'a', temperature: 6 }, 5006, "'/temperature' must be <= 5"],
  ['a content that is none', llama, { messages: [{ role: 'user', content: 3 }] }, 5006, "'/messages/0/content'"],
  [
    'a stream of JSON',
    llama,
    { prompt: 'a', stream: true, response_format: { type: 'json_object' } },
    5006,
    'streaming',
  ],
  ['a stream of the Responses API', oss, { input: 'a', stream: true }, 5006, 'streaming'],
  ['a prompt that is not safe', schnell, { prompt: '[refuse]' }, 3030, 'Input prompt contains NSFW content'],
  ['an unknown model', '@cf/meta/llama-99', { prompt: 'a' }, 5007, 'No such model @cf/meta/llama-99 or task'],
])('refuses %s', async (_, model, body, code, message) => {
  const error = await errorOf(await run(model, body));
  expect(error).toMatchObject({ status: 400, code });
  expect(error.message).toContain(message);
  expect(await current().ledger()).toEqual([]);
});

test('withholds a picture that was drawn, and charges for it', async () => {
  const error = await errorOf(await run(schnell, { prompt: '[filter] a bicycle' }));
  expect(error).toMatchObject({ status: 400, code: 3030, message: expect.stringContaining('Output image') });
  expect(await current().ledger()).toMatchObject([{ state: 'failed', costUsd: '0.0006336' }]);
});

test('refuses requests without a body, names that are none and accounts it does not know', async () => {
  const empty = await fetch(urlOf(pathOf(llama)), { method: 'POST', headers });
  expect(await errorOf(empty)).toMatchObject({ status: 400, code: 3003 });
  expect(await errorOf(await run('llama', question))).toMatchObject({ status: 404, code: 3042 });
  for (const id of ['', 'mine']) {
    const response = await postJson(urlOf(`/accounts/${id}/ai/run/${llama}`), question, headers);
    expect(await errorOf(response)).toMatchObject({ status: 404, code: 7003 });
  }
  const embedded = await postJson(urlOf(`/accounts/emulator/ai/run/${llama}`), question, headers);
  expect(embedded.status).toBe(200);
  expect(await errorOf(await fetch(urlOf('/nowhere'), { headers }))).toMatchObject({ status: 400, code: 7000 });
  const broken = await fetch(urlOf(pathOf(llama)), {
    method: 'POST',
    body: '{',
    headers: { ...headers, 'content-type': 'application/json' },
  });
  expect(await errorOf(broken)).toMatchObject({ status: 400, code: 6007 });
});

test('refuses bad tokens and used-up accounts, and verifies good ones for nothing', async () => {
  expect(await errorOf(await run(llama, question, {}))).toMatchObject({ status: 401, code: 10000 });
  const bad = clientOf('invalid').user.tokens.verify();
  await expect(bad).rejects.toBeInstanceOf(Cloudflare.AuthenticationError);
  expect(await errorOf(await run(llama, question, { authorization: 'Bearer exhausted' }))).toMatchObject({
    status: 429,
    code: 3036,
  });
  expect(await clientOf().user.tokens.verify()).toMatchObject({
    id: expect.stringMatching(/^[0-9a-f]{32}$/),
    status: 'active',
  });
  expect(await current().ledger()).toEqual([]);
});

test.each([
  [400, 5004],
  [401, 10000],
  [403, 5018],
  [404, 3042],
  [408, 3007],
  [413, 3006],
  [429, 3040],
  [500, 3043],
])('answers %i with the code %i', async (status, code) => {
  await current().addFault({ provider: 'cloudflare', operation: 'submit', kind: 'status', status });
  expect(await errorOf(await run(llama, question))).toMatchObject({ status, code });
});

test('tells the limits of a minute and of a day apart', async () => {
  await current().set({ limits: { cloudflare: { requestsPerMinute: 1 } } });
  await run(llama, question);
  const second = await run(llama, question);
  expect(Number(second.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(await errorOf(second)).toMatchObject({ status: 429, code: 3021 });
  await current().set({ limits: { cloudflare: { requestsPerDay: 1 } } });
  expect(await errorOf(await run(llama, question))).toMatchObject({ status: 429, code: 3036 });
});

test('fails with a status that says it is fine: null to the official client', async () => {
  const fault = { provider: 'cloudflare', operation: 'submit', kind: 'status', status: 200 };
  await current().addFault(fault);
  expect(await errorOf(await run(llama, question))).toMatchObject({ status: 200, code: 3043 });
  const errors = [{ code: 3040, message: 'Capacity temporarily exceeded, please try again.' }];
  await current().addFault({ ...fault, body: { result: null, success: false, errors, messages: [] } });
  const unwrapped = clientOf()
    .post<Envelope>(pathOf(llama), { body: question })
    ._thenUnwrap(({ result }) => result);
  expect(await unwrapped).toBeNull();
  expect(await current().ledger()).toEqual([]);
});

test('searches its models, without the deprecated ones once the lifecycle is strict', async () => {
  const old = '@cf/meta/llama-3.1-8b-instruct';
  const search = async (query: object): Promise<string[]> => {
    const names = [];
    for await (const model of clientOf().ai.models.list({ account_id: account, ...query }))
      names.push((model as { name: string }).name);
    return names;
  };
  expect(await search({ per_page: 3 })).toEqual(expect.arrayContaining([old, llama, oss, schnell, sdxl, flux2, klein]));
  expect(await search({ search: 'flux-2' })).toEqual([flux2, klein, '@cf/black-forest-labs/flux-2-klein-9b']);
  expect(await search({ task: 'Text-to-Image' })).toHaveLength(5);
  await current().set({ strictLifecycle: true });
  expect(await search({})).not.toContain(old);
  expect(await errorOf(await run(old, question))).toMatchObject({
    code: 5028,
    message: expect.stringContaining('2026-05-30'),
  });
  expect((await run(llama, question)).status).toBe(200);
});

const path = `/cloudflare/client/v4${pathOf(llama)}`;
testSubmitFaults(current, { provider: 'cloudflare', name: 'text', send: sendJson(path, question, headers) });
const binary = `/cloudflare/client/v4${pathOf(sdxl)}`;
testSubmitFaults(current, {
  provider: 'cloudflare',
  name: 'a binary image',
  send: sendJson(binary, { prompt: 'a' }, headers),
});
testSubmitFaults(current, {
  provider: 'cloudflare',
  name: 'a form',
  send: (url, signal) =>
    fetch(`${url}/cloudflare/client/v4${pathOf(flux2)}`, {
      method: 'POST',
      body: formOf({ prompt: 'a bicycle' }),
      headers,
      ...(signal === undefined ? {} : { signal }),
    }),
});
