import Anthropic, { APIError } from '@anthropic-ai/sdk';
import { sendJson, testSubmitFaults } from './submit-faults';
import { postJson, readJson, useEmulator } from './support';

const current = useEmulator();

const clientOf = (apiKey = 'sk-ant-test'): Anthropic =>
  new Anthropic({ apiKey, baseURL: `${current().url}/anthropic`, maxRetries: 0 });

const question = { role: 'user' as const, content: 'Name a colour for a bicycle' };
const base = { model: 'claude-haiku-4-5', max_tokens: 200, messages: [question] };
const headers = { 'x-api-key': 'sk-ant-test', 'anthropic-version': '2023-06-01' };

const failureOf = async (call: Promise<unknown>): Promise<Record<string, unknown>> => {
  const error: unknown = await call.catch((caught: unknown) => caught);
  if (!(error instanceof APIError)) throw new Error('not refused');
  return { name: error.name, status: error.status as number, type: error.type, requestID: error.requestID };
};

const post = (body: unknown, sent: Record<string, string> = headers): Promise<Response> =>
  postJson(`${current().url}/anthropic/v1/messages`, body, sent);

const errorOf = async (response: Response): Promise<{ status: number; type: string; message: string }> => {
  const { error } = (await readJson(response)) as { error: { type: string; message: string } };
  return { status: response.status, ...error };
};

const textOf = ({ content }: Anthropic.Message): string =>
  content.map((block) => (block.type === 'text' ? block.text : '')).join('');

test('answers a message through the official client, the same for the same prompt', async () => {
  const first = await clientOf().messages.create(base);
  const second = await clientOf().messages.create(base);
  expect(textOf(first)).toContain('Name a colour for a bicycle');
  expect(textOf(second)).toBe(textOf(first));
  expect(first).toMatchObject({
    type: 'message',
    role: 'assistant',
    model: 'claude-haiku-4-5-20251001',
    stop_reason: 'end_turn',
    stop_details: null,
  });
  expect(first.id).toMatch(/^msg_/);
  expect(first.id).not.toBe(second.id);
  expect(first._request_id).toMatch(/^req_/);
  expect(await current().ledger()).toMatchObject([{ submits: 2, operation: first.id }, { submits: 2 }]);
  expect((await current().requests('?kind=submit'))[0]).toMatchObject({ retryCount: 0, model: 'claude-haiku-4-5' });
});

test.each([
  ['claude-haiku-4-5', 1, 5],
  ['claude-haiku-5-5', 0.1, 0.5],
  ['claude-sonnet-5-5', 2, 10],
  ['claude-opus-5-5', 4, 20],
])('books %s at the price of its tokens', async (model, inUsd, outUsd) => {
  const { usage } = await clientOf().messages.create({ ...base, model });
  const [entry] = await current().ledger();
  expect(entry).toMatchObject({ model, medium: 'text', state: 'succeeded' });
  expect(Number(entry?.['costUsd'])).toBeCloseTo((usage.input_tokens * inUsd + usage.output_tokens * outUsd) / 1e6, 7);
});

test('streams what it would have answered whole', async () => {
  const whole = await clientOf().messages.create(base);
  const stream = clientOf().messages.stream(base);
  const kinds: string[] = [];
  stream.on('streamEvent', ({ type }) => kinds.push(type));
  const streamed = await stream.finalMessage();
  expect(textOf(streamed)).toBe(textOf(whole));
  expect(streamed.usage.output_tokens).toBe(whole.usage.output_tokens);
  expect(streamed.stop_reason).toBe('end_turn');
  expect([kinds[0], kinds[1], kinds.at(-3), kinds.at(-2), kinds.at(-1)]).toEqual([
    'message_start',
    'content_block_start',
    'content_block_stop',
    'message_delta',
    'message_stop',
  ]);
  expect((await current().ledger()).length).toBe(2);
});

test('names every event of a stream and pings', async () => {
  const response = await post({ ...base, stream: true });
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  const events = [...(await response.text()).matchAll(/^event: (\w+)\ndata: (.*)$/gm)];
  expect(events.map(([, name]) => name)).toContain('ping');
  for (const [, name, data] of events) expect(JSON.parse(data ?? '')).toMatchObject({ type: name });
});

