import { magicOf, postJson, readJson, useEmulator } from './support';

const current = useEmulator();
const auth = { authorization: 'Bearer mock-key' };

const submit = (body: Record<string, unknown>, headers: Record<string, string> = auth): Promise<Response> =>
  postJson(`${current().url}/mock/v1/operations`, { trace: 't1', prompt: 'a red bicycle', ...body }, headers);

const get = async (path: string): Promise<Record<string, unknown>> =>
  readJson(await fetch(`${current().url}/mock/v1/operations${path}`, { headers: auth }));

test('accepts a video, finishes it and serves a playable file', async () => {
  const response = await submit({ model: 'video' });
  expect(response.status).toBe(202);
  const { id } = await readJson(response);
  const operation = await get(`/${String(id)}`);
  expect(operation).toMatchObject({ status: 'succeeded', progress: 100, usage: { seconds: 8 } });
  const [output] = operation['outputs'] as { url: string; contentType: string }[];
  const bytes = await (await fetch(output?.url ?? '')).arrayBuffer();
  expect(output?.contentType).toBe('video/mp4');
  expect(magicOf(new Uint8Array(bytes))).toBe('mp4');
});

test('answers speech and text in the same request', async () => {
  const speech = await readJson(await submit({ model: 'speech' }));
  expect(speech).toMatchObject({ status: 'succeeded', usage: { characters: 13 } });
  const text = await submit({ model: 'text' });
  expect(text.status).toBe(200);
  const { outputs } = await readJson(text);
  expect((outputs as { text: string }[])[0]?.text).toContain('a red bicycle');
});

test('finds an operation by its trace although the answer was lost', async () => {
  await current().addFault({ provider: 'mock', kind: 'drop_after_accept' });
  await expect(submit({ model: 'video', trace: 'lost' })).rejects.toThrow();
  const { data } = await get('?trace=lost');
  expect(data).toHaveLength(1);
  expect(await get('?trace=other')).toEqual({ data: [] });
  expect(await current().ledger()).toHaveLength(1);
});

test('lists what this key submitted since a moment, newest first', async () => {
  await submit({ model: 'video', trace: 'before' });
  const [first] = await current().ledger();
  const sinceMs = Date.parse(String(first?.['submittedAt'])) + 1;
  while (Date.now() < sinceMs) await current().ledger();
  await submit({ model: 'image', trace: 'one' });
  await submit({ model: 'text', trace: 'two' });
  await submit({ model: 'text', trace: 'two' }, { authorization: 'Bearer other' });
  const since = encodeURIComponent(new Date(sinceMs).toISOString());
  const tracesOf = async (query: string): Promise<unknown[]> =>
    ((await get(query))['data'] as { trace: string }[]).map(({ trace }) => trace);
  expect(await tracesOf(`?since=${since}`)).toEqual(['two', 'one']);
  expect(await tracesOf(`?since=${since}&trace=one`)).toEqual(['one']);
  expect(await tracesOf('?since=2026-01-01T00:00:00%2B02:00')).toEqual(['two', 'one', 'before']);
  expect(await get('?since=yesterday')).toMatchObject({ error: { code: 'invalid' } });
  expect(await get('')).toMatchObject({ error: { code: 'invalid' } });
});

test('keeps operations of one key from another', async () => {
  const { id } = await readJson(await submit({ model: 'video' }));
  const response = await fetch(`${current().url}/mock/v1/operations/${String(id)}`, {
    headers: { authorization: 'Bearer other' },
  });
  expect(response.status).toBe(404);
});

test('cancels what runs and leaves alone what is over', async () => {
  const done = await readJson(await submit({ model: 'image' }));
  await current().set({ latencyScale: 1 });
  const running = await readJson(await submit({ model: 'image' }));
  const cancel = async (id: unknown): Promise<unknown> =>
    (await readJson(await postJson(`${current().url}/mock/v1/operations/${String(id)}/cancel`, {}, auth)))['status'];
  expect(await cancel(done['id'])).toBe('succeeded');
  expect(await cancel(running['id'])).toBe('canceled');
  expect((await current().ledger()).map(({ state }) => state)).toEqual(['succeeded', 'canceled']);
});

test.each([
  ['no key', {}, {}, 401, 'unauthorized'],
  ['an invalid key', {}, { authorization: 'Bearer invalid' }, 401, 'unauthorized'],
  ['an empty account', {}, { authorization: 'Bearer exhausted' }, 402, 'insufficient_funds'],
  ['an unknown field', { colour: 'red' }, auth, 400, 'invalid'],
  ['an unknown model', { model: 'smell' }, auth, 400, 'invalid'],
  ['refused content', { prompt: 'a [refuse] thing' }, auth, 422, 'content_rejected'],
])('refuses %s and books nothing', async (_, body, headers, status, code) => {
  const response = await submit({ model: 'video', ...body }, headers);
  expect(response.status).toBe(status);
  expect(await readJson(response)).toMatchObject({ error: { code } });
  expect(await current().ledger()).toEqual([]);
});

test('ends as failed when the prompt asks for it', async () => {
  const { id } = await readJson(await submit({ model: 'image', prompt: '[fail]' }));
  expect(await get(`/${String(id)}`)).toMatchObject({ status: 'failed', error: { code: 'failed' } });
});

test('answers 429 over its concurrency with nothing booked', async () => {
  await current().set({ latencyScale: 1, limits: { mock: { concurrent: 1 } } });
  expect((await submit({ model: 'video' })).status).toBe(202);
  expect((await submit({ model: 'video' })).status).toBe(429);
  expect(await current().ledger()).toHaveLength(1);
});

test('answers 429 with Retry-After over its rate', async () => {
  await current().set({ limits: { mock: { requestsPerMinute: 2 } } });
  await submit({ model: 'text' });
  await submit({ model: 'text' });
  const third = await submit({ model: 'text' });
  expect(third.status).toBe(429);
  expect(Number(third.headers.get('retry-after'))).toBeGreaterThan(50);
});
