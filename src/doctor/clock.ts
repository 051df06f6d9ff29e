import type { Check } from '../cli/commands/doctor';

/** How far the ledger waits past a sender's deadline: clocks further apart than that may contradict each other. */
const tolerableMs = 5_000;
const noticeableMs = 1_000;

type Reading = { name: string; of: string; theirs: Date; sentMs: number; receivedMs: number; coarsenessMs: number };

/** The answer was made somewhere between sending and receiving; `coarsenessMs`: how much of a second they leave out. */
export const compareClocks = ({ name, of, theirs, sentMs, receivedMs, coarsenessMs }: Reading): Check => {
  const earliest = theirs.getTime();
  const latest = earliest + coarsenessMs;
  const ahead = Math.max(0, earliest - receivedMs);
  const behind = Math.max(0, sentMs - latest);
  const apartMs = ahead > 0 ? ahead : -behind;
  const seconds = (Math.abs(apartMs) / 1000).toFixed(1);
  const detail =
    Math.abs(apartMs) < noticeableMs
      ? `${of} and this machine agree`
      : `${of} is ${seconds} s ${apartMs > 0 ? 'ahead of' : 'behind'} this machine`;
  const fix = 'synchronize both clocks (NTP)';
  if (Math.abs(apartMs) >= tolerableMs) return { name, status: 'fail', detail, fix };
  if (Math.abs(apartMs) >= noticeableMs) return { name, status: 'warn', detail, fix };
  return { name, status: 'ok', detail, fix: null };
};
