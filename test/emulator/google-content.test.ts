import { ApiError, GoogleGenAI, Modality, Type, type GenerateContentConfig } from '@google/genai';
import { magicOf, postJson, readJson, useEmulator } from './support';

const current = useEmulator();
const headers = { 'x-goog-api-key': 'key_test' };

const clientOf = (apiVersion = 'v1beta'): GoogleGenAI =>
  // With a fetch of our own it looks for no dispatcher, which a test's VM hides from it.
  new GoogleGenAI({ apiKey: 'key_test', apiVersion, httpOptions: { baseUrl: `${current().url}/google`, fetch } });

const flash = 'gemini-2.5-flash';
const prompt = 'Name a colour for a bicycle';
const noThoughts = { thinkingConfig: { thinkingBudget: 0 } };

const ask = (contents = prompt, config: GenerateContentConfig = {}, model = flash) =>
  clientOf().models.generateContent({ model, contents, config });

const post = (body: unknown, model = flash, method = 'generateContent'): Promise<Response> =>
  postJson(`${current().url}/google/v1beta/models/${model}:${method}`, body, headers);

const contents = [{ role: 'user', parts: [{ text: prompt }] }];

const problemOf = async (call: Promise<unknown>): Promise<{ code: number; message: string; status: string }> => {
  const error: unknown = await call.catch((caught: unknown) => caught);
  if (!(error instanceof ApiError)) throw new Error('not refused');
  return JSON.parse(error.message).error;
};

test('answers in the words of the wire, the same for the same prompt, under both versions', async () => {
  const answer = await readJson(await post({ contents, generationConfig: noThoughts }));
  expect(answer).toEqual({
    candidates: [
      {
        content: { parts: [{ text: expect.stringContaining(prompt) as string }], role: 'model' },
        finishReason: 'STOP',
        index: 0,
      },
    ],
    usageMetadata: {
      promptTokenCount: 7,
      promptTokensDetails: [{ modality: 'TEXT', tokenCount: 7 }],
      candidatesTokenCount: expect.any(Number) as number,
      candidatesTokensDetails: [{ modality: 'TEXT', tokenCount: expect.any(Number) as number }],
      totalTokenCount: expect.any(Number) as number,
    },
    modelVersion: flash,
    responseId: expect.any(String) as string,
  });
  const [first, second] = [
    await ask(),
    await clientOf('v1').models.generateContent({ model: flash, contents: prompt }),
  ];
  expect(first.text).toBe(second.text);
  expect(first.responseId).not.toBe(second.responseId);
});

test('looks at images, films and sounds, and counts them for nothing', async () => {
  const parts = [
    { inlineData: { mimeType: 'image/png', data: 'iVBORw0KGgo=' } },
    { inlineData: { mimeType: 'video/mp4', data: 'AAAA' } },
    { inlineData: { mimeType: 'audio/mpeg', data: 'AAAA' } },
    { text: prompt },
  ];
  const seen = await clientOf().models.generateContent({
    model: 'gemini-2.5-pro',
    contents: [{ role: 'user', parts }],
    config: { systemInstruction: 'Be brief', safetySettings: [], temperature: 0, seed: 3, topK: 40, topP: 0.9 },
  });
  expect(seen.text).toContain(prompt);
  expect(seen.usageMetadata?.promptTokensDetails).toEqual([
    { modality: 'TEXT', tokenCount: 9 },
    { modality: 'IMAGE', tokenCount: 258 },
    { modality: 'VIDEO', tokenCount: 263 },
    { modality: 'AUDIO', tokenCount: 32 },
  ]);
  const counted = await clientOf().models.countTokens({ model: flash, contents: [{ role: 'user', parts }] });
  expect(counted.totalTokens).toBe(7 + 258 + 263 + 32);
  expect(await current().ledger()).toHaveLength(1);
});

