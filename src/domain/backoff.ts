export type RetryPolicy = { attempts: number; initialSeconds: number; maximumSeconds: number; factor: number };

/** Before try `failures + 1`, in ms; what the provider asked for counts when it is longer. */
export const retryDelayMs = (policy: RetryPolicy, failures: number, retryAfterMs: number | null): number => {
  const seconds = Math.min(policy.maximumSeconds, policy.initialSeconds * policy.factor ** Math.max(0, failures - 1));
  return Math.max(seconds * 1000, retryAfterMs ?? 0);
};
