import { readRefusal, toBinaryOutcome, toImageOutcome, toTextOutcome } from '../../../src/providers/cloudflare/wire';
import { makeReadyInput, modelOf, thrownBy, tinyPng } from '../../support/provider-calls';

type Told = readonly (readonly [code: number, message: string])[];

const refused = (status: number, told: Told, headers: Record<string, string> = {}) => ({
  status,
  headers,
  text: JSON.stringify({
    success: false,
    errors: told.map(([code, message]) => ({ code, message })),
    messages: [],
    result: null,
  }),
});

const nsfw = 'AiError: AiError: Input prompt contains NSFW content. (4c0e)';
const flagged = 'AiError: Your output has been flagged. Please choose another prompt / input image combination';

test.each([
  [400, [[5007, 'No such model']], 'provider_model_not_found', 'model', 'no'],
  [400, [[5028, 'This model was deprecated on 2026-05-30.']], 'provider_model_not_found', 'model', 'no'],
  [404, [[3042, 'The model name is invalid']], 'provider_model_not_found', 'model', 'no'],
  [400, [[5004, 'Invalid data']], 'caller_invalid_request', 'request', 'no'],
  [400, [[3003, 'Incomplete request']], 'caller_invalid_request', 'request', 'no'],
  [400, [[5021, 'exceeded this model context window limit']], 'caller_invalid_request', 'request', 'no'],
  [400, [[5024, "JSON Mode couldn't be met"]], 'caller_invalid_request', 'request', 'no'],
  [400, [[3030, nsfw]], 'provider_content_rejected', 'request', 'no'],
  [400, [[3030, flagged]], 'provider_content_rejected', 'request', 'no'],
  [400, [[3030, 'AiError: 400 Bad Request']], 'caller_invalid_request', 'request', 'no'],
  [400, [[7000, 'No route for that URI']], 'caller_invalid_request', 'request', 'no'],
  [
    404,
    [
      [7003, 'Could not route'],
      [7000, 'No route'],
    ],
    'provider_auth',
    'credential',
    'no',
  ],
  [
    400,
    [
      [7000, 'No route'],
      [7003, 'Could not route'],
    ],
    'provider_auth',
    'credential',
    'no',
  ],
  [400, [[6003, 'Invalid request headers']], 'provider_auth', 'credential', 'no'],
  [401, [[10000, 'Authentication error']], 'provider_auth', 'credential', 'no'],
  [403, [[10000, 'Authentication error']], 'provider_auth', 'credential', 'no'],
  [403, [[3023, 'Service unavailable for account']], 'provider_auth', 'credential', 'no'],
  [403, [[5016, 'User has not agreed to the terms']], 'provider_auth', 'model', 'no'],
  [403, [[5018, 'The account is not allowed to access this model']], 'provider_auth', 'model', 'no'],
  [403, [[3041, 'The account is not allowed to access this model']], 'provider_auth', 'model', 'no'],
  [405, [[5019, 'Deprecated SDK version']], 'caller_invalid_request', 'request', 'no'],
  [408, [[3007, 'Request timeout']], 'provider_timeout', 'provider', 'unknown'],
  [413, [[3006, 'Request is too large']], 'caller_invalid_request', 'request', 'no'],
  [429, [[3036, 'You have used up your daily free allocation']], 'provider_insufficient_funds', 'credential', 'no'],
  [429, [[3040, 'Capacity temporarily exceeded']], 'provider_overloaded', 'model', 'no'],
  [429, [[3021, 'requests per minute exceeded']], 'provider_rate_limited', 'credential', 'no'],
  [500, [[3043, 'Internal server error']], 'provider_server_error', 'provider', 'unknown'],
  [500, [[3040, 'Capacity temporarily exceeded']], 'provider_overloaded', 'model', 'no'],
  [503, [], 'provider_overloaded', 'provider', 'no'],
  [524, [], 'provider_server_error', 'provider', 'unknown'],
] as [number, Told, string, string, string][])('reads %d %j as %s of the %s, accepted %s', (status, told, ...rest) => {
  const [code, scope, accepted] = rest;
  expect(readRefusal(refused(status, told), 'submit')).toMatchObject({ code, scope, accepted });
});

const usedUp: Told = [[3036, 'You have used up your daily free allocation of 10,000 neurons.']];
const hourMs = 3_600_000;

