import { createElevenlabs } from '../../../src/providers/elevenlabs';
import { useRecordedProvider } from '../../support/golden';
import { makeCall, makeInput, modelOf, secret } from '../../support/provider-calls';

const current = useRecordedProvider(createElevenlabs);

const audio =
  (headers: Record<string, string>, bytes = 'ID3sound') =>
  (response: import('node:http').ServerResponse) =>
    void response.writeHead(200, { 'content-type': 'audio/mpeg', ...headers }).end(bytes);

test('speaks with the default voice and counts what was charged', async () => {
  current.server.answer(audio({ 'character-cost': '25', 'request-id': 'r-7' }));
  const call = makeCall(`${current.server.url}/elevenlabs`);
  const outcome = await current.provider.submit(modelOf('elevenlabs/eleven_multilingual_v2'), makeInput(), call);
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
  const input = makeInput({ voice: 'v/1', format: 'pcm_16000', seed: 7 });
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
