import { readRefusal, toOutcome } from '../../../src/providers/elevenlabs/wire';
import { makeReadyInput, modelOf, thrownBy } from '../../support/provider-calls';

const speech = modelOf('elevenlabs/eleven_flash_v2_5');
const refused = (status: number, body: unknown) => ({ status, headers: {}, text: JSON.stringify(body) });
const detail = (status: string) => ({ detail: { status, message: 'm' } });

test.each([
  [401, detail('quota_exceeded'), 'provider_insufficient_funds', 'credential', 'no'],
  [401, detail('invalid_api_key'), 'provider_auth', 'credential', 'no'],
  [403, detail('only_for_creator+'), 'provider_auth', 'credential', 'no'],
  [400, detail('voice_not_found'), 'caller_invalid_request', 'request', 'no'],
  [404, detail('voice_not_found'), 'caller_invalid_request', 'request', 'no'],
  [400, detail('max_character_limit_exceeded'), 'caller_invalid_request', 'request', 'no'],
  [422, { detail: [{ loc: ['body'], msg: 'bad', type: 'x' }] }, 'caller_invalid_request', 'request', 'no'],
  [429, detail('too_many_concurrent_requests'), 'provider_rate_limited', 'credential', 'no'],
  [429, detail('system_busy'), 'provider_overloaded', 'provider', 'no'],
  [500, {}, 'provider_server_error', 'provider', 'unknown'],
  [503, {}, 'provider_overloaded', 'provider', 'unknown'],
])('reads %d %j as %s of the %s, accepted %s', (status, body, code, scope, accepted) => {
  expect(readRefusal(refused(status, body), 'submit')).toMatchObject({ code, scope, accepted });
});

test.each([
  ['text/html', new Uint8Array(5)],
  ['application/json', new Uint8Array(5)],
  ['audio/mpeg', new Uint8Array()],
  ['audio/mpeg', new Uint8Array(Buffer.from('{}'))],
  [null, new Uint8Array(5)],
])('does not take %s for speech', (contentType, bytes) => {
  expect(
    thrownBy(() => toOutcome({ bytes, contentType, characterCost: null }, speech, makeReadyInput())),
  ).toMatchObject({
    code: 'provider_bad_response',
    accepted: 'unknown',
  });
});

test.each([
  ['as many as the text has', null, 25],
  ['fewer: a fast model, whose price knows it', '13', 25],
  ['more: a dear voice', '50', 50],
])('counts the characters of %s', (_case, characterCost, characters) => {
  const spoken = { bytes: new Uint8Array(Buffer.from('ID3')), contentType: 'audio/mpeg', characterCost };
  expect(toOutcome(spoken, speech, makeReadyInput())).toMatchObject({ usage: { characters, seconds: null } });
});

test('counts the seconds of a sound', () => {
  const spoken = { bytes: new Uint8Array(Buffer.from('ID3')), contentType: 'audio/mpeg', characterCost: '200' };
  const sound = modelOf('elevenlabs/eleven_text_to_sound_v2');
  expect(toOutcome(spoken, sound, makeReadyInput({ durationSeconds: 2 }))).toMatchObject({
    usage: { characters: null, seconds: 2 },
  });
});
