import { untilQuotaDay } from '../../../src/providers/google/problems';
import { readRefusal } from '../../../src/providers/google/wire';
import type { Purpose } from '../../../src/providers/transport';

const day = 86_400_000;

const type = (name: string) => `type.googleapis.com/google.rpc.${name}`;
const keyReason = (reason: string) => ({ '@type': type('ErrorInfo'), reason, domain: 'googleapis.com' });
const retryIn = (retryDelay: string) => ({ '@type': type('RetryInfo'), retryDelay });
const quota = (quotaId: string) => ({ '@type': type('QuotaFailure'), violations: [{ quotaMetric: 'm', quotaId }] });

const answerOf = (status: number, body: unknown, headers: Record<string, string> = {}) => ({
  status,
  headers,
  text: JSON.stringify(body),
});

const refused = (status: number, code: string, rest: { message?: string; details?: unknown[] } = {}) =>
  answerOf(status, { error: { code: status, message: 'm', status: code, ...rest } });

describe('the refusals of google.rpc', () => {
  test.each([
    [400, 'INVALID_ARGUMENT', {}, { code: 'caller_invalid_request', scope: 'request', accepted: 'no' }],
    [
      400,
      'INVALID_ARGUMENT',
      { details: [keyReason('API_KEY_INVALID')] },
      { code: 'provider_auth', scope: 'credential', accepted: 'no' },
    ],
    [
      400,
      'INVALID_ARGUMENT',
      { details: [keyReason('API_KEY_EXPIRED')] },
      { code: 'provider_auth', scope: 'credential', accepted: 'no' },
    ],
    [
      403,
      'PERMISSION_DENIED',
      { details: [keyReason('API_KEY_SERVICE_BLOCKED')] },
      { code: 'provider_auth', scope: 'credential', accepted: 'no' },
    ],
    [
      403,
      'PERMISSION_DENIED',
      { details: [keyReason('SERVICE_DISABLED')] },
      { code: 'provider_auth', scope: 'credential', accepted: 'no' },
    ],
    [403, 'PERMISSION_DENIED', {}, { code: 'provider_auth', scope: 'credential', accepted: 'no' }],
    [401, 'UNAUTHENTICATED', {}, { code: 'provider_auth', scope: 'credential', accepted: 'no' }],
    [
      403,
      'PERMISSION_DENIED',
      { details: [keyReason('BILLING_DISABLED')] },
      { code: 'provider_insufficient_funds', scope: 'credential', accepted: 'no' },
    ],
    [
      400,
      'FAILED_PRECONDITION',
      { message: 'The free tier is not available in your country. Please enable billing.' },
      { code: 'provider_insufficient_funds', scope: 'credential', accepted: 'no' },
    ],
    [
      400,
      'FAILED_PRECONDITION',
      { message: 'User location is not supported for the API use.' },
      { code: 'provider_auth', scope: 'provider', accepted: 'no' },
    ],
    [
      400,
      'FAILED_PRECONDITION',
      { message: 'The project is not ready.' },
      { code: 'provider_auth', scope: 'credential', accepted: 'no' },
    ],
    [
      400,
      'INVALID_ARGUMENT',
      { message: "This prompt contains words that violate Google's Responsible AI practices." },
      { code: 'provider_content_rejected', scope: 'request', accepted: 'no' },
    ],
    [
      404,
      'NOT_FOUND',
      { message: 'models/x is not found for API version v1beta' },
      { code: 'provider_model_not_found', scope: 'model', accepted: 'no' },
    ],
    [409, 'ABORTED', {}, { code: 'provider_overloaded', scope: 'provider', accepted: 'no' }],
    [429, 'RESOURCE_EXHAUSTED', {}, { code: 'provider_rate_limited', scope: 'credential', accepted: 'no' }],
    [
      429,
      'RESOURCE_EXHAUSTED',
      { message: 'Your prepayment credits are depleted.' },
      { code: 'provider_insufficient_funds', scope: 'credential', accepted: 'no' },
    ],
    [
      429,
      'RESOURCE_EXHAUSTED',
      { message: 'Quota exceeded for metric: free_tier_requests, limit: 0, model: gemini-2.5-pro' },
      { code: 'provider_insufficient_funds', scope: 'credential', accepted: 'no' },
    ],
    [499, 'CANCELLED', {}, { code: 'provider_timeout', scope: 'provider', accepted: 'unknown' }],
    [500, 'INTERNAL', {}, { code: 'provider_server_error', scope: 'provider', accepted: 'unknown' }],
    [502, 'INTERNAL', {}, { code: 'provider_server_error', scope: 'provider', accepted: 'unknown' }],
    [
      503,
      'UNAVAILABLE',
      { message: 'The model is overloaded.' },
      { code: 'provider_overloaded', scope: 'provider', accepted: 'no' },
    ],
    [504, 'DEADLINE_EXCEEDED', {}, { code: 'provider_timeout', scope: 'provider', accepted: 'unknown' }],
  ])('reads %d %s %j as %j', (status, code, rest, expected) => {
    expect(readRefusal(refused(status, code, rest), 'submit')).toMatchObject(expected);
  });

  test.each([
    [[retryIn('34.4s')], {}, 34_400],
    [[quota('GenerateRequestsPerMinutePerProjectPerModel-FreeTier'), retryIn('3s')], {}, 3_000],
    [[retryIn('34.4s')], { 'retry-after': '2' }, 2_000],
    [[], {}, null],
  ])('reads when to come back from %j and %j', (details, headers, expected) => {
    const answer = { ...refused(429, 'RESOURCE_EXHAUSTED', { details }), headers: headers as Record<string, string> };
    expect(readRefusal(answer, 'submit').retryAfterMs).toBe(expected);
  });

  test('comes back tomorrow when the quota of the day is used up, whatever the delay says', () => {
    const details = [quota('GenerateRequestsPerDayPerProjectPerModel-FreeTier'), retryIn('22s')];
    const { retryAfterMs } = readRefusal(refused(429, 'RESOURCE_EXHAUSTED', { details }), 'submit');
    expect(Math.abs((retryAfterMs ?? 0) - untilQuotaDay())).toBeLessThan(5_000);
  });

  test('counts the days of a quota in California', () => {
    expect(untilQuotaDay(Date.parse('2026-11-21T07:59:59Z'))).toBe(1_000);
    expect(untilQuotaDay(Date.parse('2026-11-21T08:00:00Z'))).toBe(day);
    expect(untilQuotaDay(Date.parse('2026-07-01T06:00:00Z'))).toBe(3_600_000);
  });

  test('reads an error in a list, as the front end sends it', () => {
    const answer = answerOf(400, [{ error: { code: 400, message: 'bad', details: [keyReason('API_KEY_INVALID')] } }]);
    expect(readRefusal(answer, 'submit')).toMatchObject({ code: 'provider_auth', message: 'bad' });
  });

  test.each(['', '<html>', 'null', '[]', '{"error":"no"}'])('goes by the status where the body is %j', (text) => {
    const answer = { status: 503, headers: {}, text };
    expect(readRefusal(answer, 'submit')).toMatchObject({ code: 'provider_overloaded', accepted: 'no' });
  });

  test.each(['check', 'cancel'] as const)('takes an unknown operation for a lost result on %s', (purpose: Purpose) => {
    expect(readRefusal(refused(404, 'NOT_FOUND'), purpose)).toMatchObject({ code: 'provider_result_lost' });
    const unknown = answerOf(400, { error: { code: 'invalid_request', message: 'Invalid interaction name: x' } });
    expect(readRefusal(unknown, purpose)).toMatchObject({ code: 'provider_result_lost' });
  });
});

