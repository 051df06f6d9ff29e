import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { historiesFolder } from './history-files';

const names = readdirSync(historiesFolder).filter((name) => name.endsWith('.json'));
const readText = (name: string): string => readFileSync(path.join(historiesFolder, name), 'utf8');
const read = (name: string): unknown => JSON.parse(readText(name));

const current = { codePath: path.join(__dirname, '..', '..', 'dist', 'workflow-bundle.js') };

beforeAll(() => {
  // the negative control logs what it provokes
  Runtime.install({ logger: new DefaultLogger('ERROR', () => undefined) });
});

/** Every way a generation can go, and what in its history shows that it went that way. */
const shapes: readonly (readonly [shape: string, kind: string, trace: string])[] = [
  ['video', 'attempt-1', '"name":"pollAttempt"'],
  ['image', 'attempt-1', '"name":"pollAttempt"'],
  ['speech', 'attempt-1', '"name":"submitAttempt"'],
  ['text', 'attempt-1', '"name":"submitAttempt"'],
  ['fetched-input', 'generate', '"name":"fetchInputs"'],
  ['failover', 'attempt-2', 'EXECUTION_COMPLETED'],
  ['tries-used-up', 'generate', 'CHILD_WORKFLOW_EXECUTION_COMPLETED'],
  ['expired', 'attempt-1', '"name":"pollAttempt"'],
  ['expired-waiting', 'attempt-1', '"name":"submitAttempt"'],
  ['result-lost', 'attempt-2', '"name":"storeArtifacts"'],
  ['canceled-unbegun', 'generate', 'WORKFLOW_EXECUTION_CANCEL_REQUESTED'],
  ['canceled-fetching', 'generate', 'ACTIVITY_TASK_CANCEL_REQUESTED'],
  ['canceled-waiting', 'attempt-1', 'WORKFLOW_EXECUTION_CANCEL_REQUESTED'],
  ['canceled-submitting', 'attempt-1-watch', '"name":"cancelOperation"'],
  ['canceled', 'attempt-1-watch', '"name":"cancelOperation"'],
  ['canceled-storing', 'attempt-1', 'ACTIVITY_TASK_CANCEL_REQUESTED'],
  ['canceled-held', 'generate', 'TIMER_CANCELED'],
  ['hinted', 'attempt-1', '"signalName":"providerCallback"'],
  ['hinted-polling', 'attempt-1', 'ACTIVITY_TASK_CANCEL_REQUESTED'],
  ['found', 'attempt-1', '"name":"pollAttempt"'],
  ['resubmitted', 'attempt-2', 'EXECUTION_COMPLETED'],
  ['resubmitted-by-policy', 'attempt-2', 'EXECUTION_COMPLETED'],
  ['resubmitted-in-vain', 'attempt-3', 'EXECUTION_COMPLETED'],
  ['failed-over-by-policy', 'attempt-2', 'EXECUTION_COMPLETED'],
  ['held-resubmit', 'generate', '"signalName":"resolved"'],
  ['held-fail-over', 'generate', '"signalName":"resolved"'],
  ['held-adopt', 'generate', '"signalName":"resolved"'],
  ['held-abandon', 'generate', '"signalName":"resolved"'],
  ['held-too-long', 'generate', 'TIMER_FIRED'],
  ['late-work', 'attempt-1-watch', '"name":"pollAttempt"'],
  ['worker-killed', 'generate', 'EXECUTION_COMPLETED'],
  ['reset-before', 'generate-run-2', 'RESET_WORKFLOW'],
  ['reset-during', 'generate-run-2', 'RESET_WORKFLOW'],
  ['reset-after', 'generate-run-2', 'RESET_WORKFLOW'],
  ['reset-attempt', 'attempt-1-run-2', 'RESET_WORKFLOW'],
  ['reset-held', 'generate-run-2', 'RESET_WORKFLOW'],
  ['attempt-terminated', 'attempt-1', 'WORKFLOW_EXECUTION_TERMINATED'],
  ['terminated', 'attempt-1-watch', '"name":"cancelOperation"'],
  ['rerun-submitted', 'attempt-1', '"name":"pollAttempt"'],
  ['rerun-succeeded', 'attempt-1', '"name":"storeArtifacts"'],
  ['rerun-start', 'attempt-1', '"name":"submitAttempt"'],
  ['waiting', 'attempt-1', '"signalName":"turn"'],
  ['canceled-in-line', 'attempt-1', 'WORKFLOW_EXECUTION_CANCEL_REQUESTED'],
  ['reconcile', 'reconcile', '"name":"reconcileGenerations"'],
  ['orphans', 'reconcile', '"name":"reconcileOrphans"'],
  ['probe', 'probe', '"name":"probeProvider"'],
];

test.each(shapes)('there is a history of %s', (shape, kind, trace) => {
  expect(readText(`${shape}.${kind}.json`)).toContain(trace);
});

test('histories that were added are in the list of shapes', () => {
  const known = new Set(shapes.map(([shape]) => shape));
  expect(names.filter((name) => !known.has(name.split('.')[0] ?? ''))).toEqual([]);
});

test('no history says where it was recorded', () => {
  const traces = names.flatMap(
    (name) => readText(name).match(/\d+@[\w.-]+|\/(?:work|home|root|tmp|Users)\/|\.[jt]s:\d+/g) ?? [],
  );
  expect(traces).toEqual([]);
});

// Deploys do not break runs in flight: recorded histories replay against every build.
test.each(names)('%s replays with the workflows of this build', async (name) => {
  await Worker.runReplayHistory({ workflowBundle: current }, read(name));
});

test('another order of steps is noticed', async () => {
  const altered = await bundleWorkflowCode({ workflowsPath: require.resolve('./altered-workflows') });
  const replay = Worker.runReplayHistory({ workflowBundle: altered }, read('video.generate.json'));
  await expect(replay).rejects.toMatchObject({ name: 'DeterminismViolationError' });
});
