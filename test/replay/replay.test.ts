import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { historiesFolder } from './history-files';

const names = readdirSync(historiesFolder).filter((name) => name.endsWith('.json'));
const read = (name: string): unknown => JSON.parse(readFileSync(path.join(historiesFolder, name), 'utf8'));

const current = { codePath: path.join(__dirname, '..', '..', 'dist', 'workflow-bundle.js') };

beforeAll(() => {
  // the negative control logs what it provokes
  Runtime.install({ logger: new DefaultLogger('ERROR', () => undefined) });
});

test('there is a history of every shape', () => {
  const shapes = new Set(names.map((name) => name.split('.')[0]));
  expect([...shapes].sort()).toEqual(
    [
      'ambiguous',
      'canceled',
      'expired',
      'failover',
      'image',
      'result-lost',
      'resubmitted',
      'speech',
      'text',
      'tries-used-up',
      'video',
      'worker-killed',
    ].sort(),
  );
  expect(names.some((name) => name.endsWith('.attempt-1-watch.json'))).toBe(true);
});

test.each(names)('%s replays with the workflows of this build', async (name) => {
  await Worker.runReplayHistory({ workflowBundle: current }, read(name));
});

test('another order of steps is noticed', async () => {
  const altered = await bundleWorkflowCode({ workflowsPath: require.resolve('./altered-workflows') });
  const replay = Worker.runReplayHistory({ workflowBundle: altered }, read('video.generate.json'));
  await expect(replay).rejects.toMatchObject({ name: 'DeterminismViolationError' });
});
