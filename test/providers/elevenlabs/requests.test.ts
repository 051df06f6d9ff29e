import { createElevenlabs } from '../../../src/providers/elevenlabs';
import { useRecordedProvider } from '../../support/golden';
import { makeCall, makeReadyInput, modelOf, secret } from '../../support/provider-calls';
import { json } from '../../support/recording-server';

const current = useRecordedProvider(createElevenlabs);

const audio =
  (headers: Record<string, string>, bytes = 'ID3sound') =>
  (response: import('node:http').ServerResponse) =>
    void response.writeHead(200, { 'content-type': 'audio/mpeg', ...headers }).end(bytes);

test('speaks with the default voice and counts what was charged', async () => {
  current.server.answer(audio({ 'character-cost': '25', 'request-id': 'r-7' }));
  const call = makeCall(`${current.server.url}/elevenlabs`);
  const outcome = await current.provider.submit(modelOf('elevenlabs/eleven_multilingual_v2'), makeReadyInput(), call);
  expect(outcome).toMatchObject({
    state: 'succeeded',
    outputs: [{ kind: 'bytes', contentType: 'audio/mpeg', bytes: new Uint8Array(Buffer.from('ID3sound')) }],
    usage: { characters: 25 },
  });
  expect(call.exchanges).toMatchObject([{ status: 200, requestId: 'r-7' }]);
  expect(current.server.requests).toMatchObject([
    {
      method: 'POST',
      path: '/elevenlabs/v1/text-to-speech/21m00Tcm4TlvDq8ikWAM?output_format=mp3_44100_128',
      headers: { 'xi-api-key': secret, connection: 'close' },
    },
  ]);
  expect(current.server.requests[0]?.body).toEqual({
    text: 'a red bicycle in the rain',
    model_id: 'eleven_multilingual_v2',
  });
});

test('speaks with the voice, format and seed asked for', async () => {
  current.server.answer(audio({}));
  const input = makeReadyInput({ voice: 'v/1', format: 'pcm_16000', seed: 7 });
  const outcome = await current.provider.submit(
    modelOf('elevenlabs/eleven_flash_v2_5'),
    input,
    makeCall(current.server.url),
  );
  expect(outcome).toMatchObject({ outputs: [{ contentType: 'audio/pcm' }], usage: { characters: 25 } });
  expect(current.server.requests).toMatchObject([
    { path: '/v1/text-to-speech/v%2F1?output_format=pcm_16000', body: { model_id: 'eleven_flash_v2_5', seed: 7 } },
  ]);
});

test('sends of the voice settings what was set', async () => {
  current.server.answer(audio({}));
  const voiceSettings = { stability: 0.4, similarityBoost: 0.8, style: null, useSpeakerBoost: false, speed: 1.1 };
  const call = makeCall(current.server.url);
  await current.provider.submit(modelOf('elevenlabs/eleven_v4'), makeReadyInput({ voiceSettings }), call);
  expect(current.server.requests[0]?.body).toEqual({
    text: 'a red bicycle in the rain',
    model_id: 'eleven_v4',
    voice_settings: { stability: 0.4, similarity_boost: 0.8, use_speaker_boost: false, speed: 1.1 },
  });
});

test('makes a sound of a length', async () => {
  current.server.answer(audio({ 'character-cost': '100' }));
  const call = makeCall(`${current.server.url}/elevenlabs`);
  const input = makeReadyInput({ task: 'sound_effect', durationSeconds: 2.5, format: 'mp3_22050_32' });
  const outcome = await current.provider.submit(modelOf('elevenlabs/eleven_text_to_sound_v2'), input, call);
  expect(outcome).toMatchObject({ state: 'succeeded', usage: { seconds: 2.5, characters: null } });
  expect(current.server.requests).toMatchObject([
    {
      method: 'POST',
      path: '/elevenlabs/v1/sound-generation?output_format=mp3_22050_32',
      headers: { 'xi-api-key': secret, connection: 'close' },
    },
  ]);
  expect(current.server.requests[0]?.body).toEqual({
    text: input.prompt,
    model_id: 'eleven_text_to_sound_v2',
    duration_seconds: 2.5,
  });
});

test('tries a key on the list of models', async () => {
  const call = makeCall(`${current.server.url}/elevenlabs`);
  current.server.answer(json([{ model_id: 'eleven_v4', name: 'Eleven v4' }]));
  expect(await current.provider.probe(call)).toEqual({ model: null });
  expect(current.server.requests).toMatchObject([
    { method: 'GET', path: '/elevenlabs/v1/models', headers: { 'xi-api-key': secret } },
  ]);
  current.server.answer(json({ detail: { status: 'invalid_api_key', message: 'm' } }, 401));
  await expect(current.provider.probe(call)).rejects.toMatchObject({ code: 'provider_auth', scope: 'credential' });
  current.server.answer(json({ detail: 'a page' }));
  await expect(current.provider.probe(call)).rejects.toMatchObject({ code: 'provider_bad_response' });
});
