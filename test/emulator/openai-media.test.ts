import OpenAI, { APIError, toFile } from 'openai';
import { readImageSize } from '../../src/emulator/image-size';
import { startEmulator } from '../../src/emulator/server';
import { magicOf, outcomesOf, postJson, readJson, useEmulator, usualOutcomes } from './support';

const current = useEmulator();

const clientOf = (apiKey = 'sk-test', path = ''): OpenAI =>
  new OpenAI({ apiKey, baseURL: `${current().url}/openai/v1${path}`, maxRetries: 0 });

const failureOf = async (call: Promise<unknown>): Promise<Record<string, unknown>> => {
  const error: unknown = await call.catch((caught: unknown) => caught);
  if (!(error instanceof APIError)) throw new Error('not refused');
  return { status: error.status as number, code: error.code, param: error.param };
};

const bytesOf = async (response: Response): Promise<Buffer> => Buffer.from(await response.arrayBuffer());

const post = (path: string, body: unknown): Promise<Response> =>
  postJson(`${current().url}/openai/v1${path}`, body, { authorization: 'Bearer sk-test' });

const png = Buffer.from('89504e470d0a1a0a0000000d4948445200000000000000000802000000', 'hex');

const pngOf = (width: number, height: number): Buffer => {
  const bytes = Buffer.from(png);
  bytes.writeUInt32BE(width, 16);
  bytes.writeUInt32BE(height, 20);
  return bytes;
};

const pictures = { model: 'gpt-image-1.5', prompt: 'a bicycle' } as const;

test.each([
  ['gpt-image-1.5', 'medium', '1024x1024', '0.034031'],
  ['gpt-image-1', 'low', '1024x1024', '0.011015'],
  ['gpt-image-1-mini', 'low', '1536x1024', '0.00751'],
  ['dall-e-3', 'hd', '1792x1024', '0.12'],
  ['dall-e-2', 'standard', '512x512', '0.018'],
] as const)('draws with %s in the wanted size at its price', async (model, quality, size, costUsd) => {
  const image = await clientOf().images.generate({ model, prompt: 'a bicycle', quality, size });
  const { b64_json, url } = image.data?.[0] ?? {};
  const bytes = b64_json === undefined ? await bytesOf(await fetch(url ?? '')) : Buffer.from(b64_json, 'base64');
  const [width, height] = size.split('x').map(Number);
  expect(readImageSize(bytes)).toEqual({ width, height });
  expect(await current().ledger()).toMatchObject([{ model, costUsd }]);
});

test('edits several images with a mask, and looks at what it is given', async () => {
  const image = [await toFile(pngOf(64, 64), 'a.png'), await toFile(pngOf(64, 64), 'b.png')];
  const mask = await toFile(pngOf(64, 64), 'mask.png');
  const edited = await clientOf().images.edit({ ...pictures, image, mask, size: '1024x1536', input_fidelity: 'high' });
  expect(edited).toMatchObject({ size: '1024x1536', usage: { input_tokens_details: { image_tokens: 776 } } });
  const text = await toFile(Buffer.from('no picture'), 'a.png');
  expect(await failureOf(clientOf().images.edit({ ...pictures, image: text }))).toMatchObject({
    code: 'invalid_image_file',
  });
  expect(await failureOf(clientOf().images.edit({ ...pictures, image, mask: text }))).toMatchObject({ param: 'mask' });
  const mini = { ...pictures, model: 'gpt-image-1-mini', image, input_fidelity: 'high' as const };
  expect(await failureOf(clientOf().images.edit(mini))).toMatchObject({ param: 'input_fidelity' });
  const [first = image[0]] = image;
  const old = await clientOf().images.edit({ model: 'dall-e-2', prompt: 'x', image: first as File, size: '256x256' });
  expect(old.data?.[0]?.url).toMatch(/^http/);
});

test('retires image models on their day', async () => {
  const settings = { strictLifecycle: true };
  const answers = async (day: string): Promise<unknown[]> => {
    const emulator = await startEmulator({ latencyScale: 0, clock: () => Date.parse(day) });
    await postJson(`${emulator.url}/__emulator/settings`, settings);
    const auth = { authorization: 'Bearer k' };
    const statuses = [];
    for (const model of ['gpt-image-1', 'gpt-image-1.5', 'gpt-image-2']) {
      const body = { model, prompt: 'x', size: '1024x1024', quality: 'low' };
      statuses.push((await postJson(`${emulator.url}/openai/v1/images/generations`, body, auth)).status);
    }
    await emulator.close();
    return statuses;
  };
  expect(await answers('2026-10-22')).toEqual([200, 200, 200]);
  expect(await answers('2026-11-21')).toEqual([404, 200, 200]);
  expect(await answers('2026-12-01')).toEqual([404, 404, 200]);
});

const words = { model: 'gpt-4o-mini-tts', input: 'Hello there, how are you today?', voice: 'coral' } as const;

