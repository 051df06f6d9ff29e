import {
  Client,
  Connection,
  ScheduleAlreadyRunning,
  ScheduleOverlapPolicy,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  WorkflowNotFoundError,
} from '@temporalio/client';
import {
  ActivityFailure,
  defineSearchAttributeKey,
  TimeoutFailure,
  type SearchAttributePair,
} from '@temporalio/common';
import type { ClientConnectConfig } from '@temporalio/envconfig';
import type { WorkflowPort } from './activities/dependencies';
import { SureshotError } from './domain/failure';
import type { Start } from './domain/generation';
import type { ProbeResult } from './domain/probe';
import type { generate, health, probe, reconcile, watch } from './workflows';
import {
  attemptWorkflowId,
  generationWorkflowId,
  priorityKeys,
  probeWorkflowId,
  schedules,
  searchAttributes,
  signals,
  taskQueues,
  watchWorkflowId,
  type ProbeInput,
} from './workflows/messages';

const reachTimeoutMs = 1_000;
/** A start that is not answered by then is tried again later; the row is committed, nothing is lost. */
const callTimeoutMs = 5_000;
/** Past the end of the workflow itself. */
const probeTimeoutMs = 35_000;

const unknownAttribute = /search attribute/i;
const alreadyExists = 6; // gRPC

/** `INDEXED_VALUE_TYPE_KEYWORD`. */
const keyword = 2;

export type Temporal = WorkflowPort & {
  /** The provider has told something about this attempt. */
  callBack(attempt: { generationId: string; number: number }): Promise<void>;
  isReachable(): Promise<boolean>;
  /** Waits for the result; throws `system_unavailable` when no worker has one in time. */
  probe(provider: string, credential: string): Promise<ProbeResult>;
  /** Registers our search attributes, where the server allows it, and the schedules. */
  prepare(settings: { everySeconds: number; orphansEverySeconds: number; healthEverySeconds: number }): Promise<void>;
  close(): Promise<void>;
};

type State = { client: Client; searchable: boolean };

const keywords = (values: Record<string, string>): SearchAttributePair[] =>
  Object.entries(values).map(([name, value]) => ({ key: defineSearchAttributeKey(name, 'KEYWORD'), value }));

const startOnce = async (state: State, generation: Start): Promise<void> => {
  const { client, searchable } = state;
  const { id, tenantId, weight, medium, priority, delayMs } = generation;
  await client.withDeadline(Date.now() + callTimeoutMs, () =>
    client.workflow.start<typeof generate>('generate', {
      taskQueue: taskQueues.generations,
      workflowId: generationWorkflowId(id),
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
      workflowIdConflictPolicy: 'FAIL',
      args: [{ generationId: id, searchable }],
      staticSummary: `${medium} · tenant ${tenantId}`,
      ...(delayMs !== undefined && delayMs > 0 && { startDelay: delayMs }),
      priority: { priorityKey: priorityKeys[priority], fairnessKey: tenantId.slice(0, 64), fairnessWeight: weight },
      ...(searchable && {
        typedSearchAttributes: keywords({ SureshotTenant: tenantId, SureshotMedium: medium, SureshotStatus: 'queued' }),
      }),
    }),
  );
};

const start = async (state: State, generation: Start): Promise<'started' | 'exists'> => {
  try {
    await startOnce(state, generation);
    return 'started';
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return 'exists';
    const detail = `${(error as Error).message} ${((error as Error).cause as Error | undefined)?.message ?? ''}`;
    if (!state.searchable || !unknownAttribute.test(detail)) throw error;
    state.searchable = false;
    return start(state, generation);
  }
};

const registerSearchAttributes = async ({ client }: State, namespace: string): Promise<void> => {
  const names = Object.fromEntries(searchAttributes.map((name) => [name, keyword]));
  try {
    await client.connection.operatorService.addSearchAttributes({ namespace, searchAttributes: names });
  } catch (error) {
    // hosted servers leave this to their own console: starts then go without
    if ((error as { code?: number }).code !== alreadyExists) return;
  }
};

type Schedule = { id: string; everySeconds: number } & (
  | { workflowType: 'reconcile'; args: Parameters<typeof reconcile> }
  | { workflowType: 'health'; args: Parameters<typeof health> }
);

