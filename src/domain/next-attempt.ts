import { failures, type FailureCode } from './failure';
import type { AmbiguityPolicy, AttemptStatus, Candidate } from './generation';
import { compareMoney, type Money } from './money';

/** What a person may decide about a lost answer. `adopt` names the operation and makes the attempt submitted. */
export const resolutions = ['resubmit', 'fail_over', 'adopt', 'abandon'] as const;
export type ResolutionAction = (typeof resolutions)[number];

/** What the choice of the next step needs of an attempt's row. */
export type LedgerEntry = {
  number: number;
  provider: string;
  model: string;
  status: AttemptStatus;
  errorCode: FailureCode | null;
  /** `null`: the price is not known. */
  estimatedUsd: Money | null;
  /** The earlier attempt this one had to settle first and did not live to. */
  takesOver: number | null;
  /** What a person decided about its lost answer. */
  resolution: ResolutionAction | null;
  /** A re-run's first attempt, with the work of the generation before. `begun`: a workflow has it. */
  adopted: { begun: boolean } | null;
};

export type AttemptPolicy = { onAmbiguous: AmbiguityPolicy; resubmitUpToUsd: Money; fallback: boolean };

type Work = Pick<Candidate, 'provider' | 'model' | 'estimatedCostUsd'>;

export type NextStep =
  /** `takesOver`: the attempt whose sent or paid work this one continues before it may send anything itself. */
  | { action: 'attempt'; candidate: Work; takesOver: number | null }
  /** An adopted attempt that nobody has begun. */
  | { action: 'begin'; number: number }
  /** A lost answer: a person decides. */
  | { action: 'hold'; number: number }
  /** Nothing more to try: the generation can be settled. */
  | { action: 'stop' };

/** Each lost answer may be a charge: a policy may repeat it twice, not for ever. */
const ambiguousSubmitsAtMost = 3;

/** Work that was paid and whose result is lost is paid for once more, at most. */
const lostResultsAtMost = 1;

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

const stop: NextStep = { action: 'stop' };

const start = (candidate: Work | null | undefined, takesOver: number | null = null): NextStep =>
  candidate ? { action: 'attempt', candidate, takesOver } : stop;

type Situation = {
  entries: readonly LedgerEntry[];
  latest: LedgerEntry;
  candidates: readonly Candidate[];
  policy: AttemptPolicy;
};

const sameAs = ({ latest, candidates }: Situation): Candidate | undefined =>
  candidates.find((candidate) => candidate.model === latest.model);

/** What is out is followed, also when its model is not among the candidates any more. */
const goOn = ({ latest }: Situation, takesOver: number | null): NextStep =>
  start({ provider: latest.provider, model: latest.model, estimatedCostUsd: latest.estimatedUsd }, takesOver);

/** Whether paying for the same work once more may be decided without a person. */
const mayPayAgain = ({ latest: { estimatedUsd }, policy }: Situation): boolean =>
  policy.onAmbiguous === 'resubmit' ||
  (policy.onAmbiguous === 'auto' && estimatedUsd !== null && compareMoney(estimatedUsd, policy.resubmitUpToUsd) <= 0);

const ofModel = ({ entries, latest }: Situation): LedgerEntry[] =>
  entries.filter((entry) => entry.model === latest.model);

const afterLostResult = (situation: Situation): NextStep => {
  const { latest, candidates, policy } = situation;
  if (policy.onAmbiguous === 'fail_over') return start(alternativeTo(latest.model, candidates, policy));
  const lost = ofModel(situation).filter(({ status, errorCode }) => status === 'failed' && errorCode === lostResult);
  return lost.length <= lostResultsAtMost && mayPayAgain(situation) ? start(sameAs(situation)) : stop;
};

const lostResult: FailureCode = 'provider_result_lost';

const afterFailure = (situation: Situation): NextStep => {
  const { latest, candidates, policy } = situation;
  if (latest.errorCode === lostResult) return afterLostResult(situation);
  return latest.errorCode !== null && failures[latest.errorCode].tryNextProvider
    ? start(alternativeTo(latest.model, candidates, policy))
    : stop;
};

const afterDecision = (situation: Situation, decided: ResolutionAction): NextStep => {
  const { latest, candidates } = situation;
  if (decided === 'resubmit') return start(sameAs(situation));
  // a person asked for it by name: the request's own wish counts no more
  return decided === 'fail_over' ? start(after(candidates, latest.model)) : stop;
};

const afterLostAnswer = (situation: Situation): NextStep => {
  const { latest, candidates, policy } = situation;
  if (latest.resolution !== null) return afterDecision(situation, latest.resolution);
  if (policy.onAmbiguous === 'fail_over') return start(alternativeTo(latest.model, candidates, policy));
  if (!mayPayAgain(situation)) return { action: 'hold', number: latest.number };
  const lost = ofModel(situation).filter(({ status }) => status === 'ambiguous').length;
  return lost < ambiguousSubmitsAtMost ? start(sameAs(situation)) : stop;
};

/** An adopted attempt is begun once; after that it is taken over like any other. */
const followSent = (situation: Situation): NextStep => {
  const { number, adopted } = situation.latest;
  return adopted?.begun === false ? { action: 'begin', number } : goOn(situation, number);
};

/** What the generation before had paid for was no use after all, and a person wanted it run again. */
const startAnew = (situation: Situation): NextStep => start(sameAs(situation));

const following: Record<AttemptStatus, (situation: Situation) => NextStep> = {
  planned: (situation) => goOn(situation, situation.latest.takesOver),
  submitting: followSent,
  submitted: followSent,
  succeeded: followSent,
  failed: (situation) => (situation.latest.adopted ? startAnew(situation) : afterFailure(situation)),
  rejected: afterFailure,
  ambiguous: afterLostAnswer,
  canceled: (situation) => (situation.latest.adopted ? startAnew(situation) : stop),
  superseded: () => stop,
};

/**
 * The next step, from the ledger alone, so that a reset, a terminated child and a plain failure all come to the same
 * answer. `entries` without those whose late work nobody waits for; `candidates` are those in the running, in order.
 */
export const nextStep = (
  entries: readonly LedgerEntry[],
  candidates: readonly Candidate[],
  policy: AttemptPolicy,
): NextStep => {
  const latest = entries.filter((entry) => entry.status !== 'superseded').at(-1);
  return latest ? following[latest.status]({ entries, latest, candidates, policy }) : start(candidates[0]);
};
