import { ElevenLabsClient, ElevenLabsError } from '@elevenlabs/elevenlabs-js';
import { magicOf, outcomesOf, postJson, readJson, useEmulator, usualOutcomes } from './support';

const current = useEmulator();
const george = 'JBFqnCBsd6RMkjVDRZzb';

const clientOf = (apiKey = 'el-key'): ElevenLabsClient =>
  new ElevenLabsClient({ apiKey, baseUrl: `${current().url}/elevenlabs`, maxRetries: 0 });

const readAll = async (stream: ReadableStream<Uint8Array>): Promise<Uint8Array> =>
  new Uint8Array(await new Response(stream).arrayBuffer());

const statusOf = async (call: Promise<unknown>): Promise<unknown[]> => {
  const error: unknown = await call.catch((caught: unknown) => caught);
  if (!(error instanceof ElevenLabsError)) throw new Error('not refused');
  const { detail } = error.body as { detail: { status?: string } };
  return [error.statusCode, detail.status];
};

const convert = (text: string, extra: object = {}, key?: string): Promise<ReadableStream<Uint8Array>> =>
  clientOf(key).textToSpeech.convert(george, { text, modelId: 'eleven_multilingual_v2', ...extra });

test('speaks through the official client, with the headers that recovery needs', async () => {
  const { data, rawResponse } = await clientOf()
    .textToSpeech.convert(george, { text: 'Hello there.', modelId: 'eleven_flash_v2_5' })
    .withRawResponse();
  expect(magicOf(await readAll(data))).toBe('mp3');
  expect(rawResponse.headers.get('content-type')).toBe('audio/mpeg');
  expect(rawResponse.headers.get('character-cost')).toBe('12');
  const entry = { provider: 'elevenlabs', model: 'eleven_flash_v2_5', costUsd: '0.00048', state: 'succeeded' };
  expect(await current().ledger()).toMatchObject([{ ...entry, operation: rawResponse.headers.get('request-id') }]);
});

test.each([
  ['mp3_22050_32', 'mp3'],
  ['wav_44100', 'WAVE'],
  ['pcm_16000', 'unknown'],
] as const)('speaks as %s', async (outputFormat, magic) => {
  const bytes = await readAll(await convert('Hello there, how are you?', { outputFormat }));
  expect(magicOf(bytes)).toBe(magic);
});

test('streams the same kind of file in parts', async () => {
  const stream = await clientOf().textToSpeech.stream(george, { text: 'Hello there.' });
  expect(magicOf(await readAll(stream))).toBe('mp3');
});

test('finds speech in the history after its answer was lost, and downloads the very bytes', async () => {
  await current().addFault({ provider: 'elevenlabs', kind: 'drop_after_accept' });
  // By hand: the SDK leaves its timer of 240 s behind when a connection breaks.
  const lost = postJson(
    `${current().url}/elevenlabs/v1/text-to-speech/${george}`,
    { text: 'Lost words.' },
    { 'xi-api-key': 'el-key' },
  );
  await expect(lost).rejects.toThrow();
  const first = await readAll(await convert('Other words.'));
  const { history } = await clientOf().history.list({
    search: 'lost',
    source: 'TTS',
    voiceId: george,
    dateAfterUnix: 1,
  });
  expect(history).toMatchObject([{ text: 'Lost words.', source: 'TTS', modelId: 'eleven_multilingual_v2' }]);
  const all = await clientOf().history.list({ pageSize: 1 });
  expect(all).toMatchObject({ hasMore: true, history: [{ text: 'Other words.' }] });
  const again = await readAll(await clientOf().history.getAudio(all.history[0]?.historyItemId ?? ''));
  expect(Buffer.compare(again, first)).toBe(0);
  expect(await current().ledger()).toHaveLength(2);
});

test('searches the history of a named source only', async () => {
  for (const query of [{ search: 'lost' }, { modelId: 'eleven_multilingual_v2' }]) {
    await expect(clientOf().history.list(query)).rejects.toMatchObject({ statusCode: 422 });
  }
});