test('takes either header for the key, and refuses none and bad ones', async () => {
  expect((await post(base)).status).toBe(200);
  const { 'x-api-key': key, ...rest } = headers;
  expect((await post(base, { ...rest, authorization: `Bearer ${key}` })).status).toBe(200);
  expect(await errorOf(await post(base, rest))).toMatchObject({ status: 401, type: 'authentication_error' });
  expect(await failureOf(clientOf('sk-ant-invalid').messages.create(base))).toMatchObject({
    name: 'AuthenticationError',
    type: 'authentication_error',
  });
  const entries = await current().ledger();
  expect(entries.length).toBe(2);
  expect(entries[0]?.['credential']).toBe(entries[1]?.['credential']);
});

test('wants a version it knows', async () => {
  const auth = { 'x-api-key': 'k' };
  expect(await errorOf(await post(base, auth))).toEqual({
    status: 400,
    type: 'invalid_request_error',
    message: 'anthropic-version: header is required',
  });
  const unknown = await errorOf(await post(base, { ...auth, 'anthropic-version': '2024-01-01' }));
  expect(unknown).toMatchObject({ status: 400, message: expect.stringContaining('2024-01-01') });
  const models = await fetch(`${current().url}/anthropic/v1/models`, { headers: auth });
  expect(models.status).toBe(400);
});

test.each([
  ['temperature', 1],
  ['top_p', 1],
  ['top_k', 40],
])('takes %s in the old version only', async (name, value) => {
  const body = { ...base, [name]: value };
  expect((await post(body)).status).toBe(200);
  const refused = await post(body, { ...headers, 'anthropic-version': '2026-10-21' });
  expect(await errorOf(refused)).toEqual({
    status: 400,
    type: 'invalid_request_error',
    message: `${name}: Extra inputs are not permitted`,
  });
  expect((await current().ledger()).length).toBe(1);
});

