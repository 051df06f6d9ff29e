import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { eventually, startTestStack, type LedgerRow, type TestStack } from '../support/stack';

let system: TestStack;

beforeAll(async () => {
  system = await startTestStack();
  await system.settings({ latencyScale: 0.05 });
});

afterAll(() => system.stop());

const submitsOf = async (model: string, known: LedgerRow[]): Promise<LedgerRow[]> =>
  (await system.ledger()).slice(known.length).filter((row) => row.model === model);

const workerPid = (): number | undefined => system.stack.pids()['worker'];

/** Kills the worker and waits until the stack has another one running. */
const replaceWorker = async (): Promise<void> => {
  const before = workerPid();
  system.kill('worker');
  await eventually(() => Promise.resolve(workerPid() !== undefined && workerPid() !== before));
};

describe('the worker is killed', () => {
  test('after the operation was recorded: the next worker goes on with it', async () => {
    const known = await system.ledger();
    const { id } = await system.submit({ medium: 'video', model: 'runway/gen4.5', input: { prompt: 'a lighthouse' } });
    await system.until(id, ({ attempts }) => attempts[0]?.status === 'submitted');
    await replaceWorker();
    const resource = await system.untilEnded(id);
    expect(resource).toMatchObject({ status: 'succeeded', attempts: [{ number: 1, status: 'succeeded' }] });
    expect(await submitsOf('gen4.5', known)).toHaveLength(1);
  });

  test('between acceptance and record: work is found again where the provider can be asked', async () => {
    const known = await system.ledger();
    await system.fault({ provider: 'mock', operation: 'submit', kind: 'stall_headers' });
    const { id } = await system.submit({ medium: 'video', model: 'mock/video', input: { prompt: 'a forgotten film' } });
    await eventually(async () => (await submitsOf('video', known)).length === 1);
    await replaceWorker();
    const resource = await system.untilEnded(id);
    expect(resource).toMatchObject({ status: 'succeeded', attempts: [{ number: 1, status: 'succeeded' }] });
    expect(await submitsOf('video', known)).toHaveLength(1);
  });

  test('between acceptance and record: never sent again where the provider cannot be asked', async () => {
    const known = await system.ledger();
    await system.fault({ provider: 'runway', operation: 'submit', kind: 'stall_headers' });
    const { id } = await system.submit({ medium: 'video', model: 'runway/gen4.5', input: { prompt: 'a lost film' } });
    await eventually(async () => (await submitsOf('gen4.5', known)).length === 1);
    await replaceWorker();
    const resource = await system.until(id, ({ phase }) => phase === 'needs_attention');
    expect(resource).toMatchObject({ status: 'running', attempts: [{ number: 1, status: 'ambiguous' }] });
    expect(Number(resource.cost.possibleUsd)).toBeGreaterThan(0);
    expect(await submitsOf('gen4.5', known)).toHaveLength(1);
  });

  test('before the provider got the request: it is sent once, by the next worker', async () => {
    const known = await system.ledger();
    const mockSubmits = async (): Promise<number> =>
      (await system.requests()).filter(({ provider, kind }) => provider === 'mock' && kind === 'submit').length;
    const seen = await mockSubmits();
    await system.fault({ provider: 'mock', operation: 'submit', kind: 'stall_headers', accepted: false });
    const { id } = await system.submit({ medium: 'video', model: 'mock/video', input: { prompt: 'a late film' } });
    await eventually(async () => (await mockSubmits()) === seen + 1);
    await replaceWorker();
    expect(await system.untilEnded(id)).toMatchObject({ status: 'succeeded', attempts: [{ number: 1 }] });
    expect(await submitsOf('video', known)).toHaveLength(1);
  });
});

describe('another process is killed', () => {
  test.each(['temporal', 'api', 'emulator', 'postgres'])('%s: what was accepted is finished', async (name) => {
    const known = await system.ledger();
    const { id } = await system.submit({
      medium: 'video',
      model: 'runway/gen4.5',
      input: { prompt: `a storm over ${name}` },
    });
    await system.until(id, ({ phase }) => phase === 'polling');
    system.kill(name);
    const resource = await eventually(async () => {
      const now = await system.read(id).catch(() => null);
      return now?.status === 'succeeded' && now;
    });
    expect(resource.attempts).toHaveLength(1);
    expect(await submitsOf('gen4.5', known)).toHaveLength(1);
  });
});

describe('the Temporal server hangs', () => {
  test('a POST is accepted at once, and its generation begins when the server is back', async () => {
    const pid = system.stack.pids()['temporal'] ?? Number.NaN;
    process.kill(pid, 'SIGSTOP');
    try {
      const accepted = await system.submit({ medium: 'text', model: 'mock/text', input: { prompt: 'Patience.' } });
      expect(accepted.status).toBe('queued');
      process.kill(pid, 'SIGCONT');
      expect((await system.untilEnded(accepted.id)).status).toBe('succeeded');
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  });
});

describe('PostgreSQL is away for ten seconds', () => {
  test('in the middle of a generation: no answer is lost and nothing is sent twice', async () => {
    const home = await mkdtemp(path.join(tmpdir(), 'sureshot-postgres-'));
    let postgres = await startTestStack({ pieces: ['postgres'], home });
    const environment = { DATABASE_URL: postgres.stack.databaseUrl ?? '' };
    const rest = await startTestStack({ environment });
    try {
      await rest.settings({ latencyScale: 0.02 });
      await rest.fault({ provider: 'mock', operation: 'submit', kind: 'slow', delayMs: 1000 });
      const { id } = await rest.submit({ medium: 'video', model: 'mock/video', input: { prompt: 'an outage' } });
      await rest.until(id, ({ attempts }) => attempts[0]?.status === 'submitting');
      await postgres.stop();
      const stoppedAt = Date.now();
      await eventually(async () => (await rest.ledger()).length === 1 && Date.now() - stoppedAt >= 10_000);
      postgres = await startTestStack({ pieces: ['postgres'], home });
      const resource = await eventually(async () => {
        const now = await rest.read(id).catch(() => null);
        return now?.status === 'succeeded' && now;
      });
      expect(resource.attempts).toHaveLength(1);
      expect(await rest.ledger()).toHaveLength(1);
    } finally {
      await rest.stop();
      await postgres.stop();
      await rm(home, { recursive: true, force: true });
    }
  });
});