test('keeps out of the history what is not logged', async () => {
  await readAll(await convert('Private words.', { enableLogging: false }));
  expect((await clientOf().history.list()).history).toEqual([]);
});

test('refuses in its own words', async () => {
  expect(await statusOf(convert('Hi', {}, 'invalid'))).toEqual([401, 'invalid_api_key']);
  expect(await statusOf(convert('Hi', {}, 'exhausted'))).toEqual([401, 'quota_exceeded']);
  expect(await statusOf(convert('x'.repeat(10_001)))).toEqual([400, 'max_character_limit_exceeded']);
  expect(await statusOf(convert('Hi', { modelId: 'eleven_unknown' }))).toEqual([400, 'model_not_found']);
  expect(await statusOf(clientOf().textToSpeech.convert('nobody', { text: 'Hi' }))).toEqual([404, 'voice_not_found']);
  expect(await statusOf(convert('[refuse]'))).toEqual([400, 'content_against_policy']);
  expect(await statusOf(convert('[fail]'))).toEqual([500, 'internal_server_error']);
  expect((await current().ledger()).map(({ state, costUsd }) => [state, costUsd])).toEqual([['failed', '0']]);
});

test('answers 422 as a list for a body that does not fit', async () => {
  const url = `${current().url}/elevenlabs/v1/text-to-speech/${george}`;
  const response = await postJson(url, { voice_settings: { speed: 3 } }, { 'xi-api-key': 'k' });
  expect(response.status).toBe(422);
  expect(await readJson(response)).toMatchObject({
    detail: [{ loc: ['body', 'text'], type: 'missing' }, { loc: ['body', 'voice_settings', 'speed'] }],
  });
});

test('tells too many at once from a busy system', async () => {
  await current().set({ latencyScale: 1, limits: { elevenlabs: { concurrent: 1 } } });
  const first = convert('Hello.');
  while ((await current().ledger()).length === 0) await fetch(`${current().url}/__emulator/health`);
  expect(await statusOf(convert('Hello.'))).toEqual([429, 'too_many_concurrent_requests']);
  await current().addFault({ provider: 'elevenlabs', kind: 'status', status: 429 });
  expect(await statusOf(convert('Hello.'))).toEqual([429, 'system_busy']);
  await readAll(await first);
});

test('lists the premade voices', async () => {
  const { voices } = await clientOf().voices.search();
  expect(voices.map(({ name }) => name)).toContain('George');
});

test.each([
  ['mp3_24000_48', 'audio/mpeg', 'mp3'],
  ['mp3_44100_192', 'audio/mpeg', 'mp3'],
  ['opus_48000_64', 'audio/opus', 'ogg'],
  ['wav_8000', 'audio/wav', 'WAVE'],
  ['pcm_48000', 'audio/pcm', 'unknown'],
  ['ulaw_8000', 'audio/basic', 'unknown'],
  ['alaw_8000', 'audio/x-alaw-basic', 'unknown'],
] as const)('speaks as %s, with a content type', async (outputFormat, contentType, magic) => {
  const { data, rawResponse } = await clientOf()
    .textToSpeech.convert(george, { text: 'Hello there, how are you?', outputFormat })
    .withRawResponse();
  expect([rawResponse.headers.get('content-type'), magicOf(await readAll(data))]).toEqual([contentType, magic]);
});

test('telephone sound has one byte a sample', async () => {
  const text = 'Hello there, how are you?';
  const bytes = await readAll(await convert(text, { outputFormat: 'ulaw_8000' }));
  expect(bytes.length).toBe(Math.round((text.length / 15) * 8000));
  const faster = await readAll(await convert(text, { outputFormat: 'ulaw_8000', voiceSettings: { speed: 1.2 } }));
  expect(faster.length).toBe(Math.round((text.length / 15 / 1.2) * 8000));
});

