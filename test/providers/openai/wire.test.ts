import { parseGoDuration, readRefusal, toChatOutcome, toImageOutcome } from '../../../src/providers/openai/wire';
import { makeInput, thrownBy } from '../../support/provider-calls';

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
  expect(thrownBy(() => toImageOutcome(body, makeInput()))).toMatchObject({ code: 'provider_bad_response' });
});
