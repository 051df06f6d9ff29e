import type { AttemptEntry, Books } from './books';
import { isSameCost, settleAccounts, type Account, type Owned } from './ownership';

/** Something the suite promises. `offenders` is empty when it holds. */
export type Check = { promise: string; figure: string; offenders: Offender[] };

/** `generationId`: whose history tells more, where it is about one. */
export type Offender = { what: string; generationId: string | null };

/** What stood in the database when everything was stopped. */
export type Stopped = {
  /** Work that was out. */
  out: { generationId: string; operation: string }[];
  fromMs: number;
  untilMs: number;
};

const terminal: readonly string[] = ['succeeded', 'failed', 'canceled', 'expired'];

const about = (generationId: string, what: string): Offender => ({ generationId, what: `${generationId}: ${what}` });

const nameOf = ({ generationId, number }: AttemptEntry): string => `${generationId}/${number}`;

const firstOf = ({ generations }: Account): string => generations[0]?.id ?? '';

// 1e-8 USD, in which both sides keep their books
const units = (amountUsd: string | null): number => Math.round(Number(amountUsd ?? 0) * 1e8);

const total = (amounts: readonly number[]): number => amounts.reduce((sum, amount) => sum + amount, 0);

const usd = (amount: number): string => (amount / 1e8).toFixed(4);

const count = (things: readonly unknown[], what: string): string => `${things.length} ${what}`;

export const checkLoss = ({ generations }: Books, promised: ReadonlyMap<string, ReadonlySet<string>>): Check => {
  const known = new Map(generations.map((generation) => [generation.id, generation]));
  const missing = [...promised].flatMap(([key, ids]) =>
    [...ids].filter((id) => !known.has(id)).map((id) => about(id, `accepted for ${key}, and not there`)),
  );
  return { promise: 'Nothing that was accepted is lost', figure: count([...promised], 'accepted'), offenders: missing };
};

export const checkEnds = ({ generations }: Books): Check => {
  const offenders = generations
    .filter(({ status }) => !terminal.includes(status))
    .map(({ id, status, phase }) => about(id, `still ${status}, ${phase ?? 'no phase'}`));
  const figure = `${generations.length - offenders.length} of ${generations.length} terminal`;
  return { promise: 'Nothing is stuck: every generation ends', figure, offenders };
};

export const checkDoubles = ({ generations }: Books, promised: ReadonlyMap<string, ReadonlySet<string>>): Check => {
  const perKey = new Map<string, number>();
  for (const { prompt, rerunOf } of generations)
    if (rerunOf === null) perKey.set(prompt, (perKey.get(prompt) ?? 0) + 1);
  const offenders = [
    ...[...promised]
      .filter(([, ids]) => ids.size > 1)
      .map(([key, ids]) => `${key} was answered ${[...ids].join(', ')}`),
    ...[...perKey].filter(([, times]) => times > 1).map(([prompt, times]) => `${times} generations of "${prompt}"`),
  ].map((what) => ({ what, generationId: null }));
  return { promise: 'One Idempotency-Key is one generation', figure: count(offenders, 'doubled'), offenders };
};

/** At most one re-run of a generation is alive at a time. */
export const checkReruns = ({ generations }: Books): Check => {
  const reruns = generations.filter(({ rerunOf }) => rerunOf !== null);
  const offenders = reruns.flatMap((one) =>
    reruns
      .filter((other) => other.rerunOf === one.rerunOf && other.id > one.id)
      .filter((other) => one.completedAt === null || other.createdAt < one.completedAt)
      .map((other) => about(one.id, `was alive when ${other.id} re-ran ${one.rerunOf} too`)),
  );
  return { promise: 'One re-run at a time', figure: count(reruns, 're-runs'), offenders };
};

