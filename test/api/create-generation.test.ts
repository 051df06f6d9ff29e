import { adminKey, endGeneration, startApi, videoRequest, withKey, type ApiServer } from './api-server';

let api: ApiServer;

beforeAll(async () => {
  api = await startApi();
});

afterAll(() => api.close());

const post = (body: unknown, headers?: Record<string, string>) => api.call('POST /v1/generations', body, headers);

const countRows = (): Promise<number> => api.database.generation.count();

test('accepts a generation, commits its row and starts its workflow', async () => {
  const answer = await post(videoRequest);
  expect(answer.status).toBe(202);
  expect(answer.headers.get('location')).toBe(`/v1/generations/${answer.body.id}`);
  expect(answer.body).toMatchObject({
    object: 'generation',
    medium: 'video',
    status: 'queued',
    phase: null,
    model: null,
    provider: null,
    cost: { reservedUsd: '0', actualUsd: '0', possibleUsd: '0', priceVersion: null },
    links: {
      cancel: `/v1/generations/${answer.body.id}/cancel`,
      temporal: `http://127.0.0.1:8233/namespaces/default/workflows/generation%2F${answer.body.id}`,
    },
    workflow: { id: `generation/${answer.body.id}`, runId: null },
  });
  expect(api.started).toContain(answer.body.id);
  expect(await countRows()).toBe(1);
});

test('stores the request with every default filled in', async () => {
  const { body } = await post({
    medium: 'text',
    model: 'mock/text',
    input: { prompt: 'hello' },
    routing: { maxCostUsd: 2 },
  });
  const row = await api.database.generation.findUniqueOrThrow({ where: { id: body.id } });
  expect(row.request).toMatchObject({
    model: 'mock/text',
    input: { prompt: 'hello', count: 1, messages: [], image: null, referenceImages: [], style: null, colors: [] },
    routing: { strategy: 'balanced', maxCostUsd: '2', allow: [], deny: [], fallback: true },
    deadlineSeconds: 3600,
    priority: 'medium',
    onAmbiguous: 'auto',
  });
  expect(row.request).not.toHaveProperty('cache');
});

describe('an Idempotency-Key', () => {
  test('makes the same request twice one generation', async () => {
    const headers = { 'Idempotency-Key': 'twice' };
    const first = await post(videoRequest, headers);
    const second = await post(
      { ...videoRequest, input: { durationSeconds: 4, prompt: videoRequest.input.prompt } },
      headers,
    );
    expect([first.status, second.status]).toEqual([202, 202]);
    expect(second.body.id).toBe(first.body.id);
    expect(first.headers.get('idempotency-replayed')).toBeNull();
    expect(second.headers.get('idempotency-replayed')).toBe('true');
    expect(api.started.filter((id) => id === first.body.id)).toHaveLength(1);
  });

  test('answers 200 once the generation is terminal', async () => {
    const headers = { 'Idempotency-Key': 'ended' };
    const first = await post(videoRequest, headers);
    await endGeneration(api.database, first.body.id);
    const second = await post(videoRequest, headers);
    expect(second).toMatchObject({ status: 200, body: { id: first.body.id, status: 'succeeded' } });
  });

  test('is refused with another body', async () => {
    const headers = { 'Idempotency-Key': 'other-body' };
    await post(videoRequest, headers);
    const second = await post({ ...videoRequest, tags: ['other'] }, headers);
    expect(second).toMatchObject({ status: 422, body: { code: 'caller_idempotency_key_reused', retryable: false } });
  });

  test('is not used up by a refused request', async () => {
    const headers = { 'Idempotency-Key': 'refused-first' };
    expect((await post({ ...videoRequest, medium: 'film' }, headers)).status).toBe(422);
    expect((await post(videoRequest, headers)).status).toBe(202);
  });

  test('makes twenty concurrent requests one generation', async () => {
    const before = await countRows();
    const headers = { 'Idempotency-Key': 'twenty' };
    const answers = await Promise.all(Array.from({ length: 20 }, () => post(videoRequest, headers)));
    const [id, ...others] = new Set(answers.map((answer) => answer.body.id));
    expect(others).toEqual([]);
    expect(answers.every((answer) => answer.status === 202)).toBe(true);
    expect(answers.filter((answer) => answer.headers.get('idempotency-replayed') === null)).toHaveLength(1);
    expect(await countRows()).toBe(before + 1);
    expect(api.started.filter((started) => started === id)).toHaveLength(1);
  });

  test('belongs to its tenant', async () => {
    const tenant = await api.addTenant();
    const key = await api.addKey({ tenant, scopes: ['submit'] });
    const headers = { 'Idempotency-Key': 'shared-name' };
    const ours = await post(videoRequest, headers);
    const theirs = await post({ ...videoRequest, tags: ['theirs'] }, { ...headers, ...withKey(key) });
    expect(theirs.status).toBe(202);
    expect(theirs.body.id).not.toBe(ours.body.id);
  });

  test.each(['two words', 'x'.repeat(256)])('is refused as %s', async (key) => {
    expect(await post(videoRequest, { 'Idempotency-Key': key })).toMatchObject({
      status: 400,
      body: { code: 'caller_malformed' },
    });
  });
});

