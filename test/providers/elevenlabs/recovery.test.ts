import { createElevenlabs } from '../../../src/providers/elevenlabs';
import type { Operation, Sent } from '../../../src/providers/provider';
import { useRecordedProvider } from '../../support/golden';
import { makeCall, makeInput, modelOf, secret } from '../../support/provider-calls';
import { json } from '../../support/recording-server';

const current = useRecordedProvider(createElevenlabs);
const speech = modelOf('elevenlabs/eleven_multilingual_v2');
const call = () => makeCall(`${current.server.url}/elevenlabs`);
const prompt = 'a red bicycle in the rain';
const longAgo = new Date('2026-11-21T10:00:00Z');
const sentSeconds = longAgo.getTime() / 1_000;

const item = (overrides: Record<string, unknown> = {}) => ({
  history_item_id: 'h-1',
  request_id: 'r-1',
  voice_id: '21m00Tcm4TlvDq8ikWAM',
  model_id: 'eleven_multilingual_v2',
  text: prompt,
  date_unix: sentSeconds + 2,
  character_count_change_from: 100,
  character_count_change_to: 150,
  content_type: 'audio/mpeg',
  state: 'created',
  source: 'TTS',
  ...overrides,
});
const history = (...items: unknown[]) => json({ history: items, has_more: false, last_history_item_id: null });
const sent = (overrides: Partial<Sent['input']> = {}, at = longAgo): Sent => ({ at, input: makeInput(overrides) });
const find = (what = sent(), model = speech) => current.provider.find?.(model, what, call());
const found = { id: 'h-1', format: 'mp3_44100_128', characters: 25, credits: 50 };

test('finds by text, voice, model and time what was spoken', async () => {
  current.server.answer(history(item({ history_item_id: 'h-0', text: 'something else altogether' }), item()));
  expect(await find()).toEqual(found);
  const [request, ...others] = current.server.requests;
  expect(others).toEqual([]);
  expect(request).toMatchObject({ method: 'GET', headers: { 'xi-api-key': secret } });
  const url = new URL(request?.path ?? '', current.server.url);
  expect(url.pathname).toBe('/elevenlabs/v1/history');
  expect(Object.fromEntries(url.searchParams)).toEqual({
    page_size: '1000',
    voice_id: '21m00Tcm4TlvDq8ikWAM',
    model_id: 'eleven_multilingual_v2',
    date_after_unix: String(sentSeconds - 5),
    date_before_unix: String(sentSeconds + 300),
    sort_direction: 'asc',
    source: 'TTS',
  });
});

test('fetches the bytes of what it found, without speaking again', async () => {
  current.server.answer((response) => response.writeHead(200, { 'content-type': 'audio/mpeg' }).end('ID3sound'));
  expect(await current.provider.check?.(speech, found, call())).toMatchObject({
    state: 'succeeded',
    outputs: [{ kind: 'bytes', contentType: 'audio/mpeg', bytes: new Uint8Array(Buffer.from('ID3sound')) }],
    usage: { characters: 50 },
  });
  expect(current.server.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
    'GET /elevenlabs/v1/history/h-1/audio',
  ]);
});

test('counts the characters where the history does not tell what they cost', async () => {
  // the count of a month that begins anew in between
  current.server.answer(history(item({ character_count_change_from: 100, character_count_change_to: 50 })));
  expect(await find()).toEqual({ ...found, credits: null });
  current.server.answer((response) => response.writeHead(200, { 'content-type': 'audio/mpeg' }).end('ID3sound'));
  const look = (operation: Operation) => current.provider.check?.(speech, operation, call());
  expect(await look({ ...found, credits: null })).toMatchObject({ usage: { characters: 25 } });
  expect(await look({ id: 'h-1' })).toMatchObject({ state: 'succeeded', usage: { characters: null } });
});

test('says that an item is gone, and does not take a page for audio', async () => {
  current.server.answer(json({ detail: { status: 'history_item_not_found', message: 'm' } }, 404));
  await expect(current.provider.check?.(speech, found, call())).rejects.toMatchObject({ code: 'provider_result_lost' });
  current.server.answer((response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'));
  await expect(current.provider.check?.(speech, found, call())).rejects.toMatchObject({
    code: 'provider_bad_response',
  });
});

test.each([
  ['of another text', { text: `${prompt}!` }],
  ['of another voice', { voice_id: 'v-2' }],
  ['of another model', { model_id: 'eleven_v3' }],
  ['in another format', { output_format: 'pcm_16000' }],
  ['from before', { date_unix: sentSeconds - 6 }],
  ['from long after', { date_unix: sentSeconds + 300 }],
])('does not take an item %s', async (_name, difference) => {
  current.server.answer(history(item(difference)));
  expect(await find()).toBe('unknown');
});

test('cannot choose between two items, nor know what it was not shown', async () => {
  current.server.answer(history(item(), item({ history_item_id: 'h-2' })));
  expect(await find()).toBe('unknown');
  current.server.answer(json({ history: [item()], has_more: true }));
  expect(await find()).toBe('unknown');
});

test('does not ask for what proves nothing or is not listed', async () => {
  current.server.answer(history(item({ text: 'Hello.' })));
  expect(await find(sent({ prompt: 'Hello.' }))).toBe('unknown');
  expect(await find(sent(), modelOf('elevenlabs/eleven_text_to_sound_v2'))).toBe('unknown');
  expect(current.server.requests).toEqual([]);
});

test('wants to be asked again while the history may lag, and then does not know', async () => {
  current.server.answer(history());
  await expect(find(sent({}, new Date()))).rejects.toMatchObject({ code: 'provider_timeout', retryAfterMs: 15_000 });
  expect(await find()).toBe('unknown');
});

test('takes a history that is closed to the key for none, and trouble for trouble', async () => {
  current.server.answer(json({ detail: { status: 'missing_permissions', message: 'm' } }, 401));
  expect(await find()).toBe('unknown');
  current.server.answer(json({ detail: { status: 'internal_error', message: prompt } }, 500));
  const error: unknown = await find()?.catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'provider_server_error' });
  expect(String(error)).not.toContain(prompt);
});