export const checkOwners = (books: Books): Check => {
  const { accounts, strangers } = settleAccounts(books);
  const owned = accounts.flatMap((account) => account.owned);
  const lost = owned.filter((one) => one.lost);
  const offenders = [
    ...strangers.map(({ provider, operation }) => ({
      what: `${provider} did ${operation} for a prompt of nobody`,
      generationId: null,
    })),
    ...accounts.flatMap((account) => [
      ...account.ownerless.map(({ provider, operation, state }) =>
        about(firstOf(account), `${provider} accepted ${operation} (${state}), and no attempt has it`),
      ),
      ...account.unfounded.map((attempt) =>
        about(
          attempt.generationId,
          `attempt ${nameOf(attempt)} is ${attempt.status}, and ${attempt.provider} has nothing`,
        ),
      ),
    ]),
  ];
  const figure = `${books.ledger.length} accepted = ${owned.length - lost.length} of one attempt each + ${lost.length} of ambiguous ones`;
  return { promise: 'Every accepted paid submit belongs to exactly one attempt', figure, offenders };
};

/** A second request of the SDK, or the very same body accepted twice without a lost answer between. */
export const checkRetries = ({ ledger }: Books): Check => {
  const offenders = ledger
    .filter(({ retryCount }) => retryCount > 0)
    .map(({ provider, operation }) => ({
      what: `${provider} ${operation} was a retry of the SDK`,
      generationId: null,
    }));
  return { promise: 'No SDK sends a second time by itself', figure: count(offenders, 'retries'), offenders };
};

const isBookedRightly = ({ booking, attempt, lost }: Owned): boolean => {
  if (lost || attempt.costUsd === null) return units(booking.costUsd) <= units(attempt.possibleUsd);
  return isSameCost(attempt.costUsd, booking.costUsd);
};

/**
 * The cost of an attempt is what the provider booked for its work. Where we cannot know it (an answer was lost, or a
 * cancelled work's price is not told), it is at most what we call possible.
 */
export const checkMoney = (books: Books): Check => {
  const { accounts } = settleAccounts(books);
  const owned = accounts.flatMap((account) => account.owned);
  const owners = new Set(owned.map(({ attempt }) => attempt));
  const knownCost = owned.filter(({ attempt, lost }) => !lost && attempt.costUsd !== null);
  const unknownCost = owned.filter((one) => !knownCost.includes(one));
  const wrong = owned.filter((one) => !isBookedRightly(one));
  const invented = books.attempts.filter((attempt) => !owners.has(attempt) && units(attempt.costUsd) > 0);
  const offenders = [
    ...wrong.map(({ booking, attempt }) =>
      about(
        attempt.generationId,
        `${nameOf(attempt)} (${attempt.status}) cost ${attempt.costUsd ?? 'unknown'}, possibly ${attempt.possibleUsd ?? 'nothing'}; ${booking.provider} booked ${booking.costUsd}`,
      ),
    ),
    ...invented.map((attempt) =>
      about(attempt.generationId, `${nameOf(attempt)} cost ${attempt.costUsd}, which nobody booked`),
    ),
  ];
  const theirs = usd(total(knownCost.map(({ booking }) => units(booking.costUsd))));
  const ours = usd(total(books.attempts.map(({ costUsd }) => units(costUsd))));
  const unsure = usd(total(unknownCost.map(({ booking }) => units(booking.costUsd))));
  const possible = usd(total(books.attempts.map(({ possibleUsd }) => units(possibleUsd))));
  const figure = `booked ${theirs} = actual ${ours} USD; of unknown fate booked ${unsure} ≤ possible ${possible} USD`;
  return { promise: 'The sums of cost are equal to the cent', figure, offenders };
};

