import { startTestStack, type Resource, type TestStack } from '../support/stack';
import { fetchHistories, saveHistories } from './history-files';

type Shape = { name: string; body: Record<string, unknown>; faults?: Record<string, unknown>[]; meanwhile?: Meanwhile };
type Meanwhile = (system: TestStack, id: string) => Promise<unknown>;

const runway = { medium: 'video', model: 'runway/gen4.5' };
const flux = { medium: 'image', model: 'fal/flux/dev' };

const cancelWhenPolling: Meanwhile = async (system, id) => {
  await system.until(id, ({ phase }) => phase === 'polling');
  await system.call(`/v1/generations/${id}/cancel`, { method: 'POST' });
};

const killWorkerWhenPolling: Meanwhile = async (system, id) => {
  await system.until(id, ({ phase }) => phase === 'polling');
  system.kill('worker');
};

const withPrompt = (prompt: string): { input: { prompt: string } } => ({ input: { prompt } });

/** Every way a generation can go today; a change of a workflow must replay all of them. */
const shapes: Shape[] = [
  { name: 'video', body: { ...runway, ...withPrompt('a harbour') } },
  { name: 'image', body: { ...flux, ...withPrompt('a harbour') } },
  { name: 'speech', body: { medium: 'speech', ...withPrompt('A harbour.') } },
  { name: 'text', body: { medium: 'text', ...withPrompt('A harbour?') } },
  {
    name: 'failover',
    body: { ...runway, ...withPrompt('a pier'), routing: { allow: ['fal/veo3.1'] } },
    faults: [{ provider: 'runway', kind: 'failed' }],
  },
  {
    name: 'tries-used-up',
    body: { ...flux, ...withPrompt('a buoy') },
    faults: [{ provider: 'fal', operation: 'submit', kind: 'status', status: 503, times: 3 }],
  },
  {
    name: 'resubmitted',
    body: { ...flux, ...withPrompt('a tide') },
    faults: [{ provider: 'fal', kind: 'drop_after_accept' }],
  },
  {
    name: 'ambiguous',
    body: { ...runway, ...withPrompt('a wave') },
    faults: [{ provider: 'runway', kind: 'drop_after_accept' }],
  },
  {
    name: 'canceled',
    body: { ...runway, ...withPrompt('a road') },
    faults: [{ provider: 'runway', kind: 'stuck' }],
    meanwhile: cancelWhenPolling,
  },
  {
    name: 'expired',
    body: { ...runway, ...withPrompt('a snail'), deadlineSeconds: 10 },
    faults: [{ provider: 'runway', kind: 'stuck' }],
  },
  {
    name: 'result-lost',
    body: { ...flux, ...withPrompt('a burnt map') },
    faults: [{ provider: 'fal', kind: 'artifact_expired', times: null, match: { prompt: 'a burnt map' } }],
  },
  { name: 'worker-killed', body: { ...runway, ...withPrompt('a storm') }, meanwhile: killWorkerWhenPolling },
];

const attemptsEnded = ({ attempts }: Resource): boolean =>
  attempts.every(({ status }) => !['planned', 'submitting', 'submitted'].includes(status));

const record = async (system: TestStack, shape: Shape): Promise<void> => {
  for (const fault of shape.faults ?? []) await system.fault(fault);
  const { id } = await system.submit(shape.body);
  await shape.meanwhile?.(system, id);
  await system.untilEnded(id);
  await system.until(id, attemptsEnded);
  const names = await saveHistories(shape.name, await fetchHistories(system.stack.temporalAddress ?? '', id));
  process.stdout.write(`${names.join(' ')}\n`);
};

const run = async (): Promise<void> => {
  const system = await startTestStack();
  try {
    await system.settings({ latencyScale: 0.05 });
    for (const shape of shapes) await record(system, shape);
  } finally {
    await system.stop();
  }
};

// tsx test/replay/record-shapes.ts: records all shapes anew, after the old ones have been proven to replay
void run().then(() => process.exit(0));
