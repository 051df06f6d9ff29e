import { failures, type FailureCode } from './failure';
import type { AmbiguityPolicy, AttemptStatus, Candidate } from './generation';
import { compareMoney, type Money } from './money';

/** What the choice of the next step needs of an attempt's row. */
export type LedgerEntry = {
  number: number;
  model: string;
  status: AttemptStatus;
  errorCode: FailureCode | null;
  /** `null`: the price is not known. */
  estimatedUsd: Money | null;
  /** The earlier attempt this one had to settle first and did not live to. */
  takesOver: number | null;
};

export type AttemptPolicy = { onAmbiguous: AmbiguityPolicy; resubmitUpToUsd: Money; fallback: boolean };

/** `takesOver`: the attempt whose sent or paid work the next one continues before it may send anything itself. */
export type NextAttempt = { candidate: Candidate; takesOver: number | null };

/** Each lost answer may be a charge: a policy may repeat it twice, not for ever. */
const ambiguousSubmitsAtMost = 3;

const after = (candidates: readonly Candidate[], model: string): Candidate | null => {
  const index = candidates.findIndex((candidate) => candidate.model === model);
  return index === -1 ? null : (candidates[index + 1] ?? null);
};

/** Who would be tried next if the attempt on `model` came to nothing; `null` when nobody is left or allowed. */
export const alternativeTo = (
  model: string,
  candidates: readonly Candidate[],
  policy: Pick<AttemptPolicy, 'fallback'>,
): Candidate | null => (policy.fallback ? after(candidates, model) : null);

const mayResubmit = (entries: readonly LedgerEntry[], latest: LedgerEntry, policy: AttemptPolicy): boolean => {
  const lost = entries.filter((entry) => entry.model === latest.model && entry.status === 'ambiguous').length;
  if (lost >= ambiguousSubmitsAtMost) return false;
  if (policy.onAmbiguous === 'resubmit') return true;
  const { estimatedUsd } = latest;
  return (
    policy.onAmbiguous === 'auto' && estimatedUsd !== null && compareMoney(estimatedUsd, policy.resubmitUpToUsd) <= 0
  );
};

const start = (candidate: Candidate | null | undefined, takesOver: number | null = null): NextAttempt | null =>
  candidate ? { candidate, takesOver } : null;

type Situation = {
  entries: readonly LedgerEntry[];
  latest: LedgerEntry;
  candidates: readonly Candidate[];
  policy: AttemptPolicy;
};

const afterFailure = ({ latest, candidates, policy }: Situation): Candidate | null =>
  latest.errorCode !== null && failures[latest.errorCode].tryNextProvider
    ? alternativeTo(latest.model, candidates, policy)
    : null;

const afterLostAnswer = ({ entries, latest, candidates, policy }: Situation, same?: Candidate): Candidate | null => {
  if (policy.onAmbiguous === 'fail_over') return alternativeTo(latest.model, candidates, policy);
  return mayResubmit(entries, latest, policy) ? (same ?? null) : null;
};

const follow = (situation: Situation): NextAttempt | null => {
  const { latest, candidates } = situation;
  const same = candidates.find((candidate) => candidate.model === latest.model);
  switch (latest.status) {
    case 'planned':
      return start(same, latest.takesOver);
    case 'submitting':
    case 'submitted':
    case 'succeeded':
      return start(same, latest.number);
    case 'failed':
    case 'rejected':
      return start(afterFailure(situation));
    case 'ambiguous':
      return start(afterLostAnswer(situation, same));
    case 'canceled':
    case 'superseded':
      return null;
  }
};

/**
 * The next attempt, from the ledger alone, so that a reset, a terminated child and a plain failure all come to the same
 * answer. `null`: nothing more to try, the generation can be settled. `candidates` are those in the running, in order.
 */
export const nextAttempt = (
  entries: readonly LedgerEntry[],
  candidates: readonly Candidate[],
  policy: AttemptPolicy,
): NextAttempt | null => {
  const latest = entries.filter((entry) => entry.status !== 'superseded').at(-1);
  return latest ? follow({ entries, latest, candidates, policy }) : start(candidates[0]);
};
