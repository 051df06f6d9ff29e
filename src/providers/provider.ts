import type { FailureCode } from '../domain/failure';
import type { GenerationInput, Usage } from '../domain/generation';
import type { Model } from '../domain/model';
import type { Money } from '../domain/money';

/** The provider's handle of accepted work, as plain JSON: what it takes to look, fetch and cancel after a restart. */
export type Operation = { id: string; [key: string]: unknown };

/** One result. Bytes where the provider answers with them, else where to fetch them. */
export type Output =
  | { kind: 'url'; url: string; contentType: string | null; headers?: Record<string, string> }
  | { kind: 'bytes'; bytes: Uint8Array; contentType: string }
  | { kind: 'text'; text: string };

export type Outcome =
  | {
      state: 'pending';
      operation: Operation;
      /** 0 to 100. */
      progress?: number;
      /** The provider's own wish for the next look. */
      retryAfterMs?: number;
    }
  | { state: 'succeeded'; outputs: Output[]; usage: Usage; warnings: string[]; chargedUsd?: Money }
  /** Terminal at the provider. `chargedUsd` is absent where the provider does not tell. */
  | { state: 'failed'; code: FailureCode; message: string; chargedUsd?: Money }
  /** Cancelled at the provider, by us or by somebody at its dashboard. */
  | { state: 'canceled'; chargedUsd?: Money };

/** The secret and where it applies. `baseUrl` means what the provider's own SDK means by it. */
export type Credential = { alias: string; secret: string; baseUrl: string | null };

/** What one HTTP exchange showed, for the attempt's row. Never a header of the request: those hold keys. */
export type Exchange = { status: number | null; requestId: string | null; headers: Record<string, string> };

export type Call = {
  credential: Credential;
  /** Our own mark, put into every field the provider echoes. Stable over retries of one attempt. */
  trace: string;
  /** Of the whole call including the body, in ms from its start. */
  deadlineMs: number;
  signal?: AbortSignal;
  /** Told once for every HTTP exchange the call makes. */
  onExchange?: (exchange: Exchange) => void;
  /** Text deltas, where the provider streams. Must not throw: paid work hangs on it. */
  onText?: (delta: string) => void;
};

/**
 * A refusal or a fault while talking to a provider, classified by the adapter.
 * `accepted`: `no` — the provider certainly did not take the work; `unknown` — it may have (lost answer, cut body).
 * Meaningless for polls and cancels.
 */
export class ProviderError extends Error {
  readonly code: FailureCode;
  readonly accepted: 'no' | 'unknown';
  /** From the provider's own form of retry-after. */
  readonly retryAfterMs: number | null;
  /** What the fault concerns: another credential, model or provider may still work. */
  readonly scope: 'request' | 'credential' | 'model' | 'provider';
  readonly httpStatus: number | null;

  constructor(
    code: FailureCode,
    message: string,
    details: {
      accepted: 'no' | 'unknown';
      scope: 'request' | 'credential' | 'model' | 'provider';
      retryAfterMs?: number | null;
      httpStatus?: number | null;
      cause?: unknown;
    },
  ) {
    super(message, { cause: details.cause });
    this.name = 'ProviderError';
    this.code = code;
    this.accepted = details.accepted;
    this.scope = details.scope;
    this.retryAfterMs = details.retryAfterMs ?? null;
    this.httpStatus = details.httpStatus ?? null;
  }
}

/**
 * One provider: its catalogue rows and its SDK calls. An absent method is the missing capability.
 * Every method makes the fewest requests it can and throws `ProviderError` for all that is not an outcome.
 */
export type Provider = {
  id: string;
  models: readonly Model[];
  /** Loads the SDK (up to a second), so that the first call need not: for a worker's start. */
  prepare?(): Promise<void>;
  /** Exactly one paid request. `input` was validated against the model and has its defaults filled in. */
  submit(model: Model, input: GenerationInput, call: Call): Promise<Outcome>;
  /** One look (and, where the provider splits them, the fetch of the result). Free of charge. */
  check?(model: Model, operation: Operation, call: Call): Promise<Outcome>;
  /** `confirmed`: will not run on; `too_late`: already ended; `requested`: a later look tells. */
  cancel?(model: Model, operation: Operation, call: Call): Promise<'confirmed' | 'requested' | 'too_late'>;
  /**
   * Recovery door after a lost answer: does the provider have work with this trace? `absent` only where the provider's
   * listing is complete; `since` is when the submit was sent.
   */
  find?(model: Model, since: Date, call: Call): Promise<Operation | 'absent' | 'unknown'>;
};
