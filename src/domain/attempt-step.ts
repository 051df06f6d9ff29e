import type { FailureCode } from './failure';

/** How far an attempt has come; ids, enums and numbers only, for it enters the workflow's history. */
export type AttemptStep =
  | { state: 'pending'; pollAfterMs: number }
  /** Not sent: it waits for its turn. To be asked again when told, or after `waitMs`. */
  | { state: 'waiting'; waitMs: number }
  /** `stored`: its results are in the blob store already. */
  | { state: 'succeeded'; stored: boolean }
  | { state: 'canceled' }
  | { state: 'failed' | 'rejected' | 'ambiguous'; code: FailureCode }
  /** A later attempt owns the work: leave without touching anything. */
  | { state: 'fenced' };
