import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmulator, type Emulator } from '../../src/emulator/server';
import { control, postJson, readJson } from './support';

type MeterRow = {
  provider: string;
  credential: string;
  model: string | null;
  limits: Record<string, unknown>;
  requests: number;
  accepted: number;
  waited: number;
  refused: Record<string, number>;
  used: Record<string, number>;
  peaks: Record<string, number>;
};

let nowMs = 1_000_000;
let emulator: Emulator;

beforeEach(async () => {
  nowMs = 1_000_000;
  emulator = await startEmulator({ latencyScale: 1, clock: () => nowMs });
});
afterEach(() => emulator.close());

const auth = (key: string): Record<string, string> => ({ authorization: `Bearer ${key}` });

const make = (body: Record<string, unknown> = {}, key = 'one'): Promise<Response> =>
  postJson(`${emulator.url}/mock/v1/operations`, { model: 'image', prompt: 'a lake', trace: 't', ...body }, auth(key));

const statusOf = async (body: Record<string, unknown> = {}, key = 'one'): Promise<number> =>
  (await make(body, key)).status;

const limit = (limits: Record<string, unknown>): Promise<Response> => control(emulator).set({ limits });

const meters = async (of: Emulator = emulator): Promise<MeterRow[]> =>
  ((await (await fetch(`${of.url}/__emulator/limits`)).json()) as { data: MeterRow[] }).data;

const meterOf = async (model: string | null = null): Promise<MeterRow> => {
  const rows = (await meters()).filter((row) => row.model === model);
  expect(rows).toHaveLength(1);
  return rows[0] as MeterRow;
};

test('a window slides: a request counts for a minute and not a millisecond longer', async () => {
  await limit({ mock: { requestsPerMinute: 2 } });
  expect(await statusOf()).toBe(202);
  nowMs += 20_000;
  expect(await statusOf()).toBe(202);
  nowMs += 39_999;
  const refused = await make();
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
  nowMs += 1;
  expect(await statusOf()).toBe(202);
  const third = await make();
  expect([third.status, third.headers.get('retry-after')]).toEqual([429, '20']);
});

test('every request counts from its arrival, whatever is answered; what is refused for a limit does not', async () => {
  await limit({ mock: { requestsPerMinute: 3 } });
  expect(await statusOf({ prompt: '' })).toBe(400);
  await control(emulator).addFault({ provider: 'mock', operation: 'submit', kind: 'status', status: 503 });
  expect(await statusOf()).toBe(503);
  expect(await statusOf({}, 'invalid')).toBe(401);
  expect(await statusOf({}, 'exhausted')).toBe(402);
  expect([await statusOf(), await statusOf(), await statusOf()]).toEqual([202, 429, 429]);
  expect(await meterOf()).toMatchObject({
    requests: 3,
    accepted: 1,
    refused: { minute: 2, day: 0, tokens: 0, concurrent: 0 },
    used: { minute: 3 },
    peaks: { minute: 3, concurrent: 1 },
  });
});

test('each key has limits of its own', async () => {
  await limit({ mock: { requestsPerMinute: 1 } });
  expect([await statusOf({}, 'one'), await statusOf({}, 'two'), await statusOf({}, 'two')]).toEqual([202, 202, 429]);
  const rows = (await meters()).filter(({ model }) => model === null);
  expect(rows.map(({ requests, refused }) => [requests, refused['minute']])).toEqual([
    [1, 0],
    [1, 1],
  ]);
  expect(new Set(rows.map(({ credential }) => credential)).size).toBe(2);
  expect(JSON.stringify(rows)).not.toContain('"one"');
});

test('a model of a key has limits of its own beside those of the key', async () => {
  await limit({ mock: { requestsPerMinute: 3, models: { image: { requestsPerMinute: 1 } } } });
  expect([await statusOf(), await statusOf(), await statusOf({ model: 'video' })]).toEqual([202, 429, 202]);
  expect([await statusOf({ model: 'video' }), await statusOf({ model: 'video' })]).toEqual([202, 429]);
  expect(await meterOf('image')).toMatchObject({ requests: 1, limits: { requestsPerMinute: 1 } });
  expect(await meterOf('video')).toMatchObject({ requests: 2, limits: {}, refused: { minute: 1 } });
  expect(await meterOf()).toMatchObject({ requests: 3, refused: { minute: 2 } });
});

test('a place is taken until the work is over, and the most there ever were are remembered', async () => {
  await limit({ mock: { concurrent: 2 } });
  const { id } = await readJson(await make());
  expect([await statusOf(), await statusOf()]).toEqual([202, 429]);
  await postJson(`${emulator.url}/mock/v1/operations/${String(id)}/cancel`, {}, auth('one'));
  expect([await statusOf(), await statusOf()]).toEqual([202, 429]);
  nowMs += 8_000;
  expect(await meterOf()).toMatchObject({ used: { concurrent: 0 }, peaks: { concurrent: 2 }, accepted: 3 });
  expect(await statusOf({ prompt: '' })).toBe(400);
  expect([await statusOf(), await statusOf(), await statusOf()]).toEqual([202, 202, 429]);
});

test('two submits at once do not get the same place, however long their answers take', async () => {
  await limit({ mock: { concurrent: 1 } });
  await control(emulator).addFault({ provider: 'mock', operation: 'submit', kind: 'slow', delayMs: 200, times: 2 });
  const answers = await Promise.all([statusOf(), statusOf()]);
  expect(answers.sort()).toEqual([202, 429]);
});

