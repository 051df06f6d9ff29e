import type { FailureCode } from './failure';

/** How far an attempt has come; ids, enums and numbers only, for it enters the workflow's history. */
export type AttemptStep =
  | { state: 'pending'; pollAfterMs: number }
  /** `stored`: its results are in the blob store already. */
  | { state: 'succeeded'; stored: boolean }
  | { state: 'canceled' }
  | { state: 'failed' | 'rejected' | 'ambiguous'; code: FailureCode }
  /** A later attempt owns the work: leave without touching anything. */
  | { state: 'fenced' };
