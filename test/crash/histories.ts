import { Client, Connection } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { projectFolder } from '../../src/embedded/entries';
import type { Check, Offender } from './checks';

/** `WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR`. */
const nonDeterministic = 24;

type History = Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['fetchHistory']>>;

export type Histories = {
  /** Of generations, attempts and watches that still run. */
  listOpen(): Promise<string[]>;
  /** Searches every history, and replays some of them. */
  check(replays: number): Promise<Check[]>;
  /** As files that the replayer reads. */
  save(generationIds: ReadonlySet<string>, folder: string): Promise<void>;
  close(): Promise<void>;
};

const ours = 'WorkflowType IN ("generate", "attempt", "watch")';

const generationOf = (workflowId: string): string | null => workflowId.split('/')[1] ?? null;

const list = async (client: Client, query: string): Promise<{ id: string; runId: string; status: string }[]> => {
  const found: { id: string; runId: string; status: string }[] = [];
  for await (const { workflowId, runId, status } of client.workflow.list({ query }))
    found.push({ id: workflowId, runId, status: status.name });
  return found;
};

const failedTasks = ({ events }: History): { cause: number; message: string }[] =>
  (events ?? []).flatMap(({ workflowTaskFailedEventAttributes: failed }) =>
    failed ? [{ cause: Number(failed.cause ?? 0), message: failed.failure?.message ?? '' }] : [],
  );

/** With the very bundle the workers ran. */
const replay = async (histories: ReadonlyMap<string, History>): Promise<Offender[]> => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const workflowBundle = { codePath: path.join(projectFolder, 'dist', 'workflow-bundle.js') };
  const offenders: Offender[] = [];
  const all = [...histories].map(([workflowId, history]) => ({ workflowId, history }));
  for await (const { workflowId, error } of Worker.runReplayHistories({ workflowBundle }, all))
    if (error) offenders.push({ what: `${workflowId}: ${error.message}`, generationId: generationOf(workflowId) });
  return offenders;
};

const check = async (client: Client, replays: number): Promise<Check[]> => {
  const workflows = await list(client, ours);
  const histories = new Map<string, History>();
  const failures: Offender[] = [];
  let failedTaskCount = 0;
  for (const { id, runId } of workflows) {
    const history = await client.workflow.getHandle(id, runId).fetchHistory();
    histories.set(`${id}#${runId}`, history);
    const failed = failedTasks(history);
    failedTaskCount += failed.length;
    for (const { cause, message } of failed)
      if (cause === nonDeterministic || /nondeterminism/i.test(message))
        failures.push({ what: `${id}: ${message}`, generationId: generationOf(id) });
  }
  const step = Math.max(1, Math.floor(histories.size / replays));
  const sample = new Map([...histories].filter((_, index) => index % step === 0));
  const offenders = [...failures, ...(await replay(sample))];
  const ended = workflows.filter(({ status }) => status !== 'COMPLETED');
  return [
    {
      promise: 'No workflow is non-deterministic',
      figure: `${workflows.length} histories searched, ${sample.size} replayed, ${failedTaskCount} workflow tasks failed otherwise`,
      offenders,
    },
    {
      promise: 'Every workflow ends by itself',
      figure: `${workflows.length - ended.length} of ${workflows.length} completed`,
      offenders: ended.map(({ id, status }) => ({ what: `${id} ${status}`, generationId: generationOf(id) })),
    },
  ];
};

export const openHistories = async (address: string): Promise<Histories> => {
  const connection = await Connection.connect({ address, connectTimeout: 10_000 });
  const client = new Client({ connection });
  return {
    listOpen: async () => {
      for (;;) {
        try {
          return (await list(client, `${ours} AND ExecutionStatus = "Running"`)).map(({ id }) => id);
        } catch {
          await pause(200);
        }
      }
    },
    check: (replays) => check(client, replays),
    save: async (generationIds, folder) => {
      await mkdir(folder, { recursive: true });
      for (const { id, runId } of await list(client, ours)) {
        if (!generationIds.has(generationOf(id) ?? '')) continue;
        const history = historyToJSON(await client.workflow.getHandle(id, runId).fetchHistory());
        await writeFile(path.join(folder, `${id.replaceAll('/', '-')}.json`), history);
      }
    },
    close: () => connection.close(),
  };
};
