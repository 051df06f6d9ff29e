import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils';
import { generationWorkflowId } from '../../src/workflows/messages';

export const historiesFolder = path.join(__dirname, 'histories');

/** The workflows of one generation that the server knows: itself, its attempts, their watches. */
const workflowsOf = async (client: Client, generationId: string): Promise<string[]> => {
  const root = generationWorkflowId(generationId);
  const found = [root];
  for (let number = 1; ; number += 1) {
    const attempt = `${root}/attempt/${number}`;
    const exists = await client.workflow
      .getHandle(attempt)
      .describe()
      .then(
        () => true,
        () => false,
      );
    if (!exists) return found;
    found.push(attempt);
    const watch = `${attempt}/watch`;
    if (
      await client.workflow
        .getHandle(watch)
        .describe()
        .then(
          () => true,
          () => false,
        )
    )
      found.push(watch);
  }
};

/** Histories of a generation's workflows as the replayer reads them, by workflow id. */
export const fetchHistories = async (address: string, generationId: string): Promise<Map<string, unknown>> => {
  const connection = await Connection.connect({ address });
  try {
    const client = new Client({ connection });
    const histories = new Map<string, unknown>();
    for (const workflowId of await workflowsOf(client, generationId)) {
      const history = await client.workflow.getHandle(workflowId).fetchHistory();
      histories.set(workflowId, JSON.parse(historyToJSON(history)));
    }
    return histories;
  } finally {
    await connection.close();
  }
};

/** Where it was recorded is nobody's business: machine names and paths stand in identities, queues and stack traces. */
const withoutOrigin = (name: string, value: unknown): unknown => {
  if (typeof value === 'string' && /^\d+@/.test(value)) return 'recorded';
  return name === 'stackTrace' ? '' : value;
};

/** One file a workflow: `<shape>.<kind>.json`. Returns their names. */
export const saveHistories = async (shape: string, histories: Map<string, unknown>): Promise<string[]> => {
  await mkdir(historiesFolder, { recursive: true });
  const names: string[] = [];
  for (const [workflowId, history] of histories) {
    const kind = ['generate', ...workflowId.split('/').slice(2)]
      .slice(workflowId.split('/').length > 2 ? 1 : 0)
      .join('-');
    const name = `${shape}.${kind}.json`;
    await writeFile(path.join(historiesFolder, name), `${JSON.stringify(history, withoutOrigin, 1)}\n`);
    names.push(name);
  }
  return names;
};
