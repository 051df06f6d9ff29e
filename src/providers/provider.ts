import type { FailureCode } from '../domain/failure';
import type { GenerationInput, Usage } from '../domain/generation';
import type { Model } from '../domain/model';
import type { Money } from '../domain/money';

/** The provider's handle of accepted work, as plain JSON: what it takes to look, fetch and cancel after a restart. */
export type Operation = { id: string; [key: string]: unknown };

/** One result. Bytes where the provider answers with them, else where to fetch them. */
export type Output =
  | {
      kind: 'url';
      url: string;
      contentType: string | null;
      headers?: Record<string, string>;
      /** The header that the storing step fills with the credential's secret: what is stored here holds no key. */
      credentialHeader?: { name: string; scheme: 'Bearer' | null };
    }
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
  | {
      state: 'succeeded';
      outputs: Output[];
      usage: Usage;
      warnings: string[];
      chargedUsd?: Money;
      /** Where the result came with the answer and can be looked at all the same. */
      operation?: Operation;
    }
  /** Terminal at the provider. `chargedUsd` is absent where the provider does not tell. */
  | { state: 'failed'; code: FailureCode; message: string; chargedUsd?: Money }
  /** Cancelled at the provider, by us or by somebody at its dashboard. */
  | { state: 'canceled'; chargedUsd?: Money };

/**
 * `confirmed`: will not run on; `requested`: a later look tells; `too_late`: already ended; `unable`: this model's work
 * cannot be stopped, though other work of the provider can.
 */
export type Cancellation = 'confirmed' | 'requested' | 'too_late' | 'unable';

/** An image or video at hand. `uri` is the provider's own name of it, where `stage` has brought it there. */
export type Media = { bytes: Uint8Array; contentType: string; uri?: string };

/** The input as it is sent: defaults filled in, style and colours written into the prompt, media as bytes. */
export type ReadyInput = GenerationInput<Media>;

/**
 * Somebody else's service in front of the provider's. `key` is the gateway's own where it wants one; `modelPrefix`
 * stands before the provider's model id.
 */
export type Gateway = { url: string; key: string | null; modelPrefix: string };

/** The secret and where it applies. `baseUrl` means what the provider's own SDK means by it. */
export type Credential = {
  alias: string;
  secret: string;
  baseUrl: string | null;
  gateway?: Gateway;
  /** The account it belongs to, where the provider's addresses name it. */
  accountId?: string;
  /** Opens the provider's lists of past work, where those want another key. */
  adminKey?: string;
};

/** What is known of a send whose answer is lost. `input` as it was sent, media apart. */
export type Sent = { at: Date; input: GenerationInput<unknown> };

/** Work that carries our mark. */
export type Found = { trace: string; operation: Operation };

/** A message the provider sent us by itself. Header names are in lower case; `body` is as it came, for its signature. */
export type Callback = { headers: Record<string, string>; body: string };

/** What one HTTP exchange showed, for the attempt's row. Never a header of the request: those hold keys. */
export type Exchange = { status: number | null; requestId: string | null; headers: Record<string, string> };

export type Call = {
  credential: Credential;
  /** Our own mark, put into every field the provider echoes. Stable over retries of one attempt. */
  trace: string;
  /** Of the whole call including the body, in ms from its start. */
  deadlineMs: number;
  signal?: AbortSignal;
  /** How urgent the caller finds it, where the provider has such queues. */
  priority?: 'high' | 'medium' | 'low';
  /** Where the provider may announce the end of the work: a hint only. Absent: it is asked. */
  webhookUrl?: string;
  /** Asks the provider to keep what it makes, so that a lost answer can be found again: where that is a choice. */
  store?: boolean;
  /** Told when the headers of a request are written: about when the provider gets it. Must not throw. */
  onSent?: () => void;
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
  /**
   * Brings what is too large for the paid request to the provider, free of charge, and answers the input with the
   * `uri` of it. Before every submit that is about to be sent.
   */
  stage?(model: Model, input: ReadyInput, call: Call): Promise<ReadyInput>;
  /** Exactly one paid request. `input` was validated against the model. */
  submit(model: Model, input: ReadyInput, call: Call): Promise<Outcome>;
  /** One look (and, where the provider splits them, the fetch of the result). Free of charge. */
  check?(model: Model, operation: Operation, call: Call): Promise<Outcome>;
  cancel?(model: Model, operation: Operation, call: Call): Promise<Cancellation>;
  /**
   * Recovery door after a lost answer: does the provider have work of this send? What was found is looked at by `check`,
   * also where the answer to the submit would have been the result. `absent` only where the provider's listing is
   * complete and up to date.
   */
  find?(model: Model, sent: Sent, call: Call): Promise<Operation | 'absent' | 'unknown'>;
  /**
   * Of the work since `since`, whatever carries one of these marks, however often: where the provider can list. For
   * work that nobody here knows of.
   */
  findAll?(model: Model, since: Date, call: Call & { traces: readonly string[] }): Promise<Found[]>;
  /** Tells `announced` work by calling `webhookUrl`: which of its models do. */
  announces?(model: Model): boolean;
  /**
   * Who sent this message and about what. `forged`: not the provider, or altered, or too old. The operation is the one the
   * message speaks of, enough for `check`.
   */
  readCallback?(model: Model, callback: Callback, call: Call): Promise<Operation | 'forged'>;
  /** The cheapest real request that needs the key, free where there is one. Answers the model it asked about, if any. */
  probe(call: Call): Promise<{ model: string | null }>;
};