test('tells when each character is spoken', async () => {
  const spoken = await clientOf().textToSpeech.convertWithTimestamps(george, { text: 'Hi you' });
  expect(magicOf(Buffer.from(spoken.audioBase64, 'base64'))).toBe('mp3');
  expect(spoken.alignment?.characters.join('')).toBe('Hi you');
  expect(spoken.alignment?.characterEndTimesSeconds.at(-1)).toBe(0.4);
  expect(await current().ledger()).toHaveLength(1);
});

test.each(['eleven_v3', 'eleven_v4', 'eleven_turbo_v2_5'])('speaks with %s up to its limit', async (modelId) => {
  const limit = { eleven_v3: 5_000, eleven_v4: 10_000, eleven_turbo_v2_5: 40_000 }[modelId] ?? 0;
  await readAll(await convert('Hi', { modelId, languageCode: 'de' }));
  expect(await statusOf(convert('x'.repeat(limit + 1), { modelId }))).toEqual([400, 'max_character_limit_exceeded']);
  expect(await current().ledger()).toMatchObject([{ model: modelId }]);
});

const makeSound = (extra: object = {}): Promise<ReadableStream<Uint8Array>> =>
  clientOf().textToSoundEffects.convert({ text: 'a bicycle bell', ...extra });

test('makes a sound of the wanted length, which is in no history', async () => {
  const bytes = await readAll(await makeSound({ durationSeconds: 2, loop: true, outputFormat: 'pcm_16000' }));
  expect(bytes.length).toBe(2 * 16_000 * 2);
  expect((await clientOf().history.list()).history).toEqual([]);
  expect(await current().ledger()).toMatchObject([{ model: 'eleven_text_to_sound_v2', costUsd: '0.12' }]);
});

test('refuses what does not fit, with nothing booked', async () => {
  const url = `${current().url}/elevenlabs/v1`;
  const post = (path: string, body: object): Promise<Response> =>
    postJson(`${url}${path}`, body, { 'xi-api-key': 'k' });
  const text = 'Hi';
  const answers = await Promise.all([
    post('/sound-generation', { text, duration_seconds: 31 }),
    post('/sound-generation', { text, prompt_influence: 2 }),
    post('/sound-generation', { text, model_id: 'eleven_v3' }),
    post('/sound-generation?output_format=wav_44100', { text }),
    post(`/text-to-speech/${george}/stream?output_format=wav_44100`, { text }),
    post(`/text-to-speech/${george}?output_format=mp3_1_1`, { text }),
    post(`/text-to-speech/${george}?optimize_streaming_latency=9`, { text }),
    post(`/text-to-speech/${george}`, { text, previous_request_ids: ['a', 'b', 'c', 'd'] }),
  ]);
  expect(answers.map(({ status }) => status)).toEqual([422, 422, 400, 400, 400, 400, 422, 422]);
  expect(await current().ledger()).toEqual([]);
});

test('shows models, one voice, a page of voices and what was used', async () => {
  await readAll(await convert('0123456789', { modelId: 'eleven_flash_v2_5' }));
  expect((await clientOf().user.subscription.get()).characterCount).toBe(5);
  expect((await clientOf().models.list()).map(({ modelId }) => modelId)).toContain('eleven_v4');
  expect((await clientOf().voices.get(george)).name).toBe('George');
  const page = await clientOf().voices.search({ search: 'ri', pageSize: 2 });
  expect(page).toMatchObject({ hasMore: true, voices: [{}, {}] });
});

test.each([
  [`/text-to-speech/${george}`, { text: 'Hi' }],
  [`/text-to-speech/${george}/stream`, { text: 'Hi' }],
  [`/text-to-speech/${george}/with-timestamps`, { text: 'Hi' }],
  ['/sound-generation', { text: 'Hi' }],
])('%s goes wrong in every way', async (path, body) => {
  const submit = (): Promise<Response> =>
    postJson(`${current().url}/elevenlabs/v1${path}`, body, { 'xi-api-key': 'k' });
  expect(await outcomesOf(current(), 'elevenlabs', submit)).toEqual(usualOutcomes);
});
