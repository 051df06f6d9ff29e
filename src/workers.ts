import { makeTelemetryFilterString, Runtime, Worker, type WorkerOptions } from '@temporalio/worker';
import { createActivities } from './activities';
import type { Dependencies } from './activities/dependencies';
import type { Settings } from './settings';
import { taskQueues } from './workflows/messages';

type Shared = Pick<WorkerOptions, 'connection' | 'namespace' | 'workflowBundle' | 'workerDeploymentOptions'>;

/** How many run at once in one process. Looks are short, transfers fill the line. */
const concurrency = { generations: 100, providers: 200, polls: 100, transfers: 20 };

const behaviors = { auto_upgrade: 'AUTO_UPGRADE', pinned: 'PINNED' } as const;

/** Nothing without a build id: a worker that has a version gets no work until somebody makes that version the current one. */
export const versionedAs = ({
  behavior,
  deployment,
  buildId,
}: Settings['versioning']): Pick<WorkerOptions, 'workerDeploymentOptions'> =>
  buildId === undefined
    ? {}
    : {
        workerDeploymentOptions: {
          useWorkerVersioning: true,
          version: { deploymentName: deployment, buildId },
          defaultVersioningBehavior: behaviors[behavior],
        },
      };

/** A submit in flight may finish while the process stops; killing it would leave its fate unknown. */
const longestSubmitMs = ({ models, settings, credentials }: Dependencies): number =>
  Math.max(
    ...models.flatMap((model) =>
      [null, ...(credentials[model.provider] ?? [])].map((credential) => settings.submitTimeoutMs(model, credential)),
    ),
  );

/** The SDK's own log goes where ours goes. */
export const routeTemporalLog = ({ logger }: Pick<Dependencies, 'logger'>): void => {
  const write = (level: 'trace' | 'debug' | 'info' | 'warn' | 'error') => (message: string, fields?: object) =>
    logger[level](fields ?? {}, message);
  Runtime.install({
    // signals have one owner: run-process
    shutdownSignals: [],
    logger: {
      log: (level, message, fields) => write(level.toLowerCase() as 'info')(message, fields),
      trace: write('trace'),
      debug: write('debug'),
      info: write('info'),
      warn: write('warn'),
      error: write('error'),
    },
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'WARN' }), forward: {} } },
  });
};

/** One worker a task queue: provider calls, looks and transfers cannot crowd each other or the workflows out. */
export const createWorkers = (dependencies: Dependencies, { workflowBundle, ...shared }: Shared): Promise<Worker[]> => {
  const activities = createActivities(dependencies);
  const graceMs = longestSubmitMs(dependencies) + 5_000;
  const forActivities = (taskQueue: 'providers' | 'polls' | 'transfers', shutdownGraceTime: number) =>
    Worker.create({
      ...shared,
      taskQueue,
      activities,
      shutdownGraceTime,
      maxConcurrentActivityTaskExecutions: concurrency[taskQueue],
    });
  return Promise.all([
    Worker.create({
      ...shared,
      ...(workflowBundle && { workflowBundle }),
      taskQueue: taskQueues.generations,
      activities,
      maxCachedWorkflows: 1_000,
      maxConcurrentLocalActivityExecutions: concurrency.generations,
      // a killed worker's workflows move on to another one after this long
      stickyQueueScheduleToStartTimeout: '5 seconds',
      shutdownGraceTime: 10_000,
    }),
    forActivities(taskQueues.providers, graceMs),
    forActivities(taskQueues.polls, 10_000),
    forActivities(taskQueues.transfers, 1_000),
  ]);
};
