import { postJson, readJson, useEmulator } from './support';

const current = useEmulator();
const auth = { authorization: 'Bearer k' };

const submit = (signal?: AbortSignal): Promise<Response> =>
  fetch(`${current().url}/mock/v1/operations`, {
    method: 'POST',
    headers: { ...auth, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'video', prompt: 'a quiet lake', trace: 't' }),
    ...(signal === undefined ? {} : { signal }),
  });

const poll = (id: unknown): Promise<Response> =>
  fetch(`${current().url}/mock/v1/operations/${String(id)}`, { headers: auth });

const artifactOf = async (): Promise<string> => {
  const { id } = await readJson(await submit());
  const { outputs } = await readJson(await poll(id));
  return (outputs as { url: string }[])[0]?.url ?? '';
};

const accepted = async (): Promise<number> => (await current().ledger()).length;

test('answers a status once, in the words of each provider, and books nothing', async () => {
  const bodies: Record<string, [string, Record<string, string>]> = {
    mock: ['/mock/v1/operations', auth],
    fal: ['/fal/fal-ai/flux/dev', { authorization: 'Key k' }],
    runway: ['/runway/v1/text_to_video', auth],
    openai: ['/openai/v1/chat/completions', auth],
    elevenlabs: ['/elevenlabs/v1/text-to-speech/JBFqnCBsd6RMkjVDRZzb', { 'xi-api-key': 'k' }],
  };
  const answers: Record<string, unknown> = {};
  for (const [provider, [path, headers]] of Object.entries(bodies)) {
    await current().addFault({ provider, operation: 'submit', kind: 'status', status: 429, retryAfter: 7 });
    const response = await postJson(`${current().url}${path}`, {}, headers);
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '7']);
    answers[provider] = Object.keys(await readJson(response))[0];
  }
  expect(answers).toEqual({ mock: 'error', fal: 'detail', runway: 'error', openai: 'error', elevenlabs: 'detail' });
  expect((await submit()).status).toBe(202);
  expect(await accepted()).toBe(1);
});

test('answers HTML where JSON is expected', async () => {
  await current().addFault({ provider: 'mock', kind: 'html' });
  const response = await submit();
  expect(response.headers.get('content-type')).toContain('text/html');
  expect(await accepted()).toBe(0);
});

test('drops the connection before or after accepting', async () => {
  await current().addFault({ provider: 'mock', kind: 'drop_before_headers' });
  await expect(submit()).rejects.toThrow();
  expect(await accepted()).toBe(0);
  await current().addFault({ provider: 'mock', kind: 'drop_after_accept' });
  await expect(submit()).rejects.toThrow();
  expect(await accepted()).toBe(1);
});

test('accepts although its answer is cut, garbled or empty', async () => {
  await current().addFault({ provider: 'mock', kind: 'truncated_json' });
  await expect(submit().then(readJson)).rejects.toThrow('terminated');
  await current().addFault({ provider: 'mock', kind: 'invalid_json' });
  await expect(submit().then(readJson)).rejects.toThrow('JSON');
  await current().addFault({ provider: 'mock', kind: 'empty_object' });
  expect(await readJson(await submit())).toEqual({});
  expect(await accepted()).toBe(3);
});

test('answers 502 although it accepted when told so', async () => {
  await current().addFault({ provider: 'mock', kind: 'status', status: 502, accepted: true });
  expect((await submit()).status).toBe(502);
  expect(await accepted()).toBe(1);
});

test('stalls before the headers until the client gives up', async () => {
  await current().addFault({ provider: 'mock', kind: 'stall_headers' });
  const giveUp = new AbortController();
  const answer = submit(giveUp.signal);
  while ((await accepted()) === 0) await poll('none');
  giveUp.abort();
  await expect(answer).rejects.toThrow('aborted');
  expect(await current().requests('?kind=submit')).toMatchObject([{ status: null, fault: 'stall_headers' }]);
});

test('stalls in the body until the client gives up', async () => {
  await current().addFault({ provider: 'mock', kind: 'stall_body' });
  const giveUp = new AbortController();
  const response = await submit(giveUp.signal);
  expect(response.status).toBe(202);
  const body = response.text();
  giveUp.abort();
  await expect(body).rejects.toThrow('aborted');
});

test('decides how an accepted operation ends', async () => {
  for (const kind of ['failed', 'filtered', 'stuck'] as const) {
    await current().addFault({ provider: 'mock', kind });
    const { id } = await readJson(await submit());
    const expected = { failed: 'failed', filtered: 'content_rejected', stuck: undefined }[kind];
    const operation = await readJson(await poll(id));
    expect((operation['error'] as { code?: string } | undefined)?.code).toBe(expected);
    expect(operation['status']).toBe(kind === 'stuck' ? 'running' : 'failed');
  }
  await current().addFault({ provider: 'mock', kind: 'content_refused' });
  expect((await submit()).status).toBe(422);
});