test.each([
  ['gemini-2.5-flash', 0.3, 2.5],
  ['gemini-3.8-flash', 0.75, 3.75],
  ['gemini-2.5-pro', 1.25, 10],
])('books %s at the price of its tokens, thoughts included', async (model, input, output) => {
  const { usageMetadata: usage } = await ask(prompt, {}, model);
  const { promptTokenCount = 0, candidatesTokenCount = 0, thoughtsTokenCount = 0 } = usage ?? {};
  expect(thoughtsTokenCount).toBeGreaterThan(0);
  expect(usage?.totalTokenCount).toBe(promptTokenCount + candidatesTokenCount + thoughtsTokenCount);
  const costUsd = (promptTokenCount * input + (candidatesTokenCount + thoughtsTokenCount) * output) / 1e6;
  const entries = await current().ledger();
  expect(entries).toMatchObject([{ model, medium: 'text', state: 'succeeded', submits: 1 }]);
  expect(Number(entries[0]?.['costUsd'])).toBeCloseTo(costUsd, 8);
});

test('streams, as events and as an array', async () => {
  const whole = await ask();
  let text = '';
  let finish: unknown;
  let usage: unknown;
  for await (const chunk of await clientOf().models.generateContentStream({ model: flash, contents: prompt })) {
    text += chunk.text ?? '';
    finish = chunk.candidates?.[0]?.finishReason ?? finish;
    usage = chunk.usageMetadata;
  }
  expect([text, finish, usage]).toEqual([whole.text, 'STOP', whole.usageMetadata]);
  const array = await post({ contents }, flash, 'streamGenerateContent');
  const chunks = (await array.json()) as { candidates: { content: { parts: { text: string }[] } }[] }[];
  expect(chunks.length).toBeGreaterThan(1);
  expect(chunks.map(({ candidates }) => candidates[0]?.content.parts[0]?.text).join('')).toBe(whole.text);
  const events = await post({ contents }, flash, 'streamGenerateContent?alt=sse');
  expect(events.headers.get('content-type')).toBe('text/event-stream');
  expect(await events.text()).toMatch(/^data: \{.*\}\r\n\r\ndata: /);
  expect(await current().ledger()).toHaveLength(4);
});

test('fits its answer to a schema of either kind', async () => {
  const json = { responseMimeType: 'application/json' };
  const properties = { language: { type: 'string' }, score: { type: 'integer', minimum: 3 } };
  const modern = await ask(prompt, { ...json, responseJsonSchema: { type: 'object', properties } });
  expect(JSON.parse(modern.text ?? '')).toEqual({ language: 'en', score: 3 });
  const openApi = await ask(prompt, {
    ...json,
    responseSchema: { type: Type.OBJECT, properties: { tags: { type: Type.ARRAY, items: { type: Type.STRING } } } },
  });
  expect(JSON.parse(openApi.text ?? '')).toEqual({ tags: [`tags: ${prompt}`] });
  expect(JSON.parse((await ask(prompt, json)).text ?? '')).toEqual({ answer: expect.any(String) as string });
  const choice = await ask(prompt, {
    responseMimeType: 'text/x.enum',
    responseSchema: { type: Type.STRING, enum: ['red', 'blue'] },
  });
  expect(choice.text).toBe('red');
});

test('cuts an answer at the token limit, which thoughts use up too', async () => {
  const cut = await ask(prompt, { ...noThoughts, maxOutputTokens: 5 });
  expect(cut.candidates?.[0]?.finishReason).toBe('MAX_TOKENS');
  expect(cut.text).toHaveLength(20);
  const thoughtOnly = await ask(prompt, { maxOutputTokens: 5 });
  expect(thoughtOnly.candidates?.[0]?.finishReason).toBe('MAX_TOKENS');
  expect(thoughtOnly.text).toBeUndefined();
  const stopped = await ask(prompt, { stopSequences: ['asked'] });
  expect(stopped.text).toBe('You ');
  const several = await ask(prompt, { candidateCount: 2 });
  expect(several.candidates?.map(({ index }) => index)).toEqual([0, 1]);
});

test('blocks a prompt with 200 and no candidates, and an answer by its finish reason', async () => {
  const refused = await ask('[refuse] this');
  expect(refused.candidates).toBeUndefined();
  expect(refused.promptFeedback?.blockReason).toBe('PROHIBITED_CONTENT');
  await current().addFault({ provider: 'google', kind: 'filtered', match: { model: flash, prompt: 'colour' } });
  const filtered = await ask();
  expect(filtered.candidates?.[0]).toEqual({ finishReason: 'SAFETY', index: 0 });
  expect(filtered.text).toBeUndefined();
  expect(await problemOf(ask('[fail]'))).toMatchObject({ code: 500, status: 'INTERNAL' });
  expect((await current().ledger()).map(({ state }) => state)).toEqual(['succeeded', 'succeeded', 'failed']);
});

