import OpenAI, { APIError } from 'openai';
import { useEmulator } from './support';

const current = useEmulator();

const clientOf = (apiKey = 'sk-test'): OpenAI =>
  new OpenAI({ apiKey, baseURL: `${current().url}/openai/v1`, maxRetries: 0 });

const failureOf = async (call: Promise<unknown>): Promise<Record<string, unknown>> => {
  const error: unknown = await call.catch((caught: unknown) => caught);
  if (!(error instanceof APIError)) throw new Error('not refused');
  return { status: error.status as number, code: error.code, param: error.param };
};

const question = { model: 'gpt-4o-mini', input: 'Name a colour for a bicycle' } as const;

test('responds at once, and can be asked again unless told not to store', async () => {
  const response = await clientOf().responses.create({ ...question, metadata: { job: 'a' } });
  expect(response).toMatchObject({ status: 'completed', object: 'response', metadata: { job: 'a' }, error: null });
  expect(response.output_text).toContain('Name a colour for a bicycle');
  expect(response.usage?.total_tokens).toBe((response.usage?.input_tokens ?? 0) + (response.usage?.output_tokens ?? 0));
  const again = await clientOf().responses.retrieve(response.id);
  expect(again.output_text).toBe(response.output_text);
  expect(await failureOf(clientOf('sk-other').responses.retrieve(response.id))).toMatchObject({ status: 404 });
  const unstored = await clientOf().responses.create({ ...question, store: false });
  expect(await failureOf(clientOf().responses.retrieve(unstored.id))).toMatchObject({ status: 404 });
  expect(await current().ledger()).toHaveLength(2);
});

test('goes on in the background: queued, in progress, completed', async () => {
  await current().set({ latencyScale: 1 });
  const queued = await clientOf().responses.create({ ...question, background: true });
  expect(queued).toMatchObject({ status: 'queued', background: true, output: [] });
  await current().addFault({ provider: 'openai', kind: 'stuck', operation: 'poll' });
  expect((await clientOf().responses.retrieve(queued.id)).status).toBe('in_progress');
  expect(await clientOf().responses.cancel(queued.id)).toMatchObject({ status: 'cancelled' });
  expect(await clientOf().responses.cancel(queued.id)).toMatchObject({ status: 'cancelled' });
  await current().set({ latencyScale: 0 });
  const { id, status } = await clientOf().responses.create({ ...question, background: true });
  expect(status).toBe('queued');
  expect((await clientOf().responses.retrieve(id)).status).toBe('completed');
  expect((await clientOf().responses.cancel(id)).status).toBe('completed');
  expect((await current().ledger()).map(({ state }) => state)).toEqual(['canceled', 'succeeded']);
});

test('cancels nothing but background responses', async () => {
  const { id } = await clientOf().responses.create(question);
  expect(await failureOf(clientOf().responses.cancel(id))).toMatchObject({ status: 400 });
  expect(await failureOf(clientOf().responses.cancel('resp_none'))).toMatchObject({ status: 404 });
});

test('streams every part of a response, and the whole at the end', async () => {
  const stream = await clientOf().responses.create({ ...question, stream: true });
  const types: string[] = [];
  const numbers: number[] = [];
  let text = '';
  let whole: OpenAI.Responses.Response | undefined;
  for await (const event of stream) {
    types.push(event.type);
    numbers.push(event.sequence_number);
    if (event.type === 'response.output_text.delta') text += event.delta;
    if (event.type === 'response.completed') whole = event.response;
  }
  expect([types[0], types.at(-1)]).toEqual(['response.created', 'response.completed']);
  expect(numbers).toEqual(numbers.map((_, index) => index));
  expect(whole?.output[0]).toMatchObject({ type: 'message', content: [{ type: 'output_text', text }] });
});

test('gathers a stream through the official helper', async () => {
  const stream = clientOf().responses.stream({ ...question, input: 'a [refuse] thing' });
  const final = await stream.finalResponse();
  expect(final.output[0]).toMatchObject({ content: [{ type: 'refusal' }] });
});

test('fits its answer to a JSON schema', async () => {
  const schema = { type: 'object', properties: { language: { type: 'string' } }, required: ['language'] };
  const format = { type: 'json_schema', name: 'analysis', schema } as const;
  const response = await clientOf().responses.create({ ...question, text: { format } });
  expect(JSON.parse(response.output_text)).toEqual({ language: 'en' });
});

test('ends early at its limit, when filtered, and when the model fails', async () => {
  const short = await clientOf().responses.create({ ...question, max_output_tokens: 16 });
  expect(short).toMatchObject({ status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } });
  await current().addFault({ provider: 'openai', kind: 'filtered' });
  const filtered = await clientOf().responses.create(question);
  expect(filtered).toMatchObject({ status: 'incomplete', incomplete_details: { reason: 'content_filter' } });
  const { id } = await clientOf().responses.create({ ...question, input: '[fail]', background: true });
  const failed = await clientOf().responses.retrieve(id);
  expect(failed).toMatchObject({ status: 'failed', error: { code: 'server_error' } });
  expect((await current().ledger()).at(-1)).toMatchObject({ state: 'failed', costUsd: '0' });
});

test('reads the last thing a user said from a list of items', async () => {
  const input = [
    { role: 'user' as const, content: 'one' },
    { role: 'assistant' as const, content: 'two' },
    { role: 'user' as const, content: [{ type: 'input_text' as const, text: 'three' }] },
  ];
  expect((await clientOf().responses.create({ ...question, input })).output_text).toContain('“three”');
});

test.each([
  ['a parameter it does not know', { colour: 'red' }, 'unknown_parameter', 'colour'],
  ['a background that is not stored', { background: true, store: false }, 'invalid_value', 'background'],
  ['a model it has not', { model: 'gpt-9' }, 'model_not_found', 'model'],
  ['a temperature of a reasoning model', { model: 'gpt-5.5', temperature: 0.2 }, 'unsupported_value', 'temperature'],
  ['a limit that is too low', { max_output_tokens: 1 }, 'invalid_value', 'max_output_tokens'],
])('refuses %s', async (_, extra, code, param) => {
  expect(await failureOf(clientOf().responses.create({ ...question, ...extra }))).toMatchObject({
    status: 400 + (code === 'model_not_found' ? 4 : 0),
    code,
    param,
  });
  expect(await current().ledger()).toEqual([]);
});
