import {
  collectChat,
  parseDuration,
  readRefusal,
  toChatOutcome,
  toSpeechOutcome,
} from '../../../src/providers/groq/wire';
import { makeReadyInput, thrownBy } from '../../support/provider-calls';

const refused = (status: number, error: Record<string, unknown>, headers: Record<string, string> = {}) => ({
  status,
  headers,
  text: JSON.stringify({ error: { message: 'm', type: 'invalid_request_error', ...error } }),
});

test.each([
  [400, {}, 'caller_invalid_request', 'request', 'no'],
  [400, { code: 'json_validate_failed' }, 'caller_invalid_request', 'request', 'no'],
  [400, { code: 'blocked_api_access' }, 'provider_insufficient_funds', 'credential', 'no'],
  [400, { code: 'spend_limit_reached' }, 'provider_insufficient_funds', 'credential', 'no'],
  [400, { code: 'model_terms_required' }, 'provider_auth', 'model', 'no'],
  [400, { code: 'model_decommissioned' }, 'provider_model_not_found', 'model', 'no'],
  [400, { code: 'content_policy_violation' }, 'provider_content_rejected', 'request', 'no'],
  [401, { code: 'invalid_api_key' }, 'provider_auth', 'credential', 'no'],
  [403, {}, 'provider_auth', 'credential', 'no'],
  [404, { code: 'model_not_found' }, 'provider_model_not_found', 'model', 'no'],
  [413, { type: 'tokens', code: 'rate_limit_exceeded' }, 'caller_invalid_request', 'request', 'no'],
  [422, {}, 'caller_invalid_request', 'request', 'no'],
  [424, { type: 'failed_dependency' }, 'provider_server_error', 'provider', 'unknown'],
  [429, { type: 'tokens', code: 'rate_limit_exceeded' }, 'provider_rate_limited', 'credential', 'no'],
  [498, { type: 'capacity_exceeded', code: 'capacity_exceeded' }, 'provider_overloaded', 'provider', 'no'],
  [498, {}, 'provider_overloaded', 'provider', 'no'],
  [499, {}, 'provider_timeout', 'provider', 'unknown'],
  [500, {}, 'provider_server_error', 'provider', 'unknown'],
  [502, {}, 'provider_server_error', 'provider', 'unknown'],
  [503, {}, 'provider_overloaded', 'provider', 'no'],
])('reads %d %j as %s of the %s, accepted %s', (status, error, code, scope, accepted) => {
  expect(readRefusal(refused(status, error), 'submit')).toMatchObject({ code, scope, accepted });
});

test.each([
  ['retry-after', { 'retry-after': '2', 'x-ratelimit-remaining-tokens': '0' }, 2_000],
  [
    'the window that is used up',
    {
      'x-ratelimit-remaining-requests': '14000',
      'x-ratelimit-reset-requests': '23h59m59s',
      'x-ratelimit-remaining-tokens': '0',
      'x-ratelimit-reset-tokens': '7.66s',
    },
    7_660,
  ],
  ['the day', { 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '2m59.56s' }, 179_560],
  ['nothing', { 'x-ratelimit-remaining-requests': '5', 'x-ratelimit-reset-requests': '2m59.56s' }, null],
])('reads when to come back from %s', (_what, headers, retryAfterMs) => {
  expect(readRefusal(refused(429, {}, headers as Record<string, string>), 'submit')).toMatchObject({ retryAfterMs });
});

test.each([
  ['120ms', 120],
  ['2m59.56s', 179_560],
  ['1d2h', 93_600_000],
  ['soon', null],
])('reads the duration %s', (text, expected) => {
  expect(parseDuration(text)).toBe(expected);
});

const chat = (message: unknown, finish_reason = 'stop') => ({ choices: [{ message, finish_reason }] });

test('leaves out what was thought beside the text', () => {
  expect(toChatOutcome(chat({ content: 'Hi', reasoning: 'hm' }))).toMatchObject({
    outputs: [{ kind: 'text', text: 'Hi' }],
    usage: { inputTokens: null, outputTokens: null },
    warnings: [],
  });
});

test('warns when the text was cut, be it before the first word', () => {
  const warnings = ['the text was cut at the token limit'];
  expect(toChatOutcome(chat({ content: 'half' }, 'length'))).toMatchObject({ state: 'succeeded', warnings });
  expect(toChatOutcome(chat({ content: '' }, 'length'))).toMatchObject({ state: 'succeeded', warnings });
});

test.each([{}, '<html>', null, { choices: [] }, chat({ content: null }), chat('Hi')])(
  'does not take %j for a completion',
  (body) => {
    expect(thrownBy(() => toChatOutcome(body))).toMatchObject({ code: 'provider_bad_response', accepted: 'unknown' });
  },
);

test('counts a stream by its last piece, wherever the usage stands', async () => {
  const last = { choices: [], usage: { prompt_tokens: 3, completion_tokens: 4 } };
  const first = { choices: [{ delta: { content: 'Hi' }, finish_reason: 'stop' }] };
  expect(await collectChat(ReadableStream.from([first, last]), () => undefined)).toMatchObject({
    outputs: [{ text: 'Hi' }],
    usage: { inputTokens: 3, outputTokens: 4 },
  });
});

const wav = new Uint8Array(Buffer.from('RIFF\x24\x00\x00\x00WAVEfmt ', 'latin1'));

test.each([
  ['a JSON text', wav, 'application/json'],
  ['no type', wav, null],
  ['a page', new Uint8Array(Buffer.from('<html>')), 'audio/wav'],
  ['an MP3', new Uint8Array(Buffer.from('ID3\x04\x00\x00\x00\x00\x00\x00\x00\x00')), 'audio/mpeg'],
])('does not take %s for speech', (_what, bytes, contentType) => {
  const read = () => toSpeechOutcome({ bytes, contentType }, makeReadyInput());
  expect(thrownBy(read)).toMatchObject({ code: 'provider_bad_response', accepted: 'unknown' });
});
