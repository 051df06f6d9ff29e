import Long from 'long';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { eventually, startTestStack, type LedgerRow, type Resource, type TestStack } from '../support/stack';

let system: TestStack;
let connection: Connection;
let client: Client;

beforeAll(async () => {
  system = await startTestStack();
  await system.settings({ latencyScale: 0.05 });
  connection = await Connection.connect({ address: system.stack.temporalAddress ?? '' });
  client = new Client({ connection });
});

afterAll(async () => {
  await connection.close();
  await system.stop();
});

const ledgerRow = async (operation: string | null | undefined): Promise<LedgerRow | undefined> =>
  (await system.ledger()).find((row) => row.operation === operation);

const polling = async (prompt: string): Promise<Resource> => {
  const { id } = await system.submit({ medium: 'video', model: 'runway/gen4.5', input: { prompt } });
  return system.until(id, ({ phase }) => phase === 'polling');
};

const workflow = (id: string, suffix = '') => client.workflow.getHandle(`generation/${id}${suffix}`);

describe('an operator in the Web UI', () => {
  test('resets a generation in the middle of its poll: the paid work is taken over, nothing is sent again', async () => {
    const { id, attempts } = await polling('a reset river');
    const before = (await system.ledger()).length;
    const { firstExecutionRunId } = await workflow(id)
      .describe()
      .then((description) => ({
        firstExecutionRunId: description.runId,
      }));
    await client.workflowService.resetWorkflowExecution({
      namespace: 'default',
      workflowExecution: { workflowId: `generation/${id}`, runId: firstExecutionRunId },
      reason: 'as an operator would',
      workflowTaskFinishEventId: Long.fromNumber(4),
      requestId: `reset-${id}`,
    });
    const resource = await system.untilEnded(id);
    expect(resource.status).toBe('succeeded');
    expect(resource.attempts.map(({ status }) => status)).toEqual(['superseded', 'succeeded']);
    expect(resource.attempts[1]?.operation).toBe(attempts[0]?.operation);
    expect((await system.ledger()).length).toBe(before);
  });

  test('terminates an attempt: the next one goes on with its operation', async () => {
    const { id, attempts } = await polling('a cut river');
    await workflow(id, '/attempt/1').terminate('as an operator would');
    const resource = await system.untilEnded(id);
    expect(resource.status).toBe('succeeded');
    expect(resource.attempts.map(({ status }) => status)).toEqual(['superseded', 'succeeded']);
    expect(resource.attempts[1]?.operation).toBe(attempts[0]?.operation);
  });

  test('cancels a generation: it is cancelled at the provider too', async () => {
    await system.fault({ provider: 'runway', kind: 'stuck' });
    const { id, attempts } = await polling('a stopped river');
    await workflow(id).cancel();
    expect(await system.untilEnded(id)).toMatchObject({ status: 'canceled' });
    await eventually(async () => (await ledgerRow(attempts[0]?.operation))?.state === 'canceled');
  });

  test('names the operation of a lost answer whose watch has ended: it is watched again, and booked', async () => {
    await system.fault({ provider: 'runway', operation: 'submit', kind: 'stall_headers' });
    const before = (await system.ledger()).length;
    const { id } = await system.submit({
      medium: 'video',
      model: 'runway/gen4.5',
      input: { prompt: 'a river unheard' },
    });
    const sent = await eventually(async () => (await system.ledger())[before]);
    system.kill('worker');
    for (const suffix of ['', '/attempt/1']) await workflow(id, suffix).terminate('as an operator would');
    await system.until(id, ({ attempts }) => attempts[0]?.status === 'ambiguous');
    await workflow(id, '/attempt/1/watch').result();
    const body = { action: 'adopt', operation: sent.operation };
    expect((await system.call(`/v1/generations/${id}/resolve`, { method: 'POST', body })).status).toBe(200);
    const booked = await system.until(id, ({ attempts }) => attempts[0]?.status === 'succeeded');
    expect(booked).toMatchObject({ status: 'failed', cost: { possibleUsd: '0' } });
    expect(Number(booked.cost.actualUsd)).toBeGreaterThan(0);
  });

  test('terminates a generation: it is closed with a reason, and nothing runs on at the provider', async () => {
    await system.fault({ provider: 'runway', kind: 'stuck' });
    const { id, attempts } = await polling('a dried-up river');
    await workflow(id).terminate('as an operator would');
    expect(await system.untilEnded(id)).toMatchObject({ status: 'failed', error: { code: 'system_internal' } });
    await eventually(async () => (await ledgerRow(attempts[0]?.operation))?.state === 'canceled');
  });

  test.each([
    ['high', 3, 1],
    ['medium', 4, 2],
    ['low', 5, 3],
  ])(
    'sees %s priority as %d, its attempts before what has yet to begin, and its tenant',
    async (priority, own, ofAttempts) => {
      const { id } = await system.submit({
        medium: 'text',
        model: 'mock/text',
        priority,
        input: { prompt: 'Who is next?' },
      });
      await system.untilEnded(id);
      const share = { fairnessKey: 'ten_default', fairnessWeight: 1 };
      expect((await workflow(id).describe()).priority).toEqual({ priorityKey: own, ...share });
      expect((await workflow(id, '/attempt/1').describe()).priority).toEqual({ priorityKey: ofAttempts, ...share });
    },
  );

  test('finds a generation by tenant, medium, provider and status', async () => {
    const { id } = await system.submit({ medium: 'text', model: 'mock/text', input: { prompt: 'Find me.' } });
    await system.untilEnded(id);
    const query = `WorkflowId = "generation/${id}" AND SureshotTenant = "ten_default" AND SureshotMedium = "text" AND SureshotProvider = "mock" AND SureshotStatus = "succeeded"`;
    const found = await eventually(async () => {
      for await (const { workflowId } of client.workflow.list({ query })) return workflowId;
      return null;
    });
    expect(found).toBe(`generation/${id}`);
  });
});

describe('a second start on the same home', () => {
  test('finishes what the first one began, with the submit the first one made', async () => {
    const home = await mkdtemp(path.join(tmpdir(), 'sureshot-home-'));
    try {
      const first = await startTestStack({ home });
      await first.settings({ latencyScale: 0.2 });
      const { id } = await first.submit({ medium: 'video', model: 'runway/gen4.5', input: { prompt: 'a long road' } });
      await first.until(id, ({ phase }) => phase === 'polling');
      await first.stop();
      const second = await startTestStack({ home });
      try {
        expect(await second.untilEnded(id)).toMatchObject({ status: 'succeeded', attempts: [{ number: 1 }] });
        expect(await second.ledger()).toHaveLength(1);
      } finally {
        await second.stop();
      }
    } finally {
      await rm(home, { recursive: true, force: true });
    }
  });
});