describe('the refusals of the Interactions API', () => {
  test.each([
    [400, 'invalid_request', 'm', 'caller_invalid_request', 'no'],
    [400, 'parameter_unknown', 'm', 'caller_invalid_request', 'no'],
    [400, 'failed_precondition', 'billing is disabled', 'provider_insufficient_funds', 'no'],
    [416, 'out_of_range', 'm', 'caller_invalid_request', 'no'],
    [401, 'authentication', 'm', 'provider_auth', 'no'],
    [402, 'payment_required', 'm', 'provider_insufficient_funds', 'no'],
    [403, 'permission_denied', 'm', 'provider_auth', 'no'],
    [404, 'model_not_found', 'm', 'provider_model_not_found', 'no'],
    [409, 'aborted', 'm', 'provider_overloaded', 'no'],
    [400, 'prohibited_content', 'm', 'provider_content_rejected', 'no'],
    [400, 'content_blocked', 'm', 'provider_content_rejected', 'no'],
    [429, 'rate_limit_exceeded', 'm', 'provider_rate_limited', 'no'],
    [429, 'too_many_requests', 'm', 'provider_rate_limited', 'no'],
    [499, 'cancelled', 'm', 'provider_timeout', 'unknown'],
    [500, 'api_error', 'm', 'provider_server_error', 'unknown'],
    [501, 'unimplemented', 'm', 'provider_server_error', 'unknown'],
    [503, 'service_unavailable', 'm', 'provider_overloaded', 'no'],
    [504, 'deadline_exceeded', 'm', 'provider_timeout', 'unknown'],
  ])('reads %d %s (%s) as %s, accepted %s', (status, code, message, expected, accepted) => {
    const answer = answerOf(status, { error: { code, message } });
    expect(readRefusal(answer, 'submit')).toMatchObject({ code: expected, accepted, message });
  });

  test('reads when to come back from its words, and tomorrow for a quota of the day', () => {
    const limited = answerOf(429, { error: { code: 'rate_limit_exceeded', message: 'Please retry in 34.4s.' } });
    expect(readRefusal(limited, 'submit').retryAfterMs).toBe(34_400);
    const spent = answerOf(429, { error: { code: 'quota_exceeded', message: 'Please retry in 2s.' } });
    const { retryAfterMs } = readRefusal(spent, 'submit');
    expect(Math.abs((retryAfterMs ?? 0) - untilQuotaDay())).toBeLessThan(5_000);
  });
});