const bytesOf = (data: string | undefined): Uint8Array => Buffer.from(data ?? '', 'base64');

test.each([
  ['gemini-2.5-flash-image', { aspectRatio: '16:9' }, [1344, 768], '0.039', 1290],
  ['gemini-3.1-flash-image', { aspectRatio: '4:1', imageSize: '512' }, [1024, 256], '0.045', 1120],
  ['gemini-3-pro-image', { imageSize: '2K' }, [2048, 2048], '0.134', 1120],
])('paints with %s', async (model, imageConfig, size, costUsd, tokens) => {
  const answer = await ask('a red bicycle', { imageConfig, responseModalities: [Modality.IMAGE] }, model);
  const part = answer.candidates?.[0]?.content?.parts?.[0];
  expect(part?.inlineData?.mimeType).toBe('image/png');
  const bytes = Buffer.from(bytesOf(part?.inlineData?.data));
  expect(magicOf(bytes)).toBe('png');
  expect([bytes.readUInt32BE(16), bytes.readUInt32BE(20)]).toEqual(size);
  expect(answer.usageMetadata?.candidatesTokensDetails).toEqual([{ modality: 'IMAGE', tokenCount: tokens }]);
  expect(await current().ledger()).toMatchObject([{ model, medium: 'image', costUsd, state: 'succeeded' }]);
});

test('blocks an image without a part and without a charge', async () => {
  const filtered = await ask('[filter]', {}, 'gemini-2.5-flash-image');
  expect(filtered.candidates?.[0]).toMatchObject({ finishReason: 'IMAGE_SAFETY' });
  expect(filtered.candidates?.[0]?.content).toBeUndefined();
  const refused = await ask('[refuse]', {}, 'gemini-2.5-flash-image');
  expect(refused.promptFeedback?.blockReason).toBe('PROHIBITED_CONTENT');
  expect((await current().ledger()).map(({ costUsd }) => costUsd)).toEqual(['0', '0']);
});

test.each([
  ['an unknown name', { colour: 1 }, 'Unknown name "colour": Cannot find field.'],
  ['an unknown name inside', { generationConfig: { colour: 1 } }, 'Unknown name "colour" at \'generation_config\''],
  ['an unknown name in a part', { contents: [{ parts: [{ txt: 'a' }] }] }, '"txt" at \'contents[0].parts[0]\''],
  ['a word for a number', { generationConfig: { temperature: 'hot' } }, "'generation_config.temperature' (TYPE_FLOAT)"],
  ['a category it has not', { safetySettings: [{ category: 'RUDE' }] }, "'safety_settings[0].category' (type.goog"],
  ['no contents', { contents: [] }, 'contents is not specified'],
  ['empty parts', { contents: [{ parts: [] }] }, 'contents[0].parts: contents.parts must not be empty'],
  ['a part of nothing', { contents: [{ parts: [{}] }] }, "oneof field 'data'"],
  ['a role it has not', { contents: [{ role: 'system', parts: [{ text: 'a' }] }] }, 'valid role: user, model'],
  ['data that is no base64', { contents: [{ parts: [{ inlineData: { data: '§' } }] }] }, '(TYPE_BYTES)'],
  [
    'a type nobody reads',
    { contents: [{ parts: [{ inlineData: { mimeType: 'model/obj', data: 'AAAA' } }] }] },
    'Unsupported MIME type: model/obj',
  ],
  ['too much heat', { generationConfig: { temperature: 3 } }, 'temperature must be in the range [0.0, 2.0]'],
  ['too long an answer', { generationConfig: { maxOutputTokens: 70_000 } }, 'maxOutputTokens value of 70000'],
  ['a format it has not', { generationConfig: { responseMimeType: 'text/html' } }, 'allowed mimetypes are'],
  ['a schema for a text', { generationConfig: { responseSchema: { type: 'OBJECT' } } }, 'response_schema'],
  ['an image of a text model', { generationConfig: { responseModalities: ['IMAGE'] } }, 'response modalities (IMAGE)'],
  ['an image size of a text model', { generationConfig: { imageConfig: {} } }, 'Image config is not enabled'],
  [
    'two ways to think',
    { generationConfig: { thinkingConfig: { thinkingBudget: 1, thinkingLevel: 'LOW' } } },
    'thinking budget and thinking level',
  ],
])('refuses %s', async (_, extra, message) => {
  const response = await post({ contents, ...extra });
  expect(response.status).toBe(400);
  expect((await readJson(response))['error']).toMatchObject({
    code: 400,
    status: 'INVALID_ARGUMENT',
    message: expect.stringContaining(message) as string,
  });
  expect(await current().ledger()).toEqual([]);
});

