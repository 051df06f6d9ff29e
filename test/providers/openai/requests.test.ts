import { createOpenai } from '../../../src/providers/openai';
import { useRecordedProvider } from '../../support/golden';
import { image, makeCall, makeInput, modelOf, secret, tinyPng } from '../../support/provider-calls';
import { json } from '../../support/recording-server';

const current = useRecordedProvider(createOpenai);
const call = () => makeCall(`${current.server.url}/openai/v1`);
const headers = { authorization: `Bearer ${secret}`, 'x-stainless-retry-count': '0', connection: 'close' };
const completion = json({
  id: 'c',
  choices: [{ index: 0, message: { role: 'assistant', content: 'A bicycle.' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 12, completion_tokens: 3, total_tokens: 15 },
});

test('draws images and hands over their bytes', async () => {
  current.server.answer(
    json({
      created: 1,
      data: [{ b64_json: tinyPng }],
      output_format: 'png',
      usage: { input_tokens: 5, output_tokens: 200 },
    }),
  );
  const input = makeInput({ size: '1024x1024', quality: 'low', format: 'png' });
  const outcome = await current.provider.submit(modelOf('openai/gpt-image-2'), input, call());
  expect(outcome).toMatchObject({
    state: 'succeeded',
    outputs: [{ kind: 'bytes', contentType: 'image/png', bytes: Buffer.from(tinyPng, 'base64') }],
    usage: { images: 1, inputTokens: 5, outputTokens: 200 },
  });
  expect(current.server.requests).toMatchObject([{ method: 'POST', path: '/openai/v1/images/generations', headers }]);
  expect(current.server.requests[0]?.body).toEqual({
    model: 'gpt-image-2',
    prompt: input.prompt,
    n: 1,
    size: '1024x1024',
    quality: 'low',
    output_format: 'png',
  });
});

test('writes text by a schema from a system prompt, messages, a prompt and an image', async () => {
  current.server.answer(completion);
  const schema = {
    type: 'object',
    properties: { a: { type: 'string' } },
    required: ['a'],
    additionalProperties: false,
  };
  const input = makeInput({
    system: 'be brief',
    messages: [{ role: 'assistant', content: 'hi' }],
    image,
    schema,
    maxTokens: 50,
    temperature: 0.2,
  });
  const outcome = await current.provider.submit(modelOf('openai/gpt-4o-mini'), input, call());
  expect(outcome).toMatchObject({
    state: 'succeeded',
    outputs: [{ kind: 'text', text: 'A bicycle.' }],
    usage: { inputTokens: 12, outputTokens: 3 },
  });
  expect(current.server.requests).toMatchObject([{ method: 'POST', path: '/openai/v1/chat/completions', headers }]);
  expect(current.server.requests[0]?.body).toEqual({
    model: 'gpt-4o-mini',
    messages: [
      { role: 'system', content: 'be brief' },
      { role: 'assistant', content: 'hi' },
      {
        role: 'user',
        content: [
          { type: 'text', text: input.prompt },
          { type: 'image_url', image_url: { url: `data:image/png;base64,${tinyPng}` } },
        ],
      },
    ],
    max_completion_tokens: 50,
    temperature: 0.2,
    response_format: { type: 'json_schema', json_schema: { name: 'answer', schema, strict: true } },
  });
});

const piece = (delta: unknown, rest: Record<string, unknown> = {}) =>
  `data: ${JSON.stringify({ id: 'c', choices: [{ index: 0, delta, finish_reason: null, ...rest }] })}\n\n`;

const streamOf =
  (...pieces: string[]) =>
  (response: import('node:http').ServerResponse) =>
    void response.writeHead(200, { 'content-type': 'text/event-stream' }).end(pieces.join(''));

test('streams text to whoever listens and returns the whole', async () => {
  const usage = `data: ${JSON.stringify({ id: 'c', choices: [], usage: { prompt_tokens: 1, completion_tokens: 2 } })}\n\n`;
  current.server.answer(
    streamOf(
      piece({ content: 'Hel' }),
      piece({ content: 'lo' }),
      piece({}, { finish_reason: 'stop' }),
      usage,
      'data: [DONE]\n\n',
    ),
  );
  const deltas: string[] = [];
  const listening = { ...call(), onText: (delta: string) => deltas.push(delta) };
  const outcome = await current.provider.submit(modelOf('openai/gpt-4o'), makeInput(), listening);
  expect(outcome).toMatchObject({
    state: 'succeeded',
    outputs: [{ text: 'Hello' }],
    usage: { inputTokens: 1, outputTokens: 2 },
  });
  expect(deltas).toEqual(['Hel', 'lo']);
  expect(listening.exchanges).toHaveLength(1);
  expect(current.server.requests[0]?.body).toMatchObject({ stream: true, stream_options: { include_usage: true } });
});

test('takes a stream that ends early for a lost answer', async () => {
  current.server.answer(streamOf(piece({ content: 'Hel' }), 'data: [DONE]\n\n'));
  const submitting = current.provider.submit(modelOf('openai/gpt-4o'), makeInput(), {
    ...call(),
    onText: () => undefined,
  });
  await expect(submitting).rejects.toMatchObject({ code: 'provider_bad_response', accepted: 'unknown' });
});

test.each(['stalls', 'breaks'])('keeps the deadline and the verdict when a stream %s', async (how) => {
  current.server.answer((response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(piece({ content: 'Hel' }), () => (how === 'breaks' ? response.destroy() : undefined));
  });
  const listening = { ...call(), deadlineMs: 300, onText: () => undefined };
  const submitting = current.provider.submit(modelOf('openai/gpt-4o'), makeInput(), listening);
  const code = how === 'breaks' ? 'provider_server_error' : 'provider_timeout';
  await expect(submitting).rejects.toMatchObject({ code, accepted: 'unknown' });
  expect(listening.exchanges).toHaveLength(1);
});
