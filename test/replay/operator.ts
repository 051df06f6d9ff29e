import { createHash } from 'node:crypto';
import type { Client } from '@temporalio/client';
import Long from 'long';
import { attemptWorkflowId, generationWorkflowId } from '../../src/workflows/messages';
import { eventually, type LedgerRow, type Resource, type TestStack } from '../support/stack';

/** What a generation is recorded with, and what a caller or an operator does to it meanwhile. */
export type Recording = { system: TestStack; client: Client; id: string; prompt: string };

const post = async ({ system }: Recording, target: string, body?: unknown): Promise<Resource> => {
  const response = await system.call(target, { method: 'POST', ...(body !== undefined && { body }) });
  const answer = (await response.json()) as Resource;
  if (!response.ok) throw new Error(`refused: ${target}: ${JSON.stringify(answer)}`);
  return answer;
};

export const untilPhase = (recording: Recording, wanted: string): Promise<Resource> =>
  recording.system.until(recording.id, ({ phase }) => phase === wanted);

export const cancel = async (recording: Recording): Promise<void> =>
  void (await post(recording, `/v1/generations/${recording.id}/cancel`));

export const resolve = async (recording: Recording, decision: Record<string, unknown>): Promise<void> =>
  void (await post(recording, `/v1/generations/${recording.id}/resolve`, decision));

/** The id of the re-run. */
export const rerun = async (recording: Recording, body: Record<string, unknown> = {}): Promise<string> =>
  (await post(recording, `/v1/generations/${recording.id}/rerun`, body)).id;

/** What the provider's own books show of its work that no attempt has. */
export const findUnowned = async ({ system, id, prompt }: Recording): Promise<string> => {
  const promptHash = createHash('sha256').update(prompt).digest('hex');
  const { attempts } = await system.read(id);
  const owned = new Set(attempts.map(({ operation }) => operation));
  const ledger = (await system.ledger()) as (LedgerRow & { promptHash: string })[];
  const found = ledger.find((row) => row.promptHash === promptHash && !owned.has(row.operation));
  if (!found) throw new Error(`the provider knows of no work for ${prompt}`);
  return found.operation;
};

/** Stops sending to a provider: what waits for it waits. */
export const pauseProvider = ({ system }: Pick<Recording, 'system'>, provider: string): Promise<Response> =>
  system.call(`/v1/providers/${provider}/pause`, { method: 'POST', body: { waiting: 'wait' } });

export const resumeProvider = ({ system }: Pick<Recording, 'system'>, provider: string): Promise<Response> =>
  system.call(`/v1/providers/${provider}/resume`, { method: 'POST' });

/** Waits until one of its activities is at this try. */
export const untilTry = ({ client }: Recording, workflowId: string, tries: number): Promise<unknown> =>
  eventually(async () => {
    const { raw } = await client.workflow
      .getHandle(workflowId)
      .describe()
      .catch(() => ({ raw: null }));
    return raw?.pendingActivities?.some(({ attempt }) => (attempt ?? 0) >= tries);
  });

const finishedTasks = async (client: Client, workflowId: string): Promise<{ runId: string; eventIds: Long[] }> => {
  const handle = client.workflow.getHandle(workflowId);
  const { runId } = await handle.describe();
  const { events } = await handle.fetchHistory();
  const finished = (events ?? []).filter((event) => event.workflowTaskCompletedEventAttributes);
  return { runId, eventIds: finished.map(({ eventId }) => Long.fromValue(eventId ?? 0)) };
};

/** As the Web UI does: to the first or the last workflow task that the run has finished. */
export const reset = async (
  { client, id }: Recording,
  { to, attempt }: { to: 'first' | 'last'; attempt?: number },
): Promise<void> => {
  const workflowId = attempt === undefined ? generationWorkflowId(id) : attemptWorkflowId(id, attempt);
  const { runId, eventIds } = await finishedTasks(client, workflowId);
  await client.workflowService.resetWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId, runId },
    reason: 'as an operator would',
    workflowTaskFinishEventId: eventIds.at(to === 'first' ? 0 : -1) ?? Long.ZERO,
    requestId: `reset-${runId}`,
  });
};

export const terminate = async ({ client, id }: Recording, attempt?: number): Promise<void> => {
  const workflowId = attempt === undefined ? generationWorkflowId(id) : attemptWorkflowId(id, attempt);
  await client.workflow.getHandle(workflowId).terminate('as an operator would');
};
