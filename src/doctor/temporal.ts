import { Client, Connection, ScheduleNotFoundError } from '@temporalio/client';
import type { ClientConnectConfig } from '@temporalio/envconfig';
import type { Check } from '../cli/commands/doctor';
import { schedules, searchAttributes, taskQueues } from '../workflows/messages';

const callTimeoutMs = 5_000;
/** A worker that is there asks again after a minute at most. */
const pollerFreshMs = 90_000;

type Look = { client: Client; namespace: string };

const startWorker = 'start a worker: npm run start:worker';

const fail = (name: string, detail: string, fix: string): Check => ({ name, status: 'fail', detail, fix });
const warn = (name: string, detail: string, fix: string): Check => ({ name, status: 'warn', detail, fix });
const ok = (name: string, detail: string): Check => ({ name, status: 'ok', detail, fix: null });

/** gRPC puts what happened into `details`. */
const reasonOf = (error: unknown): string => {
  const { details, message, cause } = error as { details?: string; message: string; cause?: unknown };
  if (cause instanceof Error) return reasonOf(cause);
  return details === undefined || details === '' ? message : details;
};

/** One of what cannot be seen is no reason not to look at the rest. */
const guarded = async (name: string, look: () => Promise<Check>): Promise<Check> => {
  try {
    return await look();
  } catch (error) {
    return warn(name, `cannot be seen: ${reasonOf(error)}`, 'look at it in Temporal’s Web UI');
  }
};

const notFound = 5; // gRPC

const checkNamespace = async ({ client, namespace }: Look): Promise<Check> => {
  const name = 'namespace';
  try {
    const { namespaceInfo } = await client.workflowService.describeNamespace({ namespace });
    return ok(name, namespaceInfo?.name ?? namespace);
  } catch (error) {
    if ((error as { code?: number }).code !== notFound) throw error;
    return fail(name, `there is no namespace ${namespace}`, 'create it, or correct TEMPORAL_NAMESPACE');
  }
};

const checkSearchAttributes = async ({ client, namespace }: Look): Promise<Check> => {
  const name = 'search attributes';
  const { customAttributes } = await client.connection.operatorService.listSearchAttributes({ namespace });
  const missing = searchAttributes.filter((attribute) => !(attribute in customAttributes));
  if (missing.length === 0) return ok(name, searchAttributes.join(', '));
  const fix = 'start a worker, which registers them, or add them as keywords in the server’s own console';
  return warn(name, `missing: ${missing.join(', ')}; runs go without, only searching for them does not`, fix);
};

const checkSchedule = async ({ client }: Look, id: string): Promise<Check> => {
  const name = `schedule ${id}`;
  try {
    const { state, info } = await client.schedule.getHandle(id).describe();
    if (state.paused) {
      const fix = `go on with it: temporal schedule toggle --schedule-id ${id} --unpause --reason done`;
      return fail(name, 'paused: nothing that went wrong is put right', fix);
    }
    const last = info.recentActions.at(-1)?.takenAt.toISOString();
    return ok(name, last === undefined ? 'waits for its first time' : `ran last at ${last}`);
  } catch (error) {
    if (!(error instanceof ScheduleNotFoundError)) throw error;
    return fail(name, 'there is none', `${startWorker}: it makes one`);
  }
};

type Queue = keyof typeof taskQueues;

/** `TASK_QUEUE_TYPE_WORKFLOW` and `TASK_QUEUE_TYPE_ACTIVITY`. */
const kindOf = (queue: Queue): 1 | 2 => (queue === 'generations' ? 1 : 2);

const checkQueue = async ({ client, namespace }: Look, queue: Queue): Promise<Check> => {
  const name = `queue ${queue}`;
  const { pollers } = await client.workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: taskQueues[queue] },
    taskQueueType: kindOf(queue),
  });
  const now = Date.now();
  const fresh = (pollers ?? []).filter(
    ({ lastAccessTime }) => now - Number(lastAccessTime?.seconds ?? 0) * 1000 < pollerFreshMs,
  );
  if (fresh.length === 0) return fail(name, 'no worker asks for its work', startWorker);
  const workers = new Set(fresh.map(({ identity }) => identity)).size;
  return ok(name, workers === 1 ? 'one worker' : `${workers} workers`);
};

const inspect = async (look: Look): Promise<Check[]> => {
  const { serverVersion } = await look.client.workflowService.getSystemInfo({});
  const reachable = ok('temporal', `server ${serverVersion ?? 'of unknown version'} at ${addressOf(look.client)}`);
  const namespace = await guarded('namespace', () => checkNamespace(look));
  if (namespace.status === 'fail') return [reachable, namespace];
  const rest = await Promise.all([
    guarded('search attributes', () => checkSearchAttributes(look)),
    ...Object.values(schedules).map((id) => guarded(`schedule ${id}`, () => checkSchedule(look, id))),
    ...Object.values(taskQueues).map((queue) => guarded(`queue ${queue}`, () => checkQueue(look, queue))),
  ]);
  return [reachable, namespace, ...rest];
};

const addressOf = ({ connection }: Client): string => (connection as Connection).options.address ?? '';

/** Looks only: nothing is started or registered. */
export const checkTemporal = async ({
  connectionOptions,
  namespace = 'default',
}: ClientConnectConfig): Promise<Check[]> => {
  const { address = '', tls, apiKey, metadata } = connectionOptions;
  let connection: Connection | null = null;
  try {
    connection = await Connection.connect({
      connectTimeout: callTimeoutMs,
      address,
      ...(tls !== undefined && tls !== null && { tls }),
      ...(apiKey !== undefined && { apiKey }),
      ...(metadata !== undefined && { metadata }),
    });
    const client = new Client({ connection, namespace });
    return await client.withDeadline(Date.now() + 2 * callTimeoutMs, () => inspect({ client, namespace }));
  } catch (error) {
    const fix = 'start Temporal, or correct TEMPORAL_ADDRESS and the TEMPORAL_… variables next to it';
    return [fail('temporal', `${address}: ${reasonOf(error)}`, fix)];
  } finally {
    await connection?.close().catch(() => undefined);
  }
};
