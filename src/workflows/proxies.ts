import { ActivityCancellationType, proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { Activities } from '../activities';
import { taskQueues } from './messages';

/**
 * Steps that only read and write the ledger. Each is harmless to run twice, so they run inside the workflow task: no
 * round trip, one history event. They wait out any outage of PostgreSQL: longer pauses become timers.
 */
export const ledger = proxyLocalActivities<
  Pick<Activities, 'analyzeRequest' | 'chooseCandidates' | 'planAttempt' | 'releaseAttempt' | 'settleGeneration'>
>({
  scheduleToCloseTimeout: '14 days',
  startToCloseTimeout: '30 seconds',
  localRetryThreshold: '5 seconds',
  retry: { initialInterval: '250 milliseconds', backoffCoefficient: 2, maximumInterval: '1 minute' },
});

/** A killed worker's step is noticed after this long. */
const heartbeatTimeout = '6 seconds';

/** Longest submit (a synchronous model's) plus an hour in which an answer waits for the database to come back. */
const submitTimeout = '90 minutes';

/**
 * What the input names by address. The step itself loses patience after some minutes; only an outage of ours makes it
 * take longer, and never longer than the longest deadline.
 */
export const { fetchInputs } = proxyActivities<Pick<Activities, 'fetchInputs'>>({
  taskQueue: taskQueues.transfers,
  summary: 'fetch inputs',
  startToCloseTimeout: '15 minutes',
  scheduleToCloseTimeout: '25 hours',
  heartbeatTimeout,
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '20 seconds' },
});

type Named = { provider: string; number: number };

const summary = (what: string, { provider, number }: Named): string => `${what} · ${provider} · attempt ${number}`;

/**
 * The paid call, on a queue of its own. Its tries are unlimited on purpose: the ledger counts what a provider refused,
 * a worker's death must not use up a try.
 */
export const submitTo = (named: Named) =>
  proxyActivities<Pick<Activities, 'submitAttempt'>>({
    taskQueue: taskQueues.providers,
    summary: summary('submit', named),
    startToCloseTimeout: submitTimeout,
    heartbeatTimeout,
    // the maximum is the longest rate limit that can be waited for: the server cuts delays down to it
    retry: { initialInterval: '2 seconds', backoffCoefficient: 1, maximumInterval: '1 hour' },
  }).submitAttempt;

/**
 * One look a try: `not_ready` carries the delay until the next. Not for ever, so that a run of this length shows up as
 * timed out and is begun afresh. `maximumInterval` must exceed every delay: the server cuts delays down to it.
 */
export const pollAt = (named: Named) =>
  proxyActivities<Pick<Activities, 'pollAttempt'>>({
    taskQueue: taskQueues.polls,
    summary: summary('poll', named),
    startToCloseTimeout: '1 minute',
    heartbeatTimeout,
    scheduleToCloseTimeout: '48 hours',
    retry: { initialInterval: '5 seconds', backoffCoefficient: 1, maximumInterval: '1 hour' },
    // a look that says "not ready" while it is being cancelled must not count as failed
    cancellationType: ActivityCancellationType.TRY_CANCEL,
  }).pollAttempt;

export const transferFrom = (named: Named) =>
  proxyActivities<Pick<Activities, 'storeArtifacts'>>({
    taskQueue: taskQueues.transfers,
    summary: summary('store', named),
    startToCloseTimeout: '1 hour',
    scheduleToCloseTimeout: '7 days',
    heartbeatTimeout,
    retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '1 minute' },
  }).storeArtifacts;

export const { cancelOperation } = proxyActivities<Pick<Activities, 'cancelOperation'>>({
  taskQueue: taskQueues.providers,
  startToCloseTimeout: '1 minute',
  heartbeatTimeout,
  scheduleToCloseTimeout: '2 hours',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '1 minute' },
});

export const { reconcileGenerations } = proxyActivities<Pick<Activities, 'reconcileGenerations'>>({
  taskQueue: taskQueues.generations,
  startToCloseTimeout: '5 minutes',
  heartbeatTimeout,
  scheduleToCloseTimeout: '10 minutes',
});

/** It calls providers. A page that does not answer is asked again at the next round. */
export const { reconcileOrphans } = proxyActivities<Pick<Activities, 'reconcileOrphans'>>({
  taskQueue: taskQueues.providers,
  startToCloseTimeout: '10 minutes',
  heartbeatTimeout,
  retry: { maximumAttempts: 1 },
});

/** A check that does not end is made again at the next round. */
export const { checkProviders } = proxyActivities<Pick<Activities, 'checkProviders'>>({
  taskQueue: taskQueues.providers,
  startToCloseTimeout: '30 seconds',
  scheduleToCloseTimeout: '1 minute',
  retry: { maximumAttempts: 1 },
});

/** Somebody waits for it, and a second call would show something else. */
export const { probeProvider } = proxyActivities<Pick<Activities, 'probeProvider'>>({
  taskQueue: taskQueues.providers,
  startToCloseTimeout: '20 seconds',
  scheduleToCloseTimeout: '25 seconds',
  retry: { maximumAttempts: 1 },
});
