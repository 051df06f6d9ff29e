import { catalogue } from '../../src/providers/catalogue';
import type { AttemptEntry, Books, GenerationEntry } from './books';
import { hashPrompt } from './books';
import type { Booking } from './emulator';

/** Work the provider accepted, and the attempt it belongs to. `lost`: to one whose answer never came. */
export type Owned = { booking: Booking; attempt: AttemptEntry; lost: boolean };

/** All that was done for one prompt: a generation and its re-runs, their attempts, and what the provider did for it. */
export type Account = {
  prompt: string;
  generations: GenerationEntry[];
  attempts: AttemptEntry[];
  bookings: Booking[];
  owned: Owned[];
  /** Accepted, and nobody's. */
  ownerless: Booking[];
  /** Attempts that claim accepted work which the provider knows nothing of. */
  unfounded: AttemptEntry[];
};

const groupBy = <Thing>(things: readonly Thing[], keyOf: (thing: Thing) => string): Map<string, Thing[]> => {
  const groups = new Map<string, Thing[]>();
  for (const thing of things) groups.set(keyOf(thing), [...(groups.get(keyOf(thing)) ?? []), thing]);
  return groups;
};

const accepted: readonly string[] = ['submitted', 'succeeded', 'failed', 'canceled'];

/** Says of itself that the provider took its work. */
const claimsWork = ({ status, sentAt }: AttemptEntry): boolean => accepted.includes(status) && sentAt !== null;

const synchronous = new Set(catalogue.filter((model) => model.synchronous === true).map(({ id }) => id));

/** Of an answer that was the result nobody keeps the provider's id; where it was found again, it is known by another one. */
const hasNoComparableId = ({ operation, model }: AttemptEntry): boolean => operation === null || synchronous.has(model);

/** 1e-6 USD: the last digits of tokens' prices are rounded by either side in its own way. */
const tolerance = 1e-6;

export const isSameCost = (one: string | null, other: string | null): boolean =>
  Math.abs(Number(one ?? 0) - Number(other ?? 0)) <= tolerance;

type Match = (booking: Booking, attempt: AttemptEntry) => boolean;

/** By the provider's own id; then what was answered at once, of the same cost if possible; then lost answers. */
const passes: readonly { lost: boolean; fits: Match }[] = [
  { lost: false, fits: (booking, attempt) => claimsWork(attempt) && attempt.operation === booking.operation },
  {
    lost: false,
    fits: (booking, attempt) =>
      claimsWork(attempt) && hasNoComparableId(attempt) && isSameCost(attempt.costUsd, booking.costUsd),
  },
  { lost: false, fits: (_booking, attempt) => claimsWork(attempt) && hasNoComparableId(attempt) },
  { lost: true, fits: (_booking, attempt) => attempt.status === 'ambiguous' },
];

/** Each piece of work gets one attempt at most, and each attempt one piece of work at most. */
const assign = (attempts: readonly AttemptEntry[], bookings: readonly Booking[]) => {
  const freeAttempts = new Set(attempts);
  const freeBookings = new Set(bookings);
  const owned: Owned[] = [];
  for (const { lost, fits } of passes) {
    for (const booking of freeBookings) {
      const attempt = [...freeAttempts].find(
        (candidate) => candidate.provider === booking.provider && fits(booking, candidate),
      );
      if (!attempt) continue;
      owned.push({ booking, attempt, lost });
      freeAttempts.delete(attempt);
      freeBookings.delete(booking);
    }
  }
  return { owned, ownerless: [...freeBookings], unfounded: [...freeAttempts].filter(claimsWork) };
};

export type Accounts = {
  accounts: Account[];
  /** Accepted for a prompt that no generation has. */
  strangers: Booking[];
};

export const settleAccounts = ({ generations, attempts, ledger }: Books): Accounts => {
  const attemptsOf = groupBy(attempts, ({ generationId }) => generationId);
  const bookingsOf = groupBy(ledger, ({ promptHash }) => promptHash);
  const accounts = [...groupBy(generations, ({ prompt }) => prompt)].map(([prompt, group]) => {
    const own = group.flatMap(({ id }) => attemptsOf.get(id) ?? []);
    const bookings = bookingsOf.get(hashPrompt(prompt)) ?? [];
    return { prompt, generations: group, attempts: own, bookings, ...assign(own, bookings) };
  });
  const known = new Set(accounts.map(({ prompt }) => hashPrompt(prompt)));
  return { accounts, strangers: ledger.filter(({ promptHash }) => !known.has(promptHash)) };
};