export const checkRunning = (books: Books): Check => {
  const { accounts } = settleAccounts(books);
  const running = accounts.flatMap(({ owned }) => owned).filter(({ booking }) => booking.state === 'running');
  const ambiguous = running.filter(({ lost }) => lost);
  const offenders = running
    .filter(({ lost }) => !lost)
    .map(({ attempt, booking }) =>
      about(attempt.generationId, `${booking.operation} of ${nameOf(attempt)} (${attempt.status}) still runs`),
    );
  const figure = `${offenders.length}, and ${ambiguous.length} of ambiguous attempts`;
  return { promise: 'Nothing is left running at a provider', figure, offenders };
};

/** Work that the provider finished ends as a success, however late we were; the customer's own cancel apart. */
export const checkExpiry = (books: Books): Check => {
  const { accounts } = settleAccounts(books);
  const expired = books.generations.filter(({ status }) => status === 'expired');
  const offenders = accounts
    .flatMap(({ owned }) => owned)
    .filter(({ booking, lost }) => booking.state === 'succeeded' && !lost)
    .flatMap(({ attempt }) => expired.filter(({ id }) => id === attempt.generationId))
    .map(({ id }) => about(id, 'expired, and the provider finished its work'));
  return {
    promise: 'No finished paid work expires',
    figure: `${expired.length} expired, all unfinished or unsent`,
    offenders,
  };
};

const finishedOf = (books: Books, { out }: Stopped) =>
  out.flatMap(({ generationId, operation }) => {
    const generation = books.generations.find(({ id }) => id === generationId);
    const booking = books.ledger.find((row) => row.operation === operation);
    return generation && generation.cancelRequestedAt === null && booking?.state === 'succeeded'
      ? [{ generation, booking }]
      : [];
  });

/** Everything was stopped for a while, and the providers went on. */
export const checkStop = (books: Books, stopped: Stopped): Check => {
  const finished = finishedOf(books, stopped);
  const meanwhile = finished.filter(({ booking }) => {
    const endedMs = Date.parse(booking.endedAt ?? '');
    return endedMs > stopped.fromMs && endedMs < stopped.untilMs;
  });
  const overdue = finished.filter(({ generation }) => generation.deadlineAt.getTime() < stopped.untilMs);
  const offenders = finished.flatMap(({ generation, booking }) => {
    const again = books.ledger.filter(
      (row) => row.promptHash === booking.promptHash && Date.parse(row.submittedAt) > stopped.fromMs,
    );
    return [
      ...again.map(({ provider, operation }) => about(generation.id, `${provider} was sent it again: ${operation}`)),
      ...(generation.status === 'succeeded' ? [] : [about(generation.id, `ended ${generation.status}`)]),
    ];
  });
  const seconds = Math.round((stopped.untilMs - stopped.fromMs) / 1000);
  const figure = `${seconds} s; ${stopped.out.length} out, ${meanwhile.length} finished meanwhile, ${overdue.length} past their deadline`;
  return {
    promise: 'Everything stopped and started: nothing is sent again, finished work succeeds',
    figure,
    offenders:
      meanwhile.length === 0 ? [{ what: 'no provider finished anything meanwhile', generationId: null }] : offenders,
  };
};

/** Bytes as they came out of the API, by `<generation>/<index>`. */
export type Downloads = ReadonlyMap<string, { bytes: number; sha256: string }>;

export const checkArtifacts = ({ generations, artifacts }: Books, downloads: Downloads): Check => {
  const wrong = artifacts
    .filter(({ generationId, index, bytes, sha256 }) => {
      const got = downloads.get(`${generationId}/${index}`);
      return got?.bytes !== bytes || got.sha256 !== sha256;
    })
    .map(({ generationId, index }) => about(generationId, `artifact ${index} is not what was recorded`));
  const having = new Set(artifacts.map(({ generationId }) => generationId));
  const without = generations
    .filter(({ id, status }) => status === 'succeeded' && !having.has(id))
    .map(({ id }) => about(id, 'succeeded without an artifact'));
  const figure = `${artifacts.length} of ${having.size} generations`;
  return { promise: 'Every artifact downloads and matches its hash', figure, offenders: [...wrong, ...without] };
};
