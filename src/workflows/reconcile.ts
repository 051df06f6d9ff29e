import type { ReconcileInput } from './messages';
import { reconcileGenerations, reconcileOrphans } from './proxies';

/** Run by schedules: puts right what the database, the workflow service and, with `orphans`, the providers disagree on. */
export async function reconcile(input: ReconcileInput = {}): Promise<Record<string, number>> {
  return input.orphans === true ? reconcileOrphans() : reconcileGenerations();
}
