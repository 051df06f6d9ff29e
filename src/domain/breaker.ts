import { failures, type FailureCode } from './failure';

/** When a (provider, model, key) is left alone for a while. */
export type BreakerPolicy = {
  /** Faults of the provider in a row. */
  failures: number;
  /** Share of faults among all answers of the window, 0 to 1, once there are `minimumCount` of them. */
  ratio: number;
  minimumCount: number;
  windowSeconds: number;
  /** How long it stays open at first; twice as long each time the probe fails, at most an hour. */
  openSeconds: number;
};

export const defaultBreaker: BreakerPolicy = {
  failures: 5,
  ratio: 0.5,
  minimumCount: 10,
  windowSeconds: 60,
  openSeconds: 30,
};

/** What an answer of a provider says about the provider: it is sick, it is well, or nothing either way. */
export type Verdict = 'fault' | 'answer' | 'silent';

/** What is known of an error besides its code; absent where work ended at the provider by that code. */
export type Told = {
  code: FailureCode;
  /** What it concerns: another key, model or provider may still do. */
  scope?: 'request' | 'credential' | 'model' | 'provider';
  /** `null`: no answer of the provider stands behind it. */
  httpStatus?: number | null;
  retryAfterMs?: number | null;
};

type ProviderCode = Extract<FailureCode, `provider_${string}`>;

const verdicts: Record<ProviderCode, Verdict> = {
  provider_overloaded: 'fault',
  // also: could not be reached
  provider_server_error: 'fault',
  provider_timeout: 'fault',
  provider_bad_response: 'fault',
  provider_auth: 'answer',
  provider_insufficient_funds: 'answer',
  provider_model_not_found: 'answer',
  provider_content_rejected: 'answer',
  // the work failed, not the provider: most providers say no more, and it may well be what was asked for
  provider_failed: 'answer',
  provider_result_lost: 'answer',
  // the key is paused instead; what stands behind the limiter may be well or sick
  provider_rate_limited: 'silent',
  provider_submit_ambiguous: 'silent',
  provider_all_failed: 'silent',
};

const isProviderCode = (code: FailureCode): code is ProviderCode => code in verdicts;

const byCode = (code: FailureCode): Verdict => {
  if (isProviderCode(code)) return verdicts[code];
  return failures[code].fault === 'caller' ? 'answer' : 'silent';
};

/** Codes that say nothing about the provider, whatever stands behind them. */
export const silentCodes: readonly FailureCode[] = (Object.keys(failures) as FailureCode[]).filter(
  (code) => byCode(code) === 'silent',
);

const keyCodes: readonly FailureCode[] = ['provider_auth', 'provider_insufficient_funds'];

/** The provider refused the key itself, not what was sent with it. Without an answer we have refused it ourselves. */
export const isKeyRefusal = ({ code, scope, httpStatus }: Told): boolean =>
  keyCodes.includes(code) && scope === 'credential' && httpStatus != null;

/** A refusal with a status that no adapter expects is about the request all the same. */
const isRefusedRequest = ({ code, httpStatus }: Told): boolean =>
  code === 'provider_bad_response' && httpStatus != null && httpStatus >= 400 && httpStatus < 500;

/** What the end of a send, or of work, says about the provider. */
export const verdictOn = (told: Told | 'accepted'): Verdict => {
  if (told === 'accepted') return 'answer';
  if (isKeyRefusal(told)) return 'fault';
  if (keyCodes.includes(told.code) && told.httpStatus == null) return 'silent';
  return isRefusedRequest(told) ? 'answer' : byCode(told.code);
};

/** Only what the provider is to blame for: never the caller's request, a refused content, an unknown model or a rate limit. */
export const countsAsFault = (told: Told): boolean => verdictOn(told) === 'fault';

/** What was told since the breaker closed last: of the rolling window, and in a row up to now. */
export type Tally = { count: number; faults: number; inARow: number };

/** How far back faults in a row are looked for, and how long before its end work may have been sent to count at all. */
export const memorySeconds = 3_600;

export const isTooMuch = ({ count, faults, inARow }: Tally, policy: BreakerPolicy): boolean =>
  inARow >= policy.failures || (count >= policy.minimumCount && faults / count >= policy.ratio);

/** `openings`: since it was last closed. */
export type Breaker =
  | { state: 'closed' }
  | { state: 'open'; openings: number; until: Date }
  /** `probe`: the attempt that tries, as `<generation>/<number>`; `until`: how long it has for that. */
  | { state: 'half_open'; openings: number; probe: string; until: Date };

const longestOpenMs = 3_600_000;

export const openMs = ({ openSeconds }: BreakerPolicy, openings: number): number =>
  Math.min(longestOpenMs, openSeconds * 1000 * 2 ** (openings - 1));

/** How long a probe has to be sent: as long as the turn it is sent with. */
export const probeMs = 60_000;

/** Whether one attempt may try now. */
export const mayProbe = (breaker: Breaker, now: Date): boolean => breaker.state !== 'closed' && breaker.until <= now;

/** The same breaker where nobody may try now: it is closed, or too early, or somebody else tries. */
export const startProbe = (breaker: Breaker, { probe, now }: { probe: string; now: Date }): Breaker =>
  breaker.state !== 'closed' && mayProbe(breaker, now)
    ? { state: 'half_open', openings: breaker.openings, probe, until: new Date(now.getTime() + probeMs) }
    : breaker;

export type News = {
  verdict: Verdict;
  /** Whose send it is of; `null`: of work that was accepted long ago, which is nobody's probe. */
  attempt: string | null;
  now: Date;
};

const opened = (policy: BreakerPolicy, { openings, now }: { openings: number; now: Date }): Breaker => ({
  state: 'open',
  openings,
  until: new Date(now.getTime() + openMs(policy, openings)),
});

/** The probe's answer. One that says nothing leaves it to the next, at once. */
const afterProbe = (
  breaker: Extract<Breaker, { state: 'half_open' }>,
  { verdict, now }: News,
  policy: BreakerPolicy,
): Breaker => {
  if (verdict === 'answer') return { state: 'closed' };
  return verdict === 'fault' ? opened(policy, { openings: breaker.openings + 1, now }) : { ...breaker, until: now };
};

/**
 * The breaker after one more thing was told. What comes in from sends that left before it opened changes nothing any more.
 * The same object where nothing changes. `tally` has the news in it.
 */
export const afterNews = (
  breaker: Breaker,
  news: News,
  { tally, policy }: { tally: Tally; policy: BreakerPolicy },
): Breaker => {
  switch (breaker.state) {
    case 'closed':
      return news.verdict === 'fault' && isTooMuch(tally, policy)
        ? opened(policy, { openings: 1, now: news.now })
        : breaker;
    case 'open':
      return breaker;
    case 'half_open':
      return news.attempt === breaker.probe ? afterProbe(breaker, news, policy) : breaker;
  }
};
