/** Every so many turns one goes to whoever waits longest: a tenant's weight holds for the others. */
const byWeight = 0.9;

export type Shares = {
  /** Of whom it is told. */
  tenant: string;
  /** Its part of all weights, 0 to 1. */
  share: number;
  /** How many may be sent at once, and so in any order. */
  atOnce: number;
};

/**
 * Where the order in which tenants were sent departs from their weights, from a time when all of it stood in line. Until its last
 * one the tenant has had its share of every beginning of the order: all of it, or what is left of it where each floor turn went to
 * somebody else.
 */
export const findUnfairness = (order: readonly string[], { tenant, share, atOnce }: Shares): string[] => {
  const contested = order.slice(0, order.lastIndexOf(tenant) + 1);
  const slack = atOnce + 2;
  const wrong: string[] = [];
  let own = 0;
  for (const [index, name] of contested.entries()) {
    if (name === tenant) own += 1;
    const turns = index + 1;
    const [least, most] = [byWeight * share * turns - slack, share * turns + slack];
    if (own < least || own > most)
      wrong.push(`of the first ${turns} turns ${own}, fair were ${least.toFixed(1)} to ${most.toFixed(1)}`);
  }
  return wrong;
};

export type Waiter = { priority: 'high' | 'low'; sinceMs: number; sentMs: number };

const floorEvery = 10;

/**
 * How many turns each low one waited for, and how many it may: those of another priority that were there before it, then at most
 * ten for every floor turn that went to one of its kind, and for its own.
 */
export const findStarved = (waiters: readonly Waiter[], atOnce: number): string[] => {
  const order = [...waiters].sort((left, right) => left.sentMs - right.sentMs);
  const lows = order.filter(({ priority }) => priority === 'low');
  return lows.flatMap((low, index) => {
    const place = order.indexOf(low);
    const older = waiters.filter(({ priority, sinceMs }) => priority === 'high' && sinceMs < low.sinceMs).length;
    const most = older + floorEvery * (index + 1) + atOnce;
    return place <= most ? [] : [`a low one came after ${place} others, at most ${most} are fair`];
  });
};

/** How many of another priority were sent before older low ones: that there was somebody to starve for. */
export const countOvertakings = (waiters: readonly Waiter[]): number =>
  waiters.filter(
    ({ priority, sinceMs, sentMs }) =>
      priority === 'high' &&
      waiters.some((low) => low.priority === 'low' && low.sinceMs < sinceMs && low.sentMs > sentMs),
  ).length;
