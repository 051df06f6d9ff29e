import { setTimeout as delay } from 'node:timers/promises';
import { isTerminal } from '../domain/generation';
import type { GenerationRow } from '../stores/generations';

const longestWaitSeconds = 60;
const firstDelayMs = 25;
const longestDelayMs = 250;

/** RFC 7240: `wait=10`, alone or among others. What cannot be read is no preference; a longer wait is given as 60. */
export const readWaitSeconds = (prefer: string | undefined): number | null => {
  const preferences = (prefer ?? '').split(/[,;]/).map((preference) => preference.trim());
  const wait = preferences.map((preference) => /^wait *= *"?(\d{1,6})"?$/i.exec(preference)?.[1]).find(Boolean);
  return wait === undefined ? null : Math.min(Number(wait), longestWaitSeconds);
};

type Read = () => Promise<GenerationRow | null>;

/** Short ones for answers that come at once, up to four looks a second for those that take long. */
export const nextDelayMs = (delayMs: number): number => Math.min(longestDelayMs, delayMs * 1.25);

/** Reads again, ever more rarely, until the row is terminal, the time is up or the signal is given. */
export const readUntilTerminal = async (
  read: Read,
  { seconds, signal }: { seconds: number; signal: AbortSignal },
): Promise<GenerationRow | null> => {
  const endMs = performance.now() + seconds * 1000;
  let delayMs = firstDelayMs;
  let row = await read();
  while (row && !isTerminal(row.status)) {
    const leftMs = endMs - performance.now();
    if (leftMs <= 0 || signal.aborted) break;
    await delay(Math.min(delayMs, leftMs), undefined, { signal }).catch(() => undefined);
    if (signal.aborted) break;
    delayMs = nextDelayMs(delayMs);
    row = await read();
  }
  return row;
};