test.each([
  ["until midnight by the provider's clock", { date: 'Sat, 21 Nov 2026 22:30:00 GMT' }, 1.5 * hourMs],
  ['until midnight by ours', {}, 6 * hourMs],
  ['as long as it says', { 'retry-after': '60', date: 'Sat, 21 Nov 2026 22:30:00 GMT' }, 60_000],
])('waits for the allocation of the next day %s', (_how, headers, retryAfterMs) => {
  const answer = refused(429, usedUp, headers);
  expect(readRefusal(answer, 'submit', Date.parse('2026-11-21T18:00:00Z'))).toMatchObject({ retryAfterMs });
});

test('knows no time for other refusals', () => {
  const answer = refused(429, [[3040, 'Capacity']], { date: 'Sat, 21 Nov 2026 22:30:00 GMT' });
  expect(readRefusal(answer, 'submit').retryAfterMs).toBeNull();
});

const llama = modelOf('cloudflare/llama-3.3-70b-instruct-fp8-fast');
const envelope = (result: unknown) => ({ result, success: true, errors: [], messages: [] });
const cut = ['the text was cut at the token limit'];
const failed = (code: number, message: string) => ({ success: false, errors: [{ code, message }], result: null });
const write = (body: unknown, maxTokens: number | null = null) =>
  toTextOutcome(body, llama, makeReadyInput({ maxTokens }));

test.each([
  ['its own form', { response: 'Hi' }, []],
  ["OpenAI's form", { choices: [{ message: { content: 'Hi', reasoning_content: 'hm' }, finish_reason: 'stop' }] }, []],
  ["OpenAI's form, cut", { choices: [{ message: { content: 'Hi' }, finish_reason: 'length' }] }, cut],
  ['its own form, with as many tokens as were allowed', { response: 'Hi', usage: { completion_tokens: 50 } }, cut],
  ['its own form, with fewer', { response: 'Hi', usage: { completion_tokens: 49 } }, []],
])('reads a text in %s', (_form, result, warnings) => {
  expect(write(envelope(result), 50)).toMatchObject({
    state: 'succeeded',
    outputs: [{ kind: 'text', text: 'Hi' }],
    warnings,
  });
});

test('hands over a JSON list as its text', () => {
  expect(write(envelope({ response: [1, 'two'] }))).toMatchObject({ outputs: [{ text: '[1,"two"]' }] });
});

const lost = { code: 'provider_bad_response', accepted: 'unknown' };

test.each([
  {},
  '<html>',
  null,
  envelope(null),
  envelope({}),
  envelope({ response: '' }),
  envelope({ response: 7 }),
  failed(3043, 'Internal server error'),
  { success: false, errors: [], result: { response: 'Hi' } },
])('does not take %j for a text', (body) => {
  expect(thrownBy(() => write(body))).toMatchObject(lost);
});

test.each([
  {},
  envelope({}),
  envelope({ image: '' }),
  envelope({ image: 'bm8gaW1hZ2U=' }),
  envelope({ image: tinyPng.slice(1) }),
])('does not take %j for an image', (body) => {
  expect(thrownBy(() => toImageOutcome(body))).toMatchObject(lost);
});

test('reads a refusal of the content that comes as a success', () => {
  const rejected = { code: 'provider_content_rejected', accepted: 'no', scope: 'request' };
  expect(thrownBy(() => toImageOutcome(failed(3030, nsfw)))).toMatchObject(rejected);
  const bytes = new Uint8Array(Buffer.from(JSON.stringify(failed(3030, nsfw))));
  expect(thrownBy(() => toBinaryOutcome(bytes, 'application/json'))).toMatchObject(rejected);
});

test.each([
  ['image/png', Buffer.from(tinyPng, 'base64')],
  ['image/jpeg', Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 0x10])],
  ['image/webp', Buffer.from('RIFF\x10\x00\x00\x00WEBPVP8 ', 'latin1')],
])('sees by its beginning that it is %s', (contentType, bytes) => {
  expect(toBinaryOutcome(bytes, 'image/png')).toMatchObject({ outputs: [{ contentType }] });
});

test.each([
  ['a page', 'text/html', '<html>'],
  ['an envelope', 'application/json', JSON.stringify(failed(3043, 'no'))],
  ['a JSON text', 'application/json', '{}'],
])('does not take %s for the image itself', (_what, contentType, text) => {
  expect(thrownBy(() => toBinaryOutcome(new Uint8Array(Buffer.from(text)), contentType))).toMatchObject(lost);
});
