import { toChatOutcome } from '../../../src/providers/openai/chat';
import { toConnection } from '../../../src/providers/openai/gateway';
import { toImageOutcome } from '../../../src/providers/openai/images';
import { toResponseCancellation, toResponseOutcome } from '../../../src/providers/openai/responses';
import { toSpeechOutcome } from '../../../src/providers/openai/speech';
import { toVideoOutcome } from '../../../src/providers/openai/videos';
import { checkModel, parseGoDuration, readRefusal } from '../../../src/providers/openai/wire';
import { makeCall, makeReadyInput, secret, thrownBy } from '../../support/provider-calls';

const refused = (status: number, error: Record<string, unknown>, headers: Record<string, string> = {}) => ({
  status,
  headers,
  text: JSON.stringify({ error: { message: 'm', type: null, param: null, code: null, ...error } }),
});

test.each([
  [401, { code: 'invalid_api_key' }, 'provider_auth', 'no'],
  [404, { code: 'model_not_found' }, 'provider_model_not_found', 'no'],
  [429, { code: 'rate_limit_exceeded' }, 'provider_rate_limited', 'no'],
  [429, { code: 'insufficient_quota', type: 'insufficient_quota' }, 'provider_insufficient_funds', 'no'],
  [400, { code: 'billing_hard_limit_reached' }, 'provider_insufficient_funds', 'no'],
  [400, { code: 'moderation_blocked' }, 'provider_content_rejected', 'no'],
  [400, { code: 'content_policy_violation' }, 'provider_content_rejected', 'no'],
  [400, { code: 'invalid_value' }, 'caller_invalid_request', 'no'],
  [500, {}, 'provider_server_error', 'unknown'],
  [502, {}, 'provider_server_error', 'unknown'],
  [503, {}, 'provider_overloaded', 'no'],
])('reads %d %j as %s, accepted %s', (status, error, code, accepted) => {
  expect(readRefusal(refused(status, error), 'submit')).toMatchObject({ code, accepted });
});

test.each([
  [{ 'retry-after': '2' }, 2_000],
  [{ 'retry-after-ms': '150', 'retry-after': '2' }, 150],
  [{ 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '6m0s' }, 360_000],
  [{ 'x-ratelimit-remaining-tokens': '5', 'x-ratelimit-reset-tokens': '6m0s' }, null],
])('reads when to come back from %j', (headers, expected) => {
  expect(readRefusal(refused(429, {}, headers as Record<string, string>), 'submit').retryAfterMs).toBe(expected);
});

test.each([
  ['120ms', 120],
  ['6m0s', 360_000],
  ['1h2m3.5s', 3_723_500],
  ['soon', null],
])('reads the duration %s', (text, expected) => {
  expect(parseGoDuration(text)).toBe(expected);
});

const chat = (message: unknown, finish_reason = 'stop') => ({ choices: [{ message, finish_reason }] });

test('reads refusals in both forms', () => {
  const refusal = { state: 'failed', code: 'provider_content_rejected' };
  expect(toChatOutcome(chat({ content: null, refusal: 'I cannot' }))).toMatchObject(refusal);
  expect(toChatOutcome(chat({ content: '' }, 'content_filter'))).toMatchObject(refusal);
});

test('warns when the text was cut', () => {
  expect(toChatOutcome(chat({ content: 'half' }, 'length'))).toMatchObject({
    warnings: ['the text was cut at the token limit'],
  });
});

test.each([{}, '<html>', { choices: [] }, chat({ content: null })])('does not take %j for a completion', (body) => {
  expect(thrownBy(() => toChatOutcome(body))).toMatchObject({ code: 'provider_bad_response', accepted: 'unknown' });
});

test.each([{}, { data: [] }, { data: [{}] }])('does not take %j for images', (body) => {
  expect(thrownBy(() => toImageOutcome(body, makeReadyInput()))).toMatchObject({ code: 'provider_bad_response' });
});

test('takes an image by its link too', () => {
  expect(toImageOutcome({ data: [{ url: 'https://x/a.png' }] }, makeReadyInput())).toMatchObject({
    outputs: [{ kind: 'url', url: 'https://x/a.png', contentType: null }],
  });
});

const message = (...content: unknown[]) => [{ type: 'reasoning' }, { type: 'message', content }];
const text = { type: 'output_text', text: 'A bicycle.' };
const response = (status: string, rest: Record<string, unknown> = {}) => ({ id: 'resp_1', status, ...rest });

