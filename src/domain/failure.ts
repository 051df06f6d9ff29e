/**
 * The one table of failures. `retryable`: the same request may succeed later. `tryNextProvider`: another provider may
 * do what this one did not. `fault`: who has to change something. A new code is a row here; the compiler then lists
 * every place that must decide.
 */
export const failures = {
  caller_malformed: { httpStatus: 400, retryable: false, tryNextProvider: false, fault: 'caller' },
  caller_unauthenticated: { httpStatus: 401, retryable: false, tryNextProvider: false, fault: 'caller' },
  caller_forbidden: { httpStatus: 403, retryable: false, tryNextProvider: false, fault: 'caller' },
  caller_not_found: { httpStatus: 404, retryable: false, tryNextProvider: false, fault: 'caller' },
  caller_conflict: { httpStatus: 409, retryable: false, tryNextProvider: false, fault: 'caller' },
  caller_payload_too_large: { httpStatus: 413, retryable: false, tryNextProvider: false, fault: 'caller' },
  caller_invalid_request: { httpStatus: 422, retryable: false, tryNextProvider: true, fault: 'caller' },
  caller_model_retired: { httpStatus: 422, retryable: false, tryNextProvider: false, fault: 'caller' },
  caller_idempotency_key_reused: { httpStatus: 422, retryable: false, tryNextProvider: false, fault: 'caller' },
  caller_content_rejected: { httpStatus: 422, retryable: false, tryNextProvider: false, fault: 'caller' },
  policy_price_unknown: { httpStatus: 422, retryable: false, tryNextProvider: false, fault: 'policy' },
  policy_budget_exceeded: { httpStatus: 402, retryable: true, tryNextProvider: false, fault: 'policy' },
  policy_rate_limited: { httpStatus: 429, retryable: true, tryNextProvider: false, fault: 'policy' },
  policy_no_capacity: { httpStatus: 503, retryable: true, tryNextProvider: true, fault: 'policy' },
  system_unavailable: { httpStatus: 503, retryable: true, tryNextProvider: false, fault: 'system' },
  system_internal: { httpStatus: 500, retryable: true, tryNextProvider: false, fault: 'system' },
  provider_auth: { httpStatus: 502, retryable: false, tryNextProvider: true, fault: 'provider' },
  provider_insufficient_funds: { httpStatus: 502, retryable: false, tryNextProvider: true, fault: 'provider' },
  provider_rate_limited: { httpStatus: 502, retryable: true, tryNextProvider: true, fault: 'provider' },
  provider_overloaded: { httpStatus: 502, retryable: true, tryNextProvider: true, fault: 'provider' },
  provider_server_error: { httpStatus: 502, retryable: true, tryNextProvider: true, fault: 'provider' },
  provider_timeout: { httpStatus: 504, retryable: true, tryNextProvider: true, fault: 'provider' },
  provider_bad_response: { httpStatus: 502, retryable: true, tryNextProvider: true, fault: 'provider' },
  provider_model_not_found: { httpStatus: 502, retryable: false, tryNextProvider: true, fault: 'provider' },
  provider_content_rejected: { httpStatus: 422, retryable: false, tryNextProvider: true, fault: 'caller' },
  provider_failed: { httpStatus: 502, retryable: true, tryNextProvider: true, fault: 'provider' },
  provider_result_lost: { httpStatus: 502, retryable: true, tryNextProvider: false, fault: 'provider' },
  provider_submit_ambiguous: { httpStatus: 502, retryable: false, tryNextProvider: false, fault: 'provider' },
  provider_all_failed: { httpStatus: 502, retryable: true, tryNextProvider: false, fault: 'provider' },
} as const satisfies Record<
  string,
  {
    httpStatus: number;
    retryable: boolean;
    tryNextProvider: boolean;
    fault: 'caller' | 'policy' | 'system' | 'provider';
  }
>;

export type FailureCode = keyof typeof failures;

/** What a caller, a row or a log may see of a failure. `message` is scrubbed: no key, signed URL or foreign prompt. */
export type Failure = { code: FailureCode; message: string };

/** One wrong field of a request. `pointer` is a JSON pointer into the body (`/input/durationSeconds`). */
export type Violation = { pointer: string; detail: string };

/** The only error class of ours: thrown where a request cannot be served, translated once at each boundary. */
export class SureshotError extends Error {
  readonly code: FailureCode;
  readonly violations: Violation[];
  /** How long a caller should wait before asking again, where that is known. */
  readonly retryAfterSeconds: number | null;

  constructor(
    code: FailureCode,
    message: string,
    details: { violations?: Violation[]; retryAfterSeconds?: number } = {},
  ) {
    super(message);
    this.name = 'SureshotError';
    this.code = code;
    this.violations = details.violations ?? [];
    this.retryAfterSeconds = details.retryAfterSeconds ?? null;
  }
}