test.each([
  ['mp3', 'audio/mpeg', 'mp3'],
  ['opus', 'audio/opus', 'ogg'],
  ['aac', 'audio/aac', 'mp3'],
  ['flac', 'audio/flac', 'flac'],
  ['wav', 'audio/wav', 'WAVE'],
  ['pcm', 'audio/pcm', 'unknown'],
] as const)('speaks as %s', async (response_format, contentType, magic) => {
  const response = await clientOf().audio.speech.create({ ...words, response_format });
  expect(response.headers.get('content-type')).toBe(contentType);
  // AAC begins with the same kind of tag as MP3.
  expect(magicOf(await bytesOf(response))).toBe(magic);
  expect(await current().ledger()).toMatchObject([{ medium: 'speech', model: 'gpt-4o-mini-tts' }]);
});

test('speaks by the character with the older models, and by events with the newer one', async () => {
  await clientOf().audio.speech.create({ ...words, model: 'tts-1-hd', voice: 'nova' });
  expect(await current().ledger()).toMatchObject([{ costUsd: '0.00093' }]);
  const response = await clientOf().audio.speech.create({ ...words, stream_format: 'sse' });
  const events = (await response.text())
    .split('\n\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line.slice('data: '.length)) as { type: string; audio?: string });
  expect(events.at(-1)?.type).toBe('speech.audio.done');
  expect(magicOf(Buffer.from(events[0]?.audio ?? '', 'base64'))).toBe('mp3');
});

test.each([
  ['too long a text', { input: 'x'.repeat(4097) }, 'string_above_max_length', 'input'],
  ['a voice nobody has', { voice: 'nobody' }, 'invalid_value', 'voice'],
  ['a newer voice of an older model', { model: 'tts-1', voice: 'cedar' }, 'invalid_value', 'voice'],
  ['events of an older model', { model: 'tts-1', stream_format: 'sse' }, 'invalid_value', 'stream_format'],
  ['a speed out of range', { speed: 5 }, 'invalid_value', 'speed'],
  ['a model it has not', { model: 'tts-9' }, 'model_not_found', 'model'],
  ['refused content', { input: 'say [refuse]' }, 'content_policy_violation', null],
])('does not speak with %s', async (_, extra, code, param) => {
  const body = { ...words, ...extra } as OpenAI.Audio.SpeechCreateParams;
  expect(await failureOf(clientOf().audio.speech.create(body))).toMatchObject({ code, param });
  expect(await current().ledger()).toEqual([]);
});

const film = { model: 'sora-2', prompt: 'a bicycle in the rain', seconds: '8', size: '1280x720' } as const;

test('films, shows, lists and deletes a video', async () => {
  const created = await clientOf().videos.create(film);
  const done = await clientOf().videos.retrieve(created.id);
  expect(done).toMatchObject({
    status: 'completed',
    progress: 100,
    seconds: '8',
    size: '1280x720',
    prompt: film.prompt,
  });
  expect(done.expires_at).toBe((done.completed_at ?? 0) + 3600);
  const content = await clientOf().videos.downloadContent(created.id);
  expect([content.headers.get('content-type'), magicOf(await bytesOf(content))]).toEqual(['video/mp4', 'mp4']);
  const thumbnail = await clientOf().videos.downloadContent(created.id, { variant: 'thumbnail' });
  expect(magicOf(await bytesOf(thumbnail))).toBe('WEBP');
  const second = await clientOf().videos.create({ ...film, model: 'sora-2-pro', size: '1792x1024', seconds: '4' });
  const listed = [];
  for await (const { id } of clientOf().videos.list({ limit: 1 })) listed.push(id);
  expect(listed).toEqual([second.id, created.id]);
  expect(await clientOf().videos.delete(created.id)).toMatchObject({ deleted: true, object: 'video.deleted' });
  expect(await failureOf(clientOf().videos.retrieve(created.id))).toMatchObject({ status: 404 });
  expect((await current().ledger()).map(({ costUsd }) => costUsd)).toEqual(['0.8', '2']);
});

test('a video is queued, then in progress, and cannot be fetched before its end', async () => {
  await current().set({ latencyScale: 1 });
  const { id, status } = await clientOf().videos.create(film);
  expect(status).toBe('queued');
  expect(await failureOf(clientOf().videos.downloadContent(id))).toMatchObject({ status: 400 });
  await current().addFault({ provider: 'openai', kind: 'stuck', operation: 'poll' });
  expect(await clientOf().videos.retrieve(id)).toMatchObject({ status: 'in_progress', progress: 50 });
  expect(await failureOf(clientOf().videos.delete(id))).toMatchObject({ status: 400 });
});

test('a blocked video fails free of charge, and its content is nobody else’s', async () => {
  const blocked = await clientOf().videos.create({ ...film, prompt: '[refuse]' });
  expect(await clientOf().videos.retrieve(blocked.id)).toMatchObject({
    status: 'failed',
    error: { code: 'moderation_blocked' },
  });
  expect(await current().ledger()).toMatchObject([{ state: 'failed', costUsd: '0' }]);
  const { id } = await clientOf().videos.create(film);
  const address = `${current().url}/openai/v1/videos/${id}/content`;
  expect((await fetch(address)).status).toBe(401);
  expect((await fetch(address, { headers: { authorization: 'Bearer other' } })).status).toBe(404);
  await current().addFault({ provider: 'openai', kind: 'artifact_truncated' });
  await expect(clientOf().videos.downloadContent(id).then(bytesOf)).rejects.toThrow('terminated');
  await current().addFault({ provider: 'openai', kind: 'artifact_expired' });
  expect(await failureOf(clientOf().videos.downloadContent(id))).toMatchObject({ status: 404 });
});

test('wants multipart, a size its model has, and a first picture of that size', async () => {
  expect((await post('/videos', film)).status).toBe(400);
  const refused = clientOf().videos.create({ ...film, size: '1792x1024' });
  expect(await failureOf(refused)).toMatchObject({ code: 'invalid_value', param: 'size' });
  const wrong = clientOf().videos.create({ ...film, input_reference: await toFile(pngOf(64, 64), 'a.png') });
  expect(await failureOf(wrong)).toMatchObject({ param: 'input_reference' });
  const right = clientOf().videos.create({ ...film, input_reference: await toFile(pngOf(1280, 720), 'a.png') });
  expect((await right).status).toBe('queued');
  await current().set({ strictLifecycle: true });
  expect(await failureOf(clientOf().videos.create(film))).toMatchObject({ status: 404, code: 'model_not_found' });
});

const videoForm = (): Promise<Response> => {
  const body = new FormData();
  for (const [name, value] of Object.entries(film)) body.append(name, value);
  return fetch(`${current().url}/openai/v1/videos`, { method: 'POST', body, headers: { authorization: 'Bearer k' } });
};

const editForm = (): Promise<Response> => {
  const body = new FormData();
  body.append('prompt', 'make it blue');
  body.append('image', new Blob([new Uint8Array(pngOf(64, 64))]), 'a.png');
  return fetch(`${current().url}/openai/v1/images/edits`, {
    method: 'POST',
    body,
    headers: { authorization: 'Bearer k' },
  });
};

const drawing = { ...pictures, quality: 'low', size: '1024x1024' };
const messages = [{ role: 'user', content: 'hello' }];

test.each<[string, () => Promise<Response>]>([
  ['an image', () => post('/images/generations', drawing)],
  ['an edited image', editForm],
  ['speech', () => post('/audio/speech', words)],
  ['a chat', () => post('/chat/completions', { model: 'gpt-4o', messages })],
  ['a response', () => post('/responses', { model: 'gpt-4o', input: 'hello' })],
  ['a background response', () => post('/responses', { model: 'gpt-4o', input: 'hello', background: true })],
  ['a video', videoForm],
  ['a chat through a gateway', () => post('/gateway/chat/completions', { model: 'openai/gpt-4o', messages })],
])('%s goes wrong in every way', async (_, submit) => {
  expect(await outcomesOf(current(), 'openai', submit)).toEqual(usualOutcomes);
});

test('works as a gateway, which wants a prefix and books without it', async () => {
  const chat = await clientOf('sk-test', '/gateway').chat.completions.create({
    model: 'openai/gpt-4o-mini',
    messages: [{ role: 'user', content: 'hello' }],
  });
  expect(chat.choices).toHaveLength(1);
  expect(await current().ledger()).toMatchObject([
    { model: 'gpt-4o-mini', notes: ['through a gateway as openai/gpt-4o-mini'] },
  ]);
  const bare = await post('/gateway/chat/completions', { model: 'gpt-4o-mini', messages });
  expect([bare.status, JSON.stringify(await readJson(bare))]).toEqual([
    400,
    expect.stringContaining('openai/gpt-4o-mini'),
  ]);
  const direct = await post('/chat/completions', { model: 'openai/gpt-4o-mini', messages });
  expect(direct.status).toBe(404);
});

test('takes the prefix and its key by the header of Cloudflare’s gateway, and hides that key', async () => {
  const headers = { 'cf-aig-authorization': 'Bearer gateway-secret' };
  const url = `${current().url}/openai/v1/chat/completions`;
  expect((await postJson(url, { model: 'openai/gpt-4o-mini', messages }, headers)).status).toBe(200);
  expect((await postJson(url, { model: 'gpt-4o-mini', messages }, headers)).status).toBe(200);
  expect((await current().ledger()).map(({ notes }) => (notes as string[]).length)).toEqual([1, 0]);
  expect(JSON.stringify(await current().requests())).not.toContain('gateway-secret');
});