test('turns a running operation into a failed one at a poll', async () => {
  await current().set({ latencyScale: 1 });
  const { id } = await readJson(await submit());
  expect(await readJson(await poll(id))).toMatchObject({ status: 'running' });
  await current().addFault({ provider: 'mock', operation: 'poll', kind: 'failed' });
  expect(await readJson(await poll(id))).toMatchObject({ status: 'failed' });
  expect(await readJson(await poll(id))).toMatchObject({ status: 'failed' });
});

test('applies to matching models and prompts only, as often as told', async () => {
  const fault = { provider: 'mock', kind: 'status', status: 503, times: 2 };
  await current().addFault({ ...fault, match: { model: 'image' } });
  await current().addFault({ ...fault, match: { prompt: 'stormy' } });
  expect((await submit()).status).toBe(202);
  await current().addFault({ ...fault, match: { model: 'video', prompt: 'quiet' } });
  expect([(await submit()).status, (await submit()).status, (await submit()).status]).toEqual([503, 503, 202]);
});

test('keeps failing until the faults are deleted', async () => {
  await current().addFault({ provider: 'mock', kind: 'status', status: 500, times: null });
  expect([(await submit()).status, (await submit()).status]).toEqual([500, 500]);
  await fetch(`${current().url}/__emulator/faults`, { method: 'DELETE' });
  expect((await submit()).status).toBe(202);
});

test('serves artifacts whole, in part, by HEAD and by ETag', async () => {
  const url = await artifactOf();
  const whole = await fetch(url);
  const bytes = Buffer.from(await whole.arrayBuffer());
  expect(whole.headers.get('content-length')).toBe(String(bytes.length));
  const head = await fetch(url, { method: 'HEAD' });
  expect([head.status, head.headers.get('content-length')]).toEqual([200, String(bytes.length)]);
  const part = await fetch(url, { headers: { range: 'bytes=4-7' } });
  expect([part.status, await part.text()]).toEqual([206, 'ftyp']);
  const beyond = await fetch(url, { headers: { range: 'bytes=99999999-' } });
  expect(beyond.status).toBe(416);
  const known = await fetch(url, { headers: { 'if-none-match': whole.headers.get('etag') ?? '' } });
  expect(known.status).toBe(304);
});

test('gives every operation an artifact of its own', async () => {
  const bodies = await Promise.all(
    [await artifactOf(), await artifactOf()].map(async (url) => (await fetch(url)).text()),
  );
  expect(bodies[0]).not.toBe(bodies[1]);
});

test('spoils artifacts', async () => {
  const url = await artifactOf();
  await current().addFault({ provider: 'mock', kind: 'artifact_expired' });
  expect((await fetch(url)).status).toBe(410);
  await current().addFault({ provider: 'mock', kind: 'artifact_truncated' });
  await expect(fetch(url).then((response) => response.arrayBuffer())).rejects.toThrow('terminated');
  await current().addFault({ provider: 'mock', kind: 'artifact_wrong_length' });
  await expect(fetch(url).then((response) => response.arrayBuffer())).rejects.toThrow('terminated');
  await current().addFault({ provider: 'mock', kind: 'artifact_oversized', sizeBytes: 1_000_000 });
  expect((await (await fetch(url)).arrayBuffer()).byteLength).toBeGreaterThanOrEqual(1_000_000);
  expect((await fetch(url)).status).toBe(200);
});

test('stops sending an oversized artifact when the client hangs up', async () => {
  const url = await artifactOf();
  await current().addFault({ provider: 'mock', kind: 'artifact_oversized' });
  const response = await fetch(url);
  const reader = response.body?.getReader();
  await reader?.read();
  await reader?.cancel();
  expect((await fetch(url)).status).toBe(200);
});

test.each([
  [{ provider: 'mock', kind: 'status' }, 'status'],
  [{ provider: 'mock', kind: 'melt' }, 'kind'],
  [{ provider: 'nobody', kind: 'html' }, 'provider'],
  [{ provider: 'mock', kind: 'html', surprise: 1 }, 'surprise'],
])('refuses the fault %j and names %s', async (fault, word) => {
  const response = await current().addFault(fault);
  expect(response.status).toBe(422);
  expect(JSON.stringify(await readJson(response))).toContain(word);
});