const png = {
  type: 'image',
  source: { type: 'base64', media_type: 'image/png', data: 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB' },
};
const withImage = (source: object): object => ({
  messages: [
    {
      role: 'user',
      content: [
        { type: 'image', source },
        { type: 'text', text: 'what is it' },
      ],
    },
  ],
});

test.each([
  ['without max_tokens', { max_tokens: undefined }, 'max_tokens: Field required'],
  ['an unknown field', { colour: 'red' }, 'colour: Extra inputs are not permitted'],
  ['an unknown field inside', { metadata: { job: 'a' } }, 'metadata.job: Extra inputs are not permitted'],
  ['no messages', { messages: [] }, 'messages: '],
  ['an unknown role', { messages: [{ role: 'bot', content: 'x' }] }, 'messages.0.role: '],
  ['an answer first', { messages: [{ role: 'assistant', content: 'x' }, question] }, 'first message must use'],
  ['an empty text', { messages: [{ role: 'user', content: '' }] }, 'non-empty content'],
  ['an empty block', { messages: [{ role: 'user', content: [{ type: 'text', text: '' }] }] }, 'must be non-empty'],
  ['too many tokens', { max_tokens: 64_001 }, '64001 > 64000'],
  ['a budget over max_tokens', { thinking: { type: 'enabled', budget_tokens: 2048 } }, 'must be greater than'],
  [
    'a picture that is none',
    withImage({ type: 'base64', media_type: 'image/png', data: 'aGVsbG8gd29ybGQ=' }),
    'Could not process image',
  ],
  [
    'a picture of another type',
    withImage({ ...png.source, media_type: 'image/jpeg' }),
    'appears to be a image/png image',
  ],
  ['a media type it does not read', withImage({ ...png.source, media_type: 'image/bmp' }), 'media_type: '],
  ['a picture by http', withImage({ type: 'url', url: 'http://example.com/a.png' }), 'Only HTTPS URLs'],
  [
    'an open object',
    { output_config: { format: { type: 'json_schema', schema: { type: 'object', properties: {} } } } },
    "'additionalProperties' must be explicitly set to false",
  ],
])('refuses %s', async (_, extra, message) => {
  const error = await errorOf(await post({ ...base, ...extra }));
  expect(error).toMatchObject({ status: 400, type: 'invalid_request_error' });
  expect(error.message).toContain(message);
  expect(await current().ledger()).toEqual([]);
});

test('refuses bounds that constrained decoding cannot keep, however deep', async () => {
  const schema = {
    type: 'object',
    additionalProperties: false,
    properties: { marks: { type: 'array', items: { $ref: '#/$defs/mark' } } },
    $defs: { mark: { type: 'integer', minimum: 1, maximum: 5 } },
  };
  const error = await errorOf(await post({ ...base, output_config: { format: { type: 'json_schema', schema } } }));
  expect(error.message).toContain("For 'integer' type, properties minimum, maximum are not supported");
});

test('continues an answer only where the model can', async () => {
  const messages = [question, { role: 'assistant' as const, content: 'The best is' }];
  expect((await clientOf().messages.create({ ...base, messages })).stop_reason).toBe('end_turn');
  const other = clientOf().messages.create({ ...base, model: 'claude-sonnet-5-5', messages });
  expect(await failureOf(other)).toMatchObject({ status: 400, type: 'invalid_request_error' });
});

test('counts tokens for nothing, pictures and system included', async () => {
  const count = async (extra: object): Promise<number> =>
    (await clientOf().messages.countTokens({ model: base.model, messages: base.messages, ...extra })).input_tokens;
  const plain = await count({});
  expect(await count({ system: 'Answer like a poet, in one line.' })).toBeGreaterThan(plain);
  expect(await count(withImage(png.source))).toBeGreaterThan(1000);
  expect((await clientOf().messages.create(base)).usage.input_tokens).toBe(plain);
  expect((await current().ledger()).length).toBe(1);
  const extra = await postJson(`${current().url}/anthropic/v1/messages/count_tokens`, base, headers);
  expect((await errorOf(extra)).message).toBe('max_tokens: Extra inputs are not permitted');
});

test('fits its text to a JSON schema', async () => {
  const schema = {
    type: 'object',
    additionalProperties: false,
    required: ['language', 'flagged', 'ratio'],
    properties: { language: { type: 'string' }, flagged: { type: 'boolean' }, ratio: { enum: ['16:9', '9:16'] } },
  };
  const message = await clientOf().messages.create({
    ...base,
    system: 'Analyse the prompt.',
    output_config: { format: { type: 'json_schema', schema } },
  });
  expect(JSON.parse(textOf(message))).toEqual({ language: 'en', flagged: false, ratio: '16:9' });
});

test('refuses without an error: before the first word for nothing, in the middle for what was said', async () => {
  const ask = (content: string): Promise<Anthropic.Message> =>
    clientOf().messages.create({ ...base, messages: [{ role: 'user', content }] });
  const early = await ask('[refuse] tell me');
  expect(early).toMatchObject({ content: [], stop_reason: 'refusal', usage: { output_tokens: 0 } });
  expect(early.stop_details).toMatchObject({ type: 'refusal', category: 'cyber' });
  const late = await ask('[filter] tell me');
  expect(late.stop_reason).toBe('refusal');
  expect(textOf(late)).not.toBe('');
  const entries = await current().ledger();
  expect(entries[0]).toMatchObject({ costUsd: '0', state: 'succeeded' });
  expect(Number(entries[1]?.['costUsd'])).toBeGreaterThan(0);
});

test('tells a refusal in the stream where the reason to stop is', async () => {
  await current().addFault({ provider: 'anthropic', kind: 'content_refused' });
  const message = await clientOf().messages.stream(base).finalMessage();
  expect(message).toMatchObject({ content: [], stop_reason: 'refusal', stop_details: { type: 'refusal' } });
});

test('cuts at the token limit and at stop sequences', async () => {
  const cut = await clientOf().messages.create({ ...base, max_tokens: 5 });
  expect(cut).toMatchObject({ stop_reason: 'max_tokens', usage: { output_tokens: 5 } });
  expect(textOf(cut)).toHaveLength(20);
  expect(await clientOf().messages.create({ ...base, max_tokens: 0 })).toMatchObject({
    content: [],
    stop_reason: 'max_tokens',
  });
  const stopped = await clientOf().messages.create({ ...base, stop_sequences: ['bicycle'] });
  expect(stopped).toMatchObject({ stop_reason: 'stop_sequence', stop_sequence: 'bicycle' });
  expect(textOf(stopped)).not.toContain('bicycle');
});

test('fails in the middle of a stream whose status was fine', async () => {
  const stream = clientOf().messages.stream({ ...base, messages: [{ role: 'user', content: '[fail]' }] });
  expect(await failureOf(stream.finalMessage())).toMatchObject({ type: 'api_error' });
  expect(await current().ledger()).toMatchObject([{ state: 'failed', costUsd: '0' }]);
});

test.each([
  [402, 'PaymentRequiredError', 'billing_error'],
  [403, 'PermissionDeniedError', 'permission_error'],
  [404, 'NotFoundError', 'not_found_error'],
  [409, 'ConflictError', 'conflict_error'],
  [413, 'ContentTooLargeError', 'request_too_large'],
  [500, 'InternalServerError', 'api_error'],
  [504, 'GatewayTimeoutError', 'timeout_error'],
  [529, 'OverloadedError', 'overloaded_error'],
])('answers %i as %s', async (status, name, type) => {
  await current().addFault({ provider: 'anthropic', operation: 'submit', kind: 'status', status });
  const failure = await failureOf(clientOf().messages.create(base));
  expect(failure).toMatchObject({ name, status, type, requestID: expect.stringMatching(/^req_/) });
  expect(await current().ledger()).toEqual([]);
});

test('limits the rate, with a time to come back when there is one', async () => {
  await current().set({ limits: { anthropic: { requestsPerMinute: 1 } } });
  const first = await post(base);
  expect(first.headers.get('anthropic-ratelimit-requests-limit')).toBe('1');
  expect(first.headers.get('anthropic-ratelimit-requests-reset')).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  expect(Number(first.headers.get('anthropic-ratelimit-input-tokens-remaining'))).toBeGreaterThan(0);
  const second = await post(base);
  expect(second.status).toBe(429);
  expect(Number(second.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(second.headers.get('request-id')).toBe((await readJson(second))['request_id']);
  await current().reset();
  await current().addFault({ provider: 'anthropic', kind: 'status', status: 429 });
  expect((await post(base)).headers.get('retry-after')).toBeNull();
});

test('tells an empty account as the wire does, and a body that is too large or no JSON', async () => {
  expect(await errorOf(await post(base, { ...headers, 'x-api-key': 'exhausted' }))).toMatchObject({
    status: 400,
    type: 'invalid_request_error',
    message: expect.stringContaining('credit balance is too low'),
  });
  const large = await post({ ...base, system: 'x'.repeat(33 * 2 ** 20) });
  expect(await errorOf(large)).toMatchObject({ status: 413, type: 'request_too_large' });
  const broken = await fetch(`${current().url}/anthropic/v1/messages`, {
    method: 'POST',
    body: '{"model":',
    headers: { ...headers, 'content-type': 'application/json' },
  });
  expect(await errorOf(broken)).toMatchObject({ status: 400, type: 'invalid_request_error' });
});

test('knows its models, by alias and snapshot, and no other', async () => {
  const ids = [];
  for await (const { id } of clientOf().models.list({ limit: 2 })) ids.push(id);
  expect(ids).toEqual(['claude-opus-5-5', 'claude-sonnet-5-5', 'claude-haiku-5-5', 'claude-haiku-4-5-20251001']);
  expect(await clientOf().models.retrieve('claude-haiku-4-5')).toMatchObject({
    id: 'claude-haiku-4-5-20251001',
    display_name: 'Claude Haiku 4.5',
    type: 'model',
  });
  expect(await failureOf(clientOf().models.retrieve('claude-9'))).toMatchObject({ type: 'not_found_error' });
  const unknown = clientOf().messages.create({ ...base, model: 'claude-9' });
  expect(await failureOf(unknown)).toMatchObject({ name: 'NotFoundError', type: 'not_found_error' });
  const elsewhere = await fetch(`${current().url}/anthropic/v2/messages`, { headers });
  expect(await errorOf(elsewhere)).toMatchObject({ status: 404, type: 'not_found_error' });
});

const batchOf = (...contents: string[]): Anthropic.Messages.BatchCreateParams => ({
  requests: contents.map((content, index) => ({
    custom_id: `job-${index}`,
    params: { ...base, messages: [{ role: 'user', content }] },
  })),
});

test('does a batch: one entry in the ledger, half the price, a result for each', async () => {
  const batch = await clientOf().messages.batches.create(batchOf('one', '[fail]', '[refuse]'));
  expect(batch).toMatchObject({
    type: 'message_batch',
    processing_status: 'ended',
    request_counts: { succeeded: 2, errored: 1 },
  });
  const results: Record<string, string> = {};
  let costUsd = 0;
  for await (const { custom_id, result } of await clientOf().messages.batches.results(batch.id)) {
    results[custom_id] = result.type === 'succeeded' ? String(result.message.stop_reason) : result.type;
    if (result.type !== 'succeeded' || result.message.stop_reason === 'refusal') continue;
    costUsd += (result.message.usage.input_tokens + result.message.usage.output_tokens * 5) / 2e6;
  }
  expect(results).toEqual({ 'job-0': 'end_turn', 'job-1': 'errored', 'job-2': 'refusal' });
  const entries = await current().ledger();
  expect(entries).toMatchObject([{ operation: batch.id, state: 'succeeded' }]);
  expect(Number(entries[0]?.['costUsd'])).toBeCloseTo(costUsd, 7);
});

test('finds a batch again whose answer was lost, and lists nothing else', async () => {
  await clientOf().messages.create(base);
  await current().addFault({ provider: 'anthropic', kind: 'drop_after_accept' });
  await expect(clientOf().messages.batches.create(batchOf('lost'))).rejects.toThrow();
  const kept = await clientOf().messages.batches.create(batchOf('kept'));
  const ids = [];
  for await (const { id } of clientOf().messages.batches.list({ limit: 1 })) ids.push(id);
  expect(ids).toHaveLength(2);
  expect(ids[0]).toBe(kept.id);
  for await (const { custom_id } of await clientOf().messages.batches.results(ids[1] ?? ''))
    expect(custom_id).toBe('job-0');
  expect((await clientOf('sk-ant-other').messages.batches.list()).data).toEqual([]);
});

test('waits for a batch, cancels it for nothing and deletes it', async () => {
  await current().set({ latencyScale: 1 });
  const { batches } = clientOf().messages;
  const batch = await batches.create(batchOf('slowly'));
  expect(await batches.retrieve(batch.id)).toMatchObject({
    processing_status: 'in_progress',
    results_url: null,
    request_counts: { processing: 1 },
  });
  await expect(batches.results(batch.id)).rejects.toThrow('results_url');
  expect(await failureOf(batches.delete(batch.id))).toMatchObject({ status: 400 });
  expect((await batches.cancel(batch.id)).processing_status).toBe('canceling');
  expect(await batches.retrieve(batch.id)).toMatchObject({
    processing_status: 'ended',
    request_counts: { canceled: 1 },
  });
  expect(await current().ledger()).toMatchObject([{ state: 'canceled', costUsd: '0' }]);
  await batches.delete(batch.id);
  expect(await failureOf(batches.retrieve(batch.id))).toMatchObject({ status: 404, type: 'not_found_error' });
  expect((await current().ledger()).length).toBe(1);
});

test.each([
  ['no requests', { requests: [] }],
  ['a name twice', { requests: [...batchOf('a').requests, ...batchOf('b').requests] }],
  ['a name with spaces', { requests: [{ custom_id: 'my job', params: base }] }],
  ['a field of its own', { ...batchOf('a'), name: 'mine' }],
])('refuses a batch with %s', async (_, body) => {
  const response = await postJson(`${current().url}/anthropic/v1/messages/batches`, body, headers);
  expect(await errorOf(response)).toMatchObject({ status: 400, type: 'invalid_request_error' });
  expect(await current().ledger()).toEqual([]);
});

test('turns a running batch into a failed one at a poll', async () => {
  await current().set({ latencyScale: 1 });
  const batch = await clientOf().messages.batches.create(batchOf('a', 'b'));
  await current().addFault({ provider: 'anthropic', operation: 'poll', kind: 'failed' });
  expect(await clientOf().messages.batches.retrieve(batch.id)).toMatchObject({
    processing_status: 'ended',
    request_counts: { errored: 2 },
  });
  expect(await current().ledger()).toMatchObject([{ state: 'failed', costUsd: '0' }]);
});

test.each([
  ['failed', { processing_status: 'ended', request_counts: { errored: 1 } }],
  ['content_refused', { processing_status: 'ended', request_counts: { succeeded: 1 } }],
  ['stuck', { processing_status: 'in_progress', request_counts: { processing: 1 } }],
])('decides by the fault %s how a batch ends', async (kind, expected) => {
  await current().addFault({ provider: 'anthropic', kind });
  expect(await clientOf().messages.batches.create(batchOf('a'))).toMatchObject(expected);
  expect((await current().ledger()).length).toBe(1);
});

testSubmitFaults(current, {
  provider: 'anthropic',
  name: 'a message',
  send: sendJson('/anthropic/v1/messages', base, headers),
});
