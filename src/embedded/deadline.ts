/**
 * Gives `work` a signal that aborts after `afterMs`, or with `over`. Not AbortSignal.any with AbortSignal.timeout: that pair
 * may be collected before it fires, and whoever waits then waits for ever.
 */
export const withDeadline = async <Result>(
  { afterMs, over }: { afterMs: number; over?: AbortSignal },
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> => {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  const timer = setTimeout(abort, afterMs);
  if (over?.aborted === true) abort();
  over?.addEventListener('abort', abort, { once: true });
  try {
    return await work(controller.signal);
  } finally {
    clearTimeout(timer);
    over?.removeEventListener('abort', abort);
  }
};
