import { reconcileGenerations } from './proxies';

/** Run by a schedule: puts right what the database and the workflow service disagree on. */
export async function reconcile(): ReturnType<typeof reconcileGenerations> {
  return reconcileGenerations();
}