describe('Prefer: wait', () => {
  test('answers 200 as soon as the generation has ended', async () => {
    const waiting = post(videoRequest, { Prefer: 'respond-async, wait=30', 'Idempotency-Key': 'waited-for' });
    const { id } = await untilStarted();
    await endGeneration(api.database, id);
    const answer = await waiting;
    expect(answer).toMatchObject({ status: 200, body: { id, status: 'succeeded' } });
    expect(answer.headers.get('preference-applied')).toBe('wait=30');
  });

  test('answers 202 when the time is up', async () => {
    const answer = await post(videoRequest, { Prefer: 'wait=1' });
    expect(answer).toMatchObject({ status: 202, body: { status: 'queued' } });
    expect(answer.headers.get('preference-applied')).toBe('wait=1');
  });

  test('is given as 60 seconds at most', async () => {
    const waiting = post(videoRequest, { Prefer: 'wait=999' });
    await endGeneration(api.database, (await untilStarted()).id);
    expect((await waiting).headers.get('preference-applied')).toBe('wait=60');
  });

  test('is ignored when it cannot be read', async () => {
    const answer = await post(videoRequest, { Prefer: 'wait=soon' });
    expect(answer.status).toBe(202);
    expect(answer.headers.get('preference-applied')).toBeNull();
  });

  test('stops looking when the caller hangs up', async () => {
    const hangUp = new AbortController();
    const seen = api.started.length;
    const request = fetch(`${api.url}/v1/generations`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${adminKey}`, 'Content-Type': 'application/json', Prefer: 'wait=60' },
      body: JSON.stringify(videoRequest),
      signal: hangUp.signal,
    });
    await until(() => api.started.length > seen);
    hangUp.abort();
    await expect(request).rejects.toThrow();
    // the line is written when the answer is given up
    await until(() => api.log.some((line) => line.includes('/v1/generations') && line.includes('aborted')));
  });
});

const until = async (holds: () => boolean): Promise<void> => {
  const endMs = Date.now() + 10_000;
  while (!holds()) {
    if (Date.now() > endMs) throw new Error('waited for ten seconds in vain');
    await new Promise((resolve) => setImmediate(resolve));
  }
};

const untilStarted = async (): Promise<{ id: string }> => {
  const seen = api.started.length;
  await until(() => api.started.length > seen);
  return { id: api.started.at(-1) as string };
};

describe('what no model can do', () => {
  test('names field, model and accepted values', async () => {
    const answer = await post({ ...videoRequest, input: { prompt: 'x', durationSeconds: 7 } });
    expect(answer).toMatchObject({ status: 422, body: { code: 'caller_invalid_request' } });
    expect(answer.body.errors).toEqual([
      {
        pointer: '/input/durationSeconds',
        detail: expect.stringMatching(/must be one of .*\(model mock\/video\)/) as string,
      },
    ]);
  });

  test('refuses a model that does not exist', async () => {
    const answer = await post({ ...videoRequest, model: 'fal/nothing' });
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ pointer: '/model' }] } });
  });

  test('names the successor of a retired model', async () => {
    const answer = await post({ ...videoRequest, model: 'fal/veo2' });
    expect(answer).toMatchObject({ status: 422, body: { code: 'caller_model_retired' } });
    expect(answer.body.detail).toContain('fal/veo3.1');
  });

  test('goes to the successor where the caller allows it', async () => {
    const answer = await post({ ...videoRequest, model: 'fal/veo2', allowSuccessor: true });
    expect(answer.status).toBe(202);
    const row = await api.database.generation.findUniqueOrThrow({ where: { id: answer.body.id } });
    expect(row.request).toMatchObject({ model: 'fal/veo3.1' });
  });

  test('answers 503 when no provider that could has a key', async () => {
    const model = 'elevenlabs/eleven_multilingual_v2';
    const answer = await post({ medium: 'speech', model, input: { prompt: 'hello' } });
    expect(answer).toMatchObject({ status: 503, body: { code: 'policy_no_capacity', retryable: true } });
  });

  test.each([
    ['/provider', { provider: 'nobody' }],
    ['/routing/deny/0', { routing: { deny: ['fall'] } }],
    ['/routing/allow/1', { routing: { allow: ['fal', 'runaway'] } }],
  ])('refuses names that there are not: %s', async (pointer, change) => {
    const answer = await post({ ...videoRequest, ...change });
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ pointer }] } });
  });

  test('rules out what is dearer than maxCostUsd', async () => {
    const answer = await post({ medium: 'video', input: { prompt: 'x' }, routing: { maxCostUsd: '0.00000001' } });
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ pointer: '/routing/maxCostUsd' }] } });
  });
});
