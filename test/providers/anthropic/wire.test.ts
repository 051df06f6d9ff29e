import { readRefusal, toOutcome } from '../../../src/providers/anthropic/wire';
import { thrownBy } from '../../support/provider-calls';

type Said = { type?: string; message?: string; code?: string };

const refused = (status: number, { type, message, code }: Said = {}, headers: Record<string, string> = {}) => ({
  status,
  headers,
  text: JSON.stringify({
    type: 'error',
    error: { type, message: message ?? 'm', ...(code !== undefined && { details: { error_code: code } }) },
    request_id: 'req_1',
  }),
});

const poor = 'Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing.';
const limited = 'You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.';

test.each([
  [400, { type: 'invalid_request_error' }, 'caller_invalid_request', 'request', 'no'],
  [400, { type: 'invalid_request_error', message: poor }, 'provider_insufficient_funds', 'credential', 'no'],
  [400, { type: 'invalid_request_error', message: limited }, 'provider_insufficient_funds', 'credential', 'no'],
  [
    400,
    { type: 'invalid_request_error', message: 'Output blocked by content filtering policy' },
    'provider_content_rejected',
    'request',
    'no',
  ],
  [400, { type: 'invalid_request_error', code: 'organization_on_hold' }, 'provider_auth', 'credential', 'no'],
  [401, { type: 'authentication_error' }, 'provider_auth', 'credential', 'no'],
  [402, { type: 'billing_error' }, 'provider_insufficient_funds', 'credential', 'no'],
  [403, { type: 'permission_error' }, 'provider_auth', 'credential', 'no'],
  [404, { type: 'not_found_error' }, 'provider_model_not_found', 'model', 'no'],
  [409, { type: 'conflict_error' }, 'provider_bad_response', 'provider', 'unknown'],
  [413, { type: 'request_too_large' }, 'caller_invalid_request', 'request', 'no'],
  [429, { type: 'rate_limit_error' }, 'provider_rate_limited', 'credential', 'no'],
  [
    429,
    { type: 'rate_limit_error', code: 'enforced_spend_limit_reached' },
    'provider_insufficient_funds',
    'credential',
    'no',
  ],
  [429, { type: 'rate_limit_error', code: 'ramp_limit_exceeded' }, 'provider_rate_limited', 'credential', 'no'],
  [500, { type: 'api_error' }, 'provider_server_error', 'provider', 'unknown'],
  [502, {}, 'provider_server_error', 'provider', 'unknown'],
  [503, {}, 'provider_overloaded', 'provider', 'no'],
  [504, { type: 'timeout_error' }, 'provider_timeout', 'provider', 'unknown'],
  [529, { type: 'overloaded_error' }, 'provider_overloaded', 'provider', 'no'],
  [529, {}, 'provider_overloaded', 'provider', 'no'],
])('reads %d %j as %s of the %s, accepted %s', (status, said, code, scope, accepted) => {
  expect(readRefusal(refused(status, said), 'submit')).toMatchObject({ code, scope, accepted });
});

const date = 'Sat, 21 Nov 2026 10:00:00 GMT';
const soon = '2026-11-21T10:00:12Z';
const later = '2026-11-21T10:01:00Z';

test.each([
  ['retry-after', { 'retry-after': '7', 'anthropic-ratelimit-requests-remaining': '0' }, 7_000],
  [
    'the windows that are used up',
    {
      date,
      'anthropic-ratelimit-requests-remaining': '0',
      'anthropic-ratelimit-requests-reset': soon,
      'anthropic-ratelimit-input-tokens-remaining': '0',
      'anthropic-ratelimit-input-tokens-reset': later,
      'anthropic-ratelimit-output-tokens-remaining': '5',
      'anthropic-ratelimit-output-tokens-reset': '2026-11-21T11:00:00Z',
    },
    60_000,
  ],
  ['nothing', { 'anthropic-ratelimit-requests-remaining': '5', 'anthropic-ratelimit-requests-reset': soon }, null],
])('reads when to come back from %s', (_what, headers, retryAfterMs) => {
  const answer = refused(429, { type: 'rate_limit_error' }, headers);
  expect(readRefusal(answer, 'submit')).toMatchObject({ retryAfterMs });
});

test('counts from our own clock where the answer has no date', () => {
  const headers = { 'anthropic-ratelimit-tokens-remaining': '0', 'anthropic-ratelimit-tokens-reset': later };
  const answer = refused(429, { type: 'rate_limit_error' }, headers);
  expect(readRefusal(answer, 'submit', Date.parse(soon)).retryAfterMs).toBe(48_000);
});

test('does not take a spend limit for one that passes soon', () => {
  const headers = { date, 'anthropic-ratelimit-requests-remaining': '0', 'anthropic-ratelimit-requests-reset': soon };
  const answer = refused(429, { type: 'rate_limit_error', code: 'enforced_spend_limit_reached' }, headers);
  expect(readRefusal(answer, 'submit').retryAfterMs).toBeNull();
});

const message = (stop_reason: unknown, ...content: unknown[]) => ({ content, stop_reason, usage: null });
const text = { type: 'text', text: 'Hi' };

test('joins the texts and leaves out the thoughts', () => {
  const thought = { type: 'thinking', thinking: 'hm', text: 'no' };
  expect(toOutcome(message('end_turn', thought, text, { type: 'text', text: ' you' }))).toMatchObject({
    state: 'succeeded',
    outputs: [{ kind: 'text', text: 'Hi you' }],
    warnings: [],
  });
});

test.each([
  ['refusal', { state: 'failed', code: 'provider_content_rejected' }],
  ['model_context_window_exceeded', { state: 'failed', code: 'caller_invalid_request' }],
  ['max_tokens', { state: 'succeeded', warnings: ['the text was cut at the token limit'] }],
  ['stop_sequence', { state: 'succeeded', warnings: [] }],
])('reads the end %s', (reason, expected) => {
  expect(toOutcome(message(reason, text))).toMatchObject(expected);
});

test.each([{}, '<html>', null, message(null, text), message('end_turn'), { content: 'Hi', stop_reason: 'end_turn' }])(
  'does not take %j for a message',
  (body) => {
    expect(thrownBy(() => toOutcome(body))).toMatchObject({ code: 'provider_bad_response', accepted: 'unknown' });
  },
);
