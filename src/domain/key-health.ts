import { isKeyRefusal, verdictOn, type Told } from './breaker';
import type { FailureCode } from './failure';

/** How a key fares. */
export type KeyHealth = {
  /** Refusals and faults in a row. */
  failures: number;
  pausedUntil: Date | null;
  /** Why it is switched off; `null`: it is not. */
  disabledBy: string | null;
  lastErrorAt: Date | null;
};

/** What an error means for the key it came with. */
export type Trouble =
  /** Too much for now. `retryAfterMs` is the provider's word. */
  | { kind: 'limited'; retryAfterMs: number | null }
  | { kind: 'fault'; retryAfterMs: number | null }
  /** It does not open anything, or nobody pays for it: a person has to do something. */
  | { kind: 'refused'; code: FailureCode };

/** What an overloaded model asks for is not asked of the key's other work. */
const retryAfterOf = ({ retryAfterMs, scope }: Told): number | null =>
  scope === 'model' || !retryAfterMs ? null : retryAfterMs;

/** `null`: none of the key's. */
export const troubleOf = (told: Told): Trouble | null => {
  if (isKeyRefusal(told)) return { kind: 'refused', code: told.code };
  if (told.code === 'provider_rate_limited') return { kind: 'limited', retryAfterMs: retryAfterOf(told) };
  return verdictOn(told) === 'fault' ? { kind: 'fault', retryAfterMs: retryAfterOf(told) } : null;
};

/** So many faults in a row rest a key. */
export const faultsBeforeRest = 3;

const longestRestMs = 3_600_000;

/** A provider that asks for more has made a mistake. */
const longestWaitMs = 7 * 86_400_000;

export type TroubleTime = {
  now: Date;
  /** When what was refused was sent; `null`: it was no send, and counts for no row. */
  sentAt: Date | null;
  /** The key's rest where the provider names none. */
  cooldownSeconds: number;
};

/** What was under way together is refused together: the row grows by rounds, not by requests, once it costs a rest. */
const nextFailures = ({ failures, lastErrorAt }: KeyHealth, trouble: Trouble, { sentAt }: TroubleTime): number => {
  if (sentAt === null) return failures;
  const isSameRound = lastErrorAt !== null && sentAt <= lastErrorAt;
  const first = trouble.kind === 'limited' ? 1 : faultsBeforeRest;
  return isSameRound && failures >= first ? failures : failures + 1;
};

const restMs = (rests: number, { cooldownSeconds }: TroubleTime): number =>
  rests < 1 ? 0 : Math.min(longestRestMs, cooldownSeconds * 1000 * 2 ** (rests - 1));

const pauseMs = (failures: number, trouble: Trouble, time: TroubleTime): number => {
  if (trouble.kind === 'refused') return 0;
  const askedMs = trouble.retryAfterMs === null ? null : Math.min(longestWaitMs, trouble.retryAfterMs);
  if (trouble.kind === 'limited') return askedMs ?? restMs(Math.max(1, failures), time);
  const rests = time.sentAt === null ? 0 : failures - faultsBeforeRest + 1;
  return Math.max(askedMs ?? 0, restMs(rests, time));
};

const laterOf = (left: Date | null, right: Date): Date => (left !== null && left > right ? left : right);

/** A pause only ever grows: what the provider asked for holds, whatever it says of something else. */
export const afterTrouble = (health: KeyHealth, trouble: Trouble, time: TroubleTime): KeyHealth => {
  const failures = nextFailures(health, trouble, time);
  const lengthMs = pauseMs(failures, trouble, time);
  const until = new Date(time.now.getTime() + lengthMs);
  return {
    failures,
    pausedUntil: lengthMs === 0 ? health.pausedUntil : laterOf(health.pausedUntil, until),
    disabledBy: health.disabledBy ?? (trouble.kind === 'refused' ? trouble.code : null),
    lastErrorAt: time.now,
  };
};

/** Growing by less than this is the same pause, told by another answer of the same round, in ms. */
const sameMs = 1_000;

/** Whether a pause has begun or grown. */
export const isNewPause = (before: KeyHealth, after: KeyHealth, now: Date): boolean => {
  if (after.pausedUntil === null || after.pausedUntil <= now) return false;
  const earlier = before.pausedUntil ?? now;
  return earlier <= now || after.pausedUntil.getTime() - earlier.getTime() >= sameMs;
};