test.each([
  ['gemini-2.5-pro', { thinkingConfig: { thinkingBudget: 0 } }, 'Budget 0 is invalid'],
  ['gemini-2.5-flash-image', { thinkingConfig: { thinkingBudget: 0 } }, 'Thinking is not enabled'],
  ['gemini-2.5-flash-image', { imageConfig: { imageSize: '4K' } }, 'Invalid image size: 4K'],
  ['gemini-3-pro-image', { imageConfig: { aspectRatio: '8:1' } }, 'Invalid aspect ratio: 8:1'],
  ['gemini-3-pro-image', { responseModalities: ['TEXT'] }, 'response modalities (TEXT)'],
  ['gemini-3-pro-image', { responseMimeType: 'application/json' }, 'JSON mode is not enabled'],
  ['gemini-3-pro-image', { candidateCount: 2 }, 'Multiple candidates is not enabled'],
])('refuses of %s what it cannot: %j', async (model, config, message) => {
  const error = await problemOf(ask(prompt, config, model));
  expect([error.code, error.message]).toEqual([400, expect.stringContaining(message)]);
});

test('reads snake_case, JSON whatever it is called, and single values for lists', async () => {
  const response = await fetch(`${current().url}/google/v1beta/models/${flash}:generateContent?key=k`, {
    method: 'POST',
    headers: { 'content-type': 'text/plain' },
    body: JSON.stringify({
      contents: { parts: { text: prompt } },
      system_instruction: { parts: [{ text: 'Be brief' }] },
      generation_config: { max_output_tokens: 500, thinking_config: { thinking_budget: 0 } },
    }),
  });
  expect(response.status).toBe(200);
  expect(await current().ledger()).toMatchObject([{ model: flash, state: 'succeeded' }]);
});

test('lists and shows its models', async () => {
  const names: string[] = [];
  for await (const model of await clientOf().models.list({ config: { pageSize: 5 } })) names.push(model.name ?? '');
  expect(names).toHaveLength(13);
  expect(names).toEqual(expect.arrayContaining(['models/gemini-3.8-flash', 'models/veo-3.1-generate-preview']));
  expect(await clientOf().models.get({ model: flash })).toMatchObject({
    name: `models/${flash}`,
    inputTokenLimit: 1_048_576,
    supportedActions: ['generateContent', 'streamGenerateContent', 'countTokens'],
  });
  expect((await problemOf(clientOf().models.get({ model: 'gemini-9' }))).code).toBe(404);
});

test('knows neither other models nor models of other methods', async () => {
  const unknown = await problemOf(ask(prompt, {}, 'gemini-9'));
  expect(unknown).toMatchObject({ code: 404, status: 'NOT_FOUND' });
  expect(unknown.message).toContain('models/gemini-9 is not found for API version v1beta, or is not supported for');
  expect((await problemOf(ask(prompt, {}, 'veo-3.1-generate-preview'))).code).toBe(404);
  const omni = await problemOf(ask(prompt, {}, 'gemini-omni-1.1-flash'));
  expect([omni.code, omni.message]).toEqual([400, expect.stringContaining('only supported in the Interactions API')]);
});

test('waits its latency, and loses an answer that was paid for', async () => {
  await current().set({ latencyScale: 0.1 });
  await ask();
  const [entry] = await current().ledger();
  const spentMs = Date.parse(String(entry?.['endedAt'])) - Date.parse(String(entry?.['submittedAt']));
  expect(spentMs).toBeGreaterThanOrEqual(119);
  await current().set({ latencyScale: 0 });
  for (const kind of ['drop_after_accept', 'truncated_json']) {
    await current().addFault({ provider: 'google', kind, match: { prompt: 'colour' } });
    await expect(ask()).rejects.toThrow();
  }
  expect(await current().ledger()).toHaveLength(3);
  const retries = await current().requests('?provider=google&kind=submit');
  expect(retries.map(({ model }) => model)).toEqual([flash, flash, flash]);
});
