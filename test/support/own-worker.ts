import path from 'node:path';
import { NativeConnection } from '@temporalio/worker';
import type { Dependencies } from '../../src/activities/dependencies';
import { readProcessConfig } from '../../src/config';
import { createWorkerDependencies } from '../../src/worker-dependencies';
import { createWorkers } from '../../src/workers';
import type { TestStack } from './stack';

const workflowBundle = { codePath: path.join(__dirname, '..', '..', 'dist', 'workflow-bundle.js') };

/** The worker of a stack that was started without one, in this process; the test may change what it runs on. */
export const startOwnWorker = async (
  system: TestStack,
  change: (dependencies: Dependencies) => Partial<Dependencies>,
): Promise<{ stop(): Promise<void> }> => {
  // other workers log into files of the stack; this one would into the test's output
  const config = readProcessConfig({ ...system.workerEnvironment, LOG_LEVEL: 'silent' });
  const { dependencies, pool, close } = createWorkerDependencies(config);
  const connection = await NativeConnection.connect({ address: system.stack.temporalAddress ?? '' });
  await pool.announce();
  // changed in place: what follows the configuration and the keys goes on doing so
  const changed: Dependencies = Object.defineProperties(
    dependencies,
    Object.getOwnPropertyDescriptors(change(dependencies)),
  );
  const workers = await createWorkers(changed, { connection, namespace: 'default', workflowBundle });
  const ended = Promise.all(workers.map((worker) => worker.run()));
  return {
    stop: async () => {
      for (const worker of workers) worker.shutdown();
      await ended;
      await connection.close();
      await close();
    },
  };
};
