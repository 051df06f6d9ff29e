import type { Model } from '../domain/model';
import { ProviderError, type Operation, type Sent } from './provider';

/** No provider tells how soon its lists show what it has accepted: docs/decisions/0010-recovery-doors.md */
const listingLagMs = 60_000;
const askAgainMs = 15_000;

/**
 * Nothing was found in a list that may lag behind: asked again for a while, and then nobody knows. Some lists seem to
 * show only what has ended, so work is given the time it usually takes, twice.
 */
export const concludeAbsence = (model: Model, sent: Sent, now = Date.now()): 'unknown' => {
  const leftMs = sent.at.getTime() + listingLagMs + 2_000 * model.typicalSeconds - now;
  if (leftMs <= 0) return 'unknown';
  throw new ProviderError('provider_timeout', 'The provider may not list this work yet', {
    accepted: 'unknown',
    scope: 'request',
    retryAfterMs: Math.min(leftMs, askAgainMs),
  });
};

const closedStatuses: readonly (number | null)[] = [401, 403, 404];

/** A list that this key may not see tells nothing, now or later. */
export const askAtDoor = async (
  look: () => Promise<Operation | 'absent' | 'unknown'>,
): Promise<Operation | 'absent' | 'unknown'> => {
  try {
    return await look();
  } catch (error) {
    if (error instanceof ProviderError && closedStatuses.includes(error.httpStatus)) return 'unknown';
    throw error;
  }
};
