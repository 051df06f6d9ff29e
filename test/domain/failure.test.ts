import { failures, SureshotError, type FailureCode } from '../../src/domain/failure';

const codes = Object.keys(failures) as FailureCode[];

/** The table of the contract: what an answer of ours may say, by status. */
const statuses: Record<number, FailureCode[]> = {
  400: ['caller_malformed'],
  401: ['caller_unauthenticated'],
  402: ['policy_budget_exceeded'],
  403: ['caller_forbidden'],
  404: ['caller_not_found'],
  409: ['caller_conflict'],
  413: ['caller_payload_too_large'],
  422: [
    'caller_invalid_request',
    'caller_model_retired',
    'caller_idempotency_key_reused',
    'caller_content_rejected',
    'policy_price_unknown',
  ],
  429: ['policy_rate_limited'],
  503: ['policy_no_capacity', 'system_unavailable'],
};

/** What only a generation's `error` says. */
const inGenerations: FailureCode[] = [
  'provider_auth',
  'provider_insufficient_funds',
  'provider_rate_limited',
  'provider_overloaded',
  'provider_server_error',
  'provider_timeout',
  'provider_bad_response',
  'provider_model_not_found',
  'provider_content_rejected',
  'provider_failed',
  'provider_result_lost',
  'provider_submit_ambiguous',
  'provider_all_failed',
  'system_internal',
];

const promised = Object.entries(statuses).flatMap(([status, list]) =>
  list.map((code) => [code, Number(status)] as const),
);

test.each(promised)('%s answers with %d', (code, status) => {
  expect(failures[code].httpStatus).toBe(status);
});

test('the table has the codes of the contract and no other', () => {
  expect([...codes].sort()).toEqual([...promised.map(([code]) => code), ...inGenerations].sort());
});

test.each(codes)('%s has a name that tells whose door it belongs to, and a status of an error', (code) => {
  expect(code).toMatch(/^(caller|policy|system|provider)_[a-z_]+$/);
  expect(failures[code].httpStatus).toBeGreaterThanOrEqual(400);
  expect(failures[code].httpStatus).toBeLessThan(600);
});

test.each(codes.filter((code) => /^(caller|policy|system)_/.test(code)))('%s blames whom it names', (code) => {
  expect(code.startsWith(failures[code].fault)).toBe(true);
});

test.each(['provider_submit_ambiguous', 'provider_result_lost', 'provider_all_failed'] as const)(
  '%s, which may have cost money, never moves on to another provider by itself',
  (code) => {
    expect(failures[code].tryNextProvider).toBe(false);
  },
);

test('the error carries its code, its violations and how long to wait', () => {
  const bare = new SureshotError('caller_conflict', 'no');
  expect(bare).toMatchObject({ name: 'SureshotError', message: 'no', violations: [], retryAfterSeconds: null });
  const violations = [{ pointer: '/model', detail: 'is required' }];
  const full = new SureshotError('policy_rate_limited', 'later', { violations, retryAfterSeconds: 3 });
  expect(full).toMatchObject({ code: 'policy_rate_limited', violations, retryAfterSeconds: 3 });
  expect(full).toBeInstanceOf(Error);
});
