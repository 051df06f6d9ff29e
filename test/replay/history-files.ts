import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Client, Connection, WorkflowNotFoundError } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils';
import { attemptWorkflowId, generationWorkflowId, watchWorkflowId } from '../../src/workflows/messages';

export const historiesFolder = path.join(__dirname, 'histories');

type Run = { workflowId: string; runId: string; startTime: Date };

/** Every run that a query finds: a reset leaves the run it was made of behind. */
const listRuns = async (client: Client, query: string): Promise<Run[]> => {
  const found: Run[] = [];
  for await (const run of client.workflow.list({ query })) found.push(run);
  return found;
};

const describeLatest = (client: Client, workflowId: string): Promise<Run | null> =>
  client.workflow
    .getHandle(workflowId)
    .describe()
    .catch((error: unknown) => {
      if (error instanceof WorkflowNotFoundError) return null;
      throw error;
    });

/** The server's list lags behind: what can be named is asked for by name. */
const nameRuns = async (client: Client, generationId: string): Promise<Run[]> => {
  const root = await describeLatest(client, generationWorkflowId(generationId));
  const found = root ? [root] : [];
  for (let number = 1; ; number += 1) {
    const attempt = await describeLatest(client, attemptWorkflowId(generationId, number));
    if (!attempt) return found;
    const watch = await describeLatest(client, watchWorkflowId(generationId, number));
    found.push(attempt, ...(watch ? [watch] : []));
  }
};

const fetchRun = async (client: Client, { workflowId, runId }: Run): Promise<unknown> =>
  JSON.parse(historyToJSON(await client.workflow.getHandle(workflowId, runId).fetchHistory()));

/** As the replayer reads them, the oldest first, by the id of the workflow; its further runs as `<id>#2`, `<id>#3`. */
const fetchRuns = async (client: Client, runs: readonly Run[]): Promise<Map<string, unknown>> => {
  const histories = new Map<string, unknown>();
  const counts = new Map<string, number>();
  const unique = [...new Map(runs.map((run) => [run.runId, run])).values()];
  for (const run of unique.sort((one, other) => one.startTime.getTime() - other.startTime.getTime())) {
    const count = (counts.get(run.workflowId) ?? 0) + 1;
    counts.set(run.workflowId, count);
    histories.set(count === 1 ? run.workflowId : `${run.workflowId}#${count}`, await fetchRun(client, run));
  }
  return histories;
};

/** What a query of the server's own list finds. */
export const fetchListed = async (client: Client, query: string): Promise<Map<string, unknown>> =>
  fetchRuns(client, await listRuns(client, query));

/** Everything of one generation: itself, its attempts, their watches; of each every run. */
export const fetchGeneration = async (client: Client, generationId: string): Promise<Map<string, unknown>> => {
  const query = `WorkflowId STARTS_WITH "${generationWorkflowId(generationId)}"`;
  return fetchRuns(client, [...(await listRuns(client, query)), ...(await nameRuns(client, generationId))]);
};

export const fetchHistories = async (address: string, generationId: string): Promise<Map<string, unknown>> => {
  const connection = await Connection.connect({ address });
  try {
    return await fetchGeneration(new Client({ connection }), generationId);
  } finally {
    await connection.close();
  }
};

/** Where it was recorded is nobody's business: machine names and paths stand in identities, queues and stack traces. */
const withoutOrigin = (name: string, value: unknown): unknown => {
  if (typeof value === 'string' && /^\d+@/.test(value)) return 'recorded';
  return name === 'stackTrace' ? '' : value;
};

/** `generation/<id>/attempt/1/watch#2` → `attempt-1-watch-run-2`; others by their first word, without the time of a schedule. */
const kindOf = (key: string): string => {
  const [workflowId = '', run] = key.split('#');
  const [root = '', , ...rest] = workflowId.split('/');
  const name = root === 'generation' ? ['generate', ...rest].slice(rest.length > 0 ? 1 : 0).join('-') : root;
  return `${name.replace(/-\d{4}-.*$/, '')}${run === undefined ? '' : `-run-${run}`}`;
};

/** An event a line: short, and a difference can be read. */
const write = (history: unknown): string => {
  const { events } = history as { events: unknown[] };
  return `{"events":[\n${events.map((event) => JSON.stringify(event, withoutOrigin)).join(',\n')}\n]}\n`;
};

/** One file a run: `<shape>.<kind>.json`. Returns their names. */
export const saveHistories = async (shape: string, histories: ReadonlyMap<string, unknown>): Promise<string[]> => {
  await mkdir(historiesFolder, { recursive: true });
  const names: string[] = [];
  for (const [key, history] of histories) {
    const name = `${shape}.${kindOf(key)}.json`;
    await writeFile(path.join(historiesFolder, name), write(history));
    names.push(name);
  }
  return names;
};