test('where work waits for a place, it is said how much did', async () => {
  await limit({ fal: { concurrent: 1 } });
  const submit = (): Promise<Response> =>
    postJson(`${emulator.url}/fal/fal-ai/flux/dev`, { prompt: 'a lake' }, { authorization: 'Key k' });
  for (let count = 0; count < 3; count += 1) await submit();
  expect(await meterOf()).toMatchObject({ accepted: 3, waited: 2, peaks: { concurrent: 3 } });
});

test('work that waited unseen has ended when its time was over', async () => {
  await limit({ fal: { concurrent: 1 } });
  const submit = (): Promise<Response> =>
    postJson(`${emulator.url}/fal/fal-ai/flux/dev`, { prompt: 'a lake' }, { authorization: 'Key k' });
  for (let count = 0; count < 3; count += 1) await submit();
  nowMs += 600_000;
  expect(await meterOf()).toMatchObject({ used: { concurrent: 0 } });
  await submit();
  expect(await meterOf()).toMatchObject({ waited: 2, peaks: { concurrent: 3 } });
});

test('what a text may use counts until its answer says what it did use', async () => {
  await limit({ openai: { tokensPerMinute: 300 } });
  const prompt = 'Say something about the sea.';
  const chat = (more: Record<string, unknown> = {}): Promise<Response> =>
    postJson(
      `${emulator.url}/openai/v1/chat/completions`,
      { model: 'gpt-4o-mini', messages: [{ role: 'user', content: prompt }], ...more },
      auth('one'),
    );
  const settings = { latencyScale: 0 };
  await control(emulator).set(settings);
  const first = await readJson(await chat({ max_tokens: 250 }));
  const { total_tokens: total } = first['usage'] as { total_tokens: number };
  expect(total).toBeLessThan(150);
  expect(await meterOf()).toMatchObject({
    used: { tokens: total },
    peaks: { tokens: Math.max(total, 250 + prompt.length / 4) },
  });
  const second = await chat({ max_tokens: 250 });
  expect([second.status, second.headers.get('retry-after')]).toEqual([429, '60']);
  expect((await readJson(second))['error']).toMatchObject({ type: 'tokens', code: 'rate_limit_exceeded' });
  expect((await chat({ max_tokens: 100 })).status).toBe(200);
  const tooMuch = await chat({ max_tokens: 400 });
  expect([tooMuch.status, tooMuch.headers.get('retry-after')]).toEqual([429, null]);
  nowMs += 60_000;
  expect((await chat({ max_tokens: 250 })).status).toBe(200);
});

test('providers word a limit in tokens in their own way', async () => {
  await limit({ groq: { tokensPerMinute: 1 }, google: { tokensPerMinute: 1 }, anthropic: { tokensPerMinute: 1 } });
  const messages = [{ role: 'user', content: 'Say something about the sea.' }];
  const groq = await postJson(
    `${emulator.url}/groq/openai/v1/chat/completions`,
    { model: 'openai/gpt-oss-20b', messages },
    auth('one'),
  );
  expect((await readJson(groq))['error']).toMatchObject({
    type: 'tokens',
    message: expect.stringContaining('tokens per minute (TPM)') as string,
  });
  const google = await postJson(
    `${emulator.url}/google/v1beta/models/gemini-2.5-flash:generateContent`,
    { contents: [{ role: 'user', parts: [{ text: 'Say something about the sea.' }] }] },
    { 'x-goog-api-key': 'one' },
  );
  expect(JSON.stringify(await readJson(google))).toMatch(/InputTokensPerModelPerMinute.*"quotaValue":"1"/);
  const anthropic = await postJson(
    `${emulator.url}/anthropic/v1/messages`,
    { model: 'claude-haiku-5-5', max_tokens: 100, messages },
    { 'x-api-key': 'one', 'anthropic-version': '2023-06-01' },
  );
  expect((await readJson(anthropic))['error']).toMatchObject({ type: 'rate_limit_error' });
});

test('a day has its limit too', async () => {
  await limit({ mock: { requestsPerDay: 1 } });
  expect(await statusOf()).toBe(202);
  nowMs += 86_399_000;
  expect((await make()).headers.get('retry-after')).toBe('1');
  nowMs += 1_000;
  expect(await statusOf()).toBe(202);
});

test('a restarted provider counts on from where it was', async () => {
  const statePath = join(mkdtempSync(join(tmpdir(), 'emulator-')), 'state.jsonl');
  const clock = (): number => nowMs;
  const first = await startEmulator({ statePath, latencyScale: 1, clock });
  const submit = (url: string): Promise<Response> =>
    postJson(`${url}/mock/v1/operations`, { model: 'image', prompt: 'a lake', trace: 't' }, auth('one'));
  await submit(first.url);
  nowMs += 9_000;
  await submit(first.url);
  await submit(first.url);
  const told = async (of: Emulator): Promise<unknown> =>
    (await meters(of)).map(({ peaks: { tokens: _asked, ...peaks }, ...row }) => ({ ...row, peaks }));
  const before = await told(first);
  await first.close();
  const second = await startEmulator({ statePath, clock });
  expect(await told(second)).toEqual(before);
  await control(second).set({ limits: { mock: { requestsPerMinute: 3, concurrent: 2 } } });
  expect((await submit(second.url)).headers.get('retry-after')).toBe('51');
  nowMs += 51_000;
  expect((await submit(second.url)).status).toBe(202);
  await second.close();
});

test('settings refuse limits that are none', async () => {
  expect((await limit({ mock: { requestsPerHour: 1 } })).status).toBe(422);
  expect((await limit({ mock: { models: { image: { requestsPerMinute: 0 } } } })).status).toBe(422);
});
