import type { FailureCode } from './failure';

/** What one real call with a key showed. */
export type ProbeResult = {
  /** Of the call alone, in ms. */
  latencyMs: number;
  /** The provider's model it asked about, where it asked about one. */
  model: string | null;
  /** `null`: the key works. */
  code: FailureCode | null;
};