test.each([
  ['waiting work', response('queued'), { state: 'pending', operation: { id: 'resp_1' } }],
  ['running work', response('in_progress'), { state: 'pending', operation: { id: 'resp_1' } }],
  ['cancelled work', response('cancelled'), { state: 'canceled' }],
  [
    'the text',
    response('completed', { output: message(text, text), usage: { input_tokens: 3, output_tokens: 4 } }),
    { state: 'succeeded', outputs: [{ text: 'A bicycle.A bicycle.' }], usage: { inputTokens: 3, outputTokens: 4 } },
  ],
  [
    'a refusal',
    response('completed', { output: message({ type: 'refusal', refusal: 'no' }) }),
    { state: 'failed', code: 'provider_content_rejected' },
  ],
  [
    'a cut text',
    response('incomplete', { output: message(text), incomplete_details: { reason: 'max_output_tokens' } }),
    { state: 'succeeded', warnings: ['the text was cut at the token limit'] },
  ],
  [
    'a withheld text',
    response('incomplete', { output: message(text), incomplete_details: { reason: 'content_filter' } }),
    { state: 'failed', code: 'provider_content_rejected' },
  ],
  [
    'a failure',
    response('failed', { error: { code: 'server_error', message: 'm' } }),
    { state: 'failed', code: 'provider_failed', message: 'm' },
  ],
  [
    'a prompt against the rules',
    response('failed', { error: { code: 'invalid_prompt' } }),
    { code: 'provider_content_rejected' },
  ],
  [
    'an unreadable image',
    response('failed', { error: { code: 'image_parse_error' } }),
    { code: 'caller_invalid_request' },
  ],
])('reads %s from a response', (_name, body, expected) => {
  expect(toResponseOutcome(body)).toMatchObject(expected);
});

test.each([{}, '<html>', response('new'), response('completed', { output: [] })])(
  'does not take %j for a response',
  (body) => {
    expect(thrownBy(() => toResponseOutcome(body))).toMatchObject({ code: 'provider_bad_response' });
  },
);

test.each([
  ['cancelled', 'confirmed'],
  ['in_progress', 'requested'],
  ['completed', 'too_late'],
])('takes a cancel answered by %s as %s', (status, expected) => {
  expect(toResponseCancellation(response(status))).toBe(expected);
});

test('reads a video that is made, and where the key fetches it', () => {
  const base = 'https://api.openai.com/v1';
  expect(toVideoOutcome({ id: 'v/1', status: 'in_progress', progress: 40 }, base)).toEqual({
    state: 'pending',
    operation: { id: 'v/1' },
    progress: 40,
  });
  expect(toVideoOutcome({ id: 'v/1', status: 'completed', seconds: '8' }, base)).toMatchObject({
    state: 'succeeded',
    outputs: [{ url: `${base}/videos/v%2F1/content`, credentialHeader: { name: 'authorization', scheme: 'Bearer' } }],
    usage: { seconds: 8 },
  });
  const failed = (code: string) => toVideoOutcome({ id: 'v', status: 'failed', error: { code, message: 'm' } }, base);
  expect(failed('moderation_blocked')).toMatchObject({ state: 'failed', code: 'provider_content_rejected' });
  expect(failed('x')).toMatchObject({ state: 'failed', code: 'provider_failed', message: 'm' });
  expect(thrownBy(() => toVideoOutcome({}, base))).toMatchObject({ code: 'provider_bad_response' });
});

test.each([
  ['mp3', 'audio/mpeg', 'ID3'],
  ['opus', 'audio/ogg', 'OggS'],
  ['flac', 'audio/flac', 'fLaC'],
  ['wav', 'audio/wav', 'RIFF'],
])('takes %s for %s only where it starts like it', (format, contentType, beginning) => {
  const input = makeReadyInput({ format });
  const spoken = (start: string, type: string | null) => ({
    bytes: new Uint8Array(Buffer.from(start)),
    contentType: type,
  });
  expect(toSpeechOutcome(spoken(beginning, contentType), input)).toMatchObject({
    outputs: [{ contentType }],
    usage: { characters: 25 },
  });
  for (const wrong of [spoken('{"a"', contentType), spoken(beginning, 'text/html'), spoken(beginning, null)])
    expect(thrownBy(() => toSpeechOutcome(wrong, input))).toMatchObject({ code: 'provider_bad_response' });
});

test('does not take a page for a model', () => {
  expect(thrownBy(() => checkModel('<html>'))).toMatchObject({ code: 'provider_bad_response' });
});

const through = (url: string, key: string | null) =>
  toConnection(
    makeCall('', { credential: { alias: 'a', secret, baseUrl: null, gateway: { url, key, modelPrefix: 'openai/' } } }),
  );

test.each([
  ['https://gateway.ai.cloudflare.com/v1/acc/gw/openai', 'token'],
  ['https://ai.example.com/v1', 'cf-aig-token'],
])('knows Cloudflare at %s', (url, key) => {
  expect(through(url, key)).toMatchObject({
    baseUrl: url,
    key: secret,
    headers: {
      'cf-aig-authorization': `Bearer ${key}`,
      'cf-aig-skip-cache': 'true',
      'cf-aig-max-attempts': '1',
      'cf-aig-metadata': '{"trace":"gen_1/attempt/1"}',
    },
    body: {},
  });
});

test.each([
  ['https://ai-gateway.vercel.sh/v1', 'token'],
  ['https://ai.example.com/v1', 'vck_token'],
])('knows Vercel at %s', (url, key) => {
  expect(through(url, key)).toMatchObject({
    key,
    headers: {},
    body: { providerOptions: { gateway: { only: ['openai'] } } },
  });
});

test('takes any other gateway for one that wants its own key, else ours', () => {
  expect(through('https://ai.example.com/v1', 'own')).toMatchObject({ key: 'own', headers: {}, body: {} });
  expect(through('https://ai.example.com/v1', null)).toMatchObject({ key: secret });
});