const createSchedule = async ({ client }: State, { id, everySeconds, workflowType, args }: Schedule): Promise<void> => {
  const spec = { intervals: [{ every: everySeconds * 1000 }] };
  const action = {
    type: 'startWorkflow',
    workflowType,
    args,
    workflowId: id,
    taskQueue: taskQueues.generations,
    workflowExecutionTimeout: '15 minutes',
  } as const;
  const policies = { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 minute' } as const;
  try {
    await client.schedule.create({ scheduleId: id, spec, action, policies });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    const changed = { spec, action, policies };
    await client.schedule.getHandle(id).update((previous) => ({ ...previous, ...changed }));
  }
};

/** What has ended needs no news: the ledger has them. */
const signalIfOpen = async ({ client }: State, workflowId: string, signal: string): Promise<'told' | 'gone'> => {
  try {
    await client.workflow.getHandle(workflowId).signal(signal);
    return 'told';
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
    return 'gone';
  }
};

const isClosed = async ({ client }: State, generationId: string): Promise<boolean> => {
  try {
    const { status } = await client.workflow.getHandle(generationWorkflowId(generationId)).describe();
    return status.name !== 'RUNNING' && status.name !== 'PAUSED';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return true;
    throw error;
  }
};

const startWatch = async (
  { client }: State,
  key: { generationId: string; number: number },
): Promise<'started' | 'exists'> => {
  try {
    await client.workflow.start<typeof watch>('watch', {
      taskQueue: taskQueues.generations,
      workflowId: watchWorkflowId(key.generationId, key.number),
      // one that ended before its work was known, or that could not settle it, may be needed again
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      workflowIdConflictPolicy: 'FAIL',
      args: [key],
    });
    return 'started';
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return 'exists';
    throw error;
  }
};

/** The start has little time: without a server it would be tried for as long as the result may take. */
const executeProbe = async (client: Client, input: ProbeInput): Promise<ProbeResult> => {
  const handle = await client.withDeadline(Date.now() + callTimeoutMs, () =>
    client.workflow.start<typeof probe>('probe', {
      taskQueue: taskQueues.generations,
      workflowId: probeWorkflowId(input),
      workflowIdConflictPolicy: 'USE_EXISTING',
      workflowExecutionTimeout: '30 seconds',
      args: [input],
    }),
  );
  return client.withDeadline(Date.now() + probeTimeoutMs, () => handle.result());
};

const isTimeout = (cause: Error | undefined): boolean =>
  cause instanceof TimeoutFailure || (cause instanceof ActivityFailure && cause.cause instanceof TimeoutFailure);

const runProbe = async ({ client }: State, input: ProbeInput): Promise<ProbeResult> => {
  try {
    return await executeProbe(client, input);
  } catch (error) {
    // what a worker says went wrong with it is a fault of ours; else there was no worker, or no server
    if (error instanceof WorkflowFailedError && !isTimeout(error.cause)) throw error;
    const unavailable = new SureshotError('system_unavailable', 'no worker tried the key in time; ask again soon');
    throw Object.assign(unavailable, { cause: error });
  }
};

/** Lazy: works, and answers quickly, while the server is away. */
export const connectTemporal = ({ connectionOptions, namespace = 'default' }: ClientConnectConfig): Temporal => {
  const { address, tls, apiKey, metadata } = connectionOptions;
  const connection = Connection.lazy({
    connectTimeout: reachTimeoutMs,
    ...(address !== undefined && { address }),
    ...(tls !== undefined && tls !== null && { tls }),
    ...(apiKey !== undefined && { apiKey }),
    ...(metadata !== undefined && { metadata }),
  });
  const state: State = { client: new Client({ connection, namespace }), searchable: true };
  const within = <Result>(work: () => Promise<Result>): Promise<Result> =>
    state.client.withDeadline(Date.now() + callTimeoutMs, work);
  return {
    start: (generation) => start(state, generation),
    cancel: (generationId) =>
      within(async () => {
        try {
          await state.client.workflow.getHandle(generationWorkflowId(generationId)).cancel();
        } catch (error) {
          if (!(error instanceof WorkflowNotFoundError)) throw error;
        }
      }),
    resolve: async (generationId) => {
      await within(() => signalIfOpen(state, generationWorkflowId(generationId), signals.resolved));
    },
    callBack: async ({ generationId, number }) => {
      await within(() => signalIfOpen(state, attemptWorkflowId(generationId, number), signals.providerCallback));
    },
    giveTurn: ({ generationId, number }) =>
      within(() => signalIfOpen(state, attemptWorkflowId(generationId, number), signals.turn)),
    isClosed: (generationId) => within(() => isClosed(state, generationId)),
    watch: (key) => within(() => startWatch(state, key)),
    probe: (provider, credential) => runProbe(state, { provider, credential }),
    isReachable: () =>
      state.client
        .withDeadline(Date.now() + reachTimeoutMs, () => connection.workflowService.getSystemInfo({}))
        .then(
          () => true,
          () => false,
        ),
    prepare: async ({ everySeconds, orphansEverySeconds, healthEverySeconds }) => {
      await within(() => registerSearchAttributes(state, namespace));
      const planned: Schedule[] = [
        { id: schedules.reconcile, everySeconds, workflowType: 'reconcile', args: [{}] },
        {
          id: schedules.orphans,
          everySeconds: orphansEverySeconds,
          workflowType: 'reconcile',
          args: [{ orphans: true }],
        },
        { id: schedules.health, everySeconds: healthEverySeconds, workflowType: 'health', args: [] },
      ];
      for (const schedule of planned) await within(() => createSchedule(state, schedule));
    },
    close: () => connection.close(),
  };
};
