import { readRefusal, toCancellation, toOutcome } from '../../../src/providers/mock/wire';
import { thrownBy } from '../../support/provider-calls';

test('reads every terminal state', () => {
  const url = 'http://127.0.0.1/a.mp4';
  expect(toOutcome({ id: 'a', status: 'succeeded', outputs: [{ url, contentType: 'video/mp4' }] })).toMatchObject({
    state: 'succeeded',
    outputs: [{ kind: 'url', url, contentType: 'video/mp4' }],
  });
  expect(toOutcome({ id: 'a', status: 'failed', error: { code: 'content_rejected', message: 'no' } })).toEqual({
    state: 'failed',
    code: 'provider_content_rejected',
    message: 'no',
  });
  expect(toOutcome({ id: 'a', status: 'failed' })).toMatchObject({ state: 'failed', code: 'provider_failed' });
  expect(toOutcome({ id: 'a', status: 'canceled' })).toEqual({ state: 'canceled' });
});

test.each([{}, { id: 'a' }, { id: 'a', status: 'succeeded' }, { id: 'a', status: 'succeeded', outputs: [] }, null])(
  'does not take %j for an operation',
  (body) => {
    expect(thrownBy(() => toOutcome(body))).toMatchObject({ code: 'provider_bad_response', accepted: 'unknown' });
  },
);

test.each([
  ['canceled', 'confirmed'],
  ['running', 'requested'],
  ['succeeded', 'too_late'],
])('takes a cancel answered by %s as %s', (status, expected) => {
  expect(toCancellation({ status })).toBe(expected);
});

test.each([
  [400, 'invalid', 'caller_invalid_request', 'no'],
  [401, 'unauthorized', 'provider_auth', 'no'],
  [422, 'content_rejected', 'provider_content_rejected', 'no'],
  [429, 'rate_limited', 'provider_rate_limited', 'no'],
  [500, 'internal', 'provider_server_error', 'unknown'],
  [503, 'overloaded', 'provider_overloaded', 'no'],
])('reads %d %s as %s, accepted %s', (status, code, expected, accepted) => {
  const answer = { status, headers: {}, text: JSON.stringify({ error: { code, message: 'm' } }) };
  expect(readRefusal(answer, 'submit')).toMatchObject({ code: expected, accepted, message: 'm' });
});
