import type { FailureCode } from './failure';

/** How a provider is, as far as anybody here can tell. */
export type HealthStatus = 'healthy' | 'degraded' | 'down' | 'unknown';

export type Evidence = {
  /** Keys that may be used at all, and of them those that rest after a refusal. `null`: no key is configured. */
  keys: { usable: number; paused: number } | null;
  /** A breaker of one of its models stands open, or tries whether it may close. */
  isBroken: boolean;
  /** Answers to real work, lately. `faults` are the provider's. */
  traffic: { answered: number; faults: number; goodAt: Date | null; lastAt: Date } | null;
  /** The last call that was made only to see how it is. */
  check: { code: FailureCode | null; at: Date } | null;
};

export type Health = {
  status: HealthStatus;
  /** In words, where it is not healthy. */
  reason: string | null;
  /** The last time the provider was heard of, or asked in vain. */
  checkedAt: Date | null;
};

/** Fewer answers than this say that something is wrong, not that everything is. */
const fewAnswers = 3;
const tolerableShare = 0.1;

/** What a check can end with although the provider is well. */
const keysOwn: readonly FailureCode[] = ['provider_auth', 'provider_insufficient_funds', 'provider_rate_limited'];

type Verdict = { status: Exclude<HealthStatus, 'unknown'>; reason: string | null };

const well: Verdict = { status: 'healthy', reason: null };

const judgeKeys = ({ keys }: Evidence): Verdict | null => {
  if (keys === null) return null;
  if (keys.usable === 0) return { status: 'down', reason: 'every key is disabled' };
  return keys.paused === keys.usable ? { status: 'degraded', reason: 'every key rests after a refusal' } : null;
};

const judgeTraffic = ({ traffic }: Evidence): Verdict | null => {
  if (traffic === null) return null;
  const { answered, faults } = traffic;
  const share = faults / Math.max(answered, faults, 1);
  const reason = `${faults} of the last ${Math.max(answered, faults)} requests failed`;
  if (share >= 0.5 && faults >= fewAnswers) return { status: 'down', reason };
  return share > tolerableShare ? { status: 'degraded', reason } : well;
};

/** Real work that was accepted since says more. */
const judgeCheck = ({ check, traffic }: Evidence): Verdict | null => {
  if (check === null || (traffic?.goodAt && traffic.goodAt > check.at)) return null;
  if (check.code === null) return well;
  const status = keysOwn.includes(check.code) ? 'degraded' : 'down';
  return { status, reason: `the last check ended with ${check.code}` };
};

const judgeBreakers = ({ isBroken }: Evidence): Verdict | null =>
  isBroken ? { status: 'degraded', reason: 'a circuit breaker is not closed' } : null;

const severities = ['healthy', 'degraded', 'down'] as const;

/** The worst that anything says of it; nothing said: unknown. */
export const judgeHealth = (evidence: Evidence): Health => {
  const times = [evidence.check?.at, evidence.traffic?.lastAt].filter((at) => at !== undefined);
  const checkedAt = times.length === 0 ? null : new Date(Math.max(...times.map((at) => at.getTime())));
  const verdicts = [judgeKeys, judgeTraffic, judgeCheck, judgeBreakers].flatMap((judge) => judge(evidence) ?? []);
  const [worst] = verdicts.sort((left, right) => severities.indexOf(right.status) - severities.indexOf(left.status));
  return { ...(worst ?? { status: 'unknown', reason: null }), checkedAt };
};
