import { ActivityFailure } from '@temporalio/workflow';
import { listenForHints, lookUntilEnded } from './looking';
import type { WatchInput } from './messages';
import { cancelOperation } from './proxies';

/**
 * Work whose generation has ended without it: cancelled at the provider, looked at until it has stopped there, and
 * booked with what it cost.
 */
export async function watch({ generationId, number }: WatchInput): Promise<{ state: string }> {
  const hint = listenForHints();
  try {
    await cancelOperation({ generationId, number });
  } catch (error) {
    // it could not be told to stop; what it does is watched all the same
    if (!(error instanceof ActivityFailure)) throw error;
  }
  const { state } = await lookUntilEnded({ generationId, number, provider: 'watch', watching: true }, hint);
  return { state };
}
