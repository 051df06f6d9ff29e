/** `ended` tells why the signal was aborted: by the clock or by somebody. */
export type Deadline = { signal: AbortSignal; ended: 'deadline' | 'aborted' | null; stop(): void };

/**
 * One signal for the clock and for everybody who may call it off. Not AbortSignal.any with AbortSignal.timeout: that
 * pair may be collected before it fires, and does not tell which of them it was.
 */
export const startDeadline = (afterMs: number, ...others: (AbortSignal | null | undefined)[]): Deadline => {
  const controller = new AbortController();
  const deadline: Deadline = { signal: controller.signal, ended: null, stop: () => undefined };
  const end = (why: 'deadline' | 'aborted'): void => {
    deadline.ended ??= why;
    controller.abort();
  };
  const abort = (): void => end('aborted');
  const timer = setTimeout(end, Math.max(0, afterMs), 'deadline');
  const signals = others.filter((signal) => signal !== null && signal !== undefined);
  for (const signal of signals) {
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  }
  deadline.stop = () => {
    clearTimeout(timer);
    for (const signal of signals) signal.removeEventListener('abort', abort);
  };
  return deadline;
};
