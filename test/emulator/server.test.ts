import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmulator } from '../../src/emulator/server';
import { control, postJson, readJson, useEmulator } from './support';

const current = useEmulator();
const auth = { authorization: 'Bearer secret-mock-key' };
const body = { model: 'video', prompt: 'a quiet lake', trace: 't' };

const statePath = (): string => join(mkdtempSync(join(tmpdir(), 'emulator-')), 'state.jsonl');

const submit = async (url: string): Promise<string> =>
  String((await readJson(await postJson(`${url}/mock/v1/operations`, body, auth)))['id']);

const poll = async (url: string, id: string): Promise<Record<string, unknown>> =>
  readJson(await fetch(`${url}/mock/v1/operations/${id}`, { headers: auth }));

const artifactOf = async (url: string, id: string): Promise<string> => {
  const { outputs } = await poll(url, id);
  return (await fetch((outputs as { url: string }[])[0]?.url ?? '')).text();
};

const entry = join(__dirname, '../../src/emulator/main.ts');

const startProcess = async (environment: Record<string, string>): Promise<{ child: ChildProcess; url: string }> => {
  const child = fork(entry, [], {
    execArgv: ['--import', 'tsx'],
    env: { PATH: process.env['PATH'], EMULATOR_PORT: '0', EMULATOR_LATENCY_SCALE: '0', ...environment },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const [message] = (await once(child, 'message')) as [{ type: string; port: number }];
  expect(message.type).toBe('ready');
  return { child, url: `http://127.0.0.1:${message.port}` };
};

test('remembers ledger, operations and artifacts over a restart', async () => {
  const path = statePath();
  const first = await startEmulator({ statePath: path, latencyScale: 0 });
  const id = await submit(first.url);
  const bytes = await artifactOf(first.url, id);
  const ledger = await control(first).ledger();
  await first.close();
  const second = await startEmulator({ statePath: path });
  expect(await control(second).ledger()).toEqual(ledger);
  expect(await artifactOf(second.url, id)).toBe(bytes);
  await second.close();
});

test('remembers who waits for whom over a restart', async () => {
  const path = statePath();
  const first = await startEmulator({ statePath: path, latencyScale: 1 });
  const runway = { authorization: 'Bearer k', 'x-runway-version': '2024-11-06' };
  const task = { model: 'gen4.5', promptText: 'x', ratio: '1280:720', duration: 2 };
  const create = async (): Promise<string> =>
    String((await readJson(await postJson(`${first.url}/runway/v1/text_to_video`, task, runway)))['id']);
  const ids = [await create(), await create(), await create(), await create()];
  await first.close();
  const second = await startEmulator({ statePath: path });
  const states = await Promise.all(
    ids.map(
      async (id) => (await readJson(await fetch(`${second.url}/runway/v1/tasks/${id}`, { headers: runway })))['status'],
    ),
  );
  expect(states).toEqual(['PENDING', 'PENDING', 'PENDING', 'THROTTLED']);
  await second.close();
});

test('a freed place was taken when it became free, not when somebody looked', async () => {
  let nowMs = 1_000_000;
  const emulator = await startEmulator({ latencyScale: 1, clock: () => nowMs });
  await control(emulator).set({ limits: { runway: { concurrent: 1 } } });
  const headers = { authorization: 'Bearer k', 'x-runway-version': '2024-11-06' };
  const task = { model: 'gen4.5', promptText: 'x', ratio: '1280:720', duration: 2 };
  for (let count = 0; count < 3; count += 1) await postJson(`${emulator.url}/runway/v1/text_to_video`, task, headers);
  nowMs += 100_000;
  const ended = (await control(emulator).ledger()).map(({ state, endedAt }) => [
    state,
    endedAt === null ? null : Date.parse(endedAt as string),
  ]);
  expect(ended).toEqual([
    ['succeeded', 1_040_000],
    ['succeeded', 1_080_000],
    ['running', null],
  ]);
  await emulator.close();
});

test('does not trip over a line that a kill tore', async () => {
  const path = statePath();
  const first = await startEmulator({ statePath: path, latencyScale: 0 });
  await submit(first.url);
  await first.close();
  appendFileSync(path, '{"provider":"mock","id":"torn","set":{"prov');
  const second = await startEmulator({ statePath: path });
  expect(await control(second).ledger()).toHaveLength(1);
  await second.close();
});

test('records every request without its secrets', async () => {
  const id = await submit(current().url);
  await poll(current().url, id);
  await fetch(`${current().url}/mock/nothing`, { headers: auth });
  const requests = await current().requests();
  expect(requests.map(({ kind, status, operation }) => [kind, status, operation])).toEqual([
    ['submit', 202, id],
    ['poll', 200, id],
    ['other', 404, null],
  ]);
  expect(JSON.stringify([requests, await current().ledger()])).not.toContain('secret-mock-key');
  expect(JSON.stringify(await current().ledger())).not.toContain('a quiet lake');
});

test('the ledger says what each submit cost, how it ended and by what it can be known', async () => {
  const flux = `${current().url}/fal/fal-ai/flux/dev`;
  const key = { authorization: 'Key id:secret' };
  await postJson(flux, { prompt: 'one', seed: 1 }, key);
  await postJson(flux, { prompt: 'two [fail]', seed: 2 }, key);
  const chat = {
    model: 'gpt-4o-mini',
    messages: [{ role: 'user', content: 'hi' }],
    store: true,
    metadata: { trace: 'm' },
  };
  await postJson(`${current().url}/openai/v1/chat/completions`, chat, auth);
  await submit(current().url);
  const ledger = await current().ledger();
  expect(ledger.map(({ provider, state, costUsd, marks }) => [provider, state, Number(costUsd) > 0, marks])).toEqual([
    ['fal', 'succeeded', true, { seed: 1 }],
    ['fal', 'failed', false, { seed: 2 }],
    ['openai', 'succeeded', true, { metadata: { trace: 'm' } }],
    ['mock', 'succeeded', false, { trace: 't' }],
  ]);
  for (const { startedAt, submittedAt, endedAt } of ledger) {
    expect(String(startedAt) >= String(submittedAt) && String(endedAt) >= String(startedAt)).toBe(true);
  }
});

test('reads a journal of a time before webhooks', async () => {
  const path = statePath();
  const first = await startEmulator({ statePath: path, latencyScale: 0 });
  const id = await submit(first.url);
  await first.close();
  const [line = ''] = readFileSync(path, 'utf8').split('\n');
  const { set, ...entry } = JSON.parse(line) as { set: Record<string, unknown> };
  const { webhooks: _webhooks, marks: _marks, ...old } = set;
  writeFileSync(path, `${JSON.stringify({ ...entry, set: old })}\n`);
  const second = await startEmulator({ statePath: path });
  expect(await control(second).ledger()).toMatchObject([{ operation: id, marks: {} }]);
  await second.close();
});

test('answers malformed JSON in the words of each provider', async () => {
  const send = async (path: string, headers: Record<string, string>): Promise<unknown[]> => {
    const request = { method: 'POST', body: '{"a":', headers: { 'content-type': 'application/json', ...headers } };
    const response = await fetch(`${current().url}${path}`, request);
    return [response.status, Object.keys(await readJson(response))[0]];
  };
  expect(await send('/mock/v1/operations', auth)).toEqual([400, 'error']);
  expect(await send('/fal/fal-ai/flux/dev', { authorization: 'Key k' })).toEqual([422, 'detail']);
  expect(await send('/openai/v1/chat/completions', auth)).toEqual([400, 'error']);
});

test('keeps settings until reset and refuses unknown ones', async () => {
  const refused = await current().set({ latencyScale: -1, speed: 3 });
  expect(refused.status).toBe(422);
  expect(JSON.stringify(await readJson(refused))).toMatch(/latencyScale.*speed/);
  await current().set({ latencyScale: 3, limits: { mock: { requestsPerDay: 5 } } });
  const settings = (): Promise<Record<string, unknown>> => fetch(`${current().url}/__emulator/settings`).then(readJson);
  expect(await settings()).toMatchObject({
    latencyScale: 3,
    limits: { mock: { requestsPerDay: 5 }, runway: { concurrent: 3 } },
  });
  await current().reset();
  expect(await settings()).toMatchObject({ latencyScale: 0, strictLifecycle: false });
});

test('closes although answers are stalled', async () => {
  const emulator = await startEmulator({ latencyScale: 0 });
  await control(emulator).addFault({ provider: 'mock', kind: 'stall_headers' });
  const answer = submit(emulator.url).catch((error: unknown) => error);
  while ((await control(emulator).ledger()).length === 0) await control(emulator).requests();
  await emulator.close();
  expect(String(await answer)).toContain('TypeError');
});

test('the process announces itself, survives SIGKILL with its memory and stops on SIGTERM', async () => {
  const EMULATOR_STATE = statePath();
  const first = await startProcess({ EMULATOR_STATE });
  const id = await submit(first.url);
  first.child.kill('SIGKILL');
  await once(first.child, 'exit');
  const second = await startProcess({ EMULATOR_STATE });
  expect(await poll(second.url, id)).toMatchObject({ id, status: 'succeeded' });
  second.child.kill('SIGTERM');
  expect(await once(second.child, 'exit')).toEqual([0, null]);
}, 20_000);

test('the process stops when its parent goes away', async () => {
  const { child } = await startProcess({});
  const exited = once(child, 'exit');
  child.disconnect();
  expect(await exited).toEqual([0, null]);
}, 20_000);
