import path from 'node:path';
import { NativeConnection } from '@temporalio/worker';
import { readProcessConfig } from './config';
import { createWorkerDependencies } from './worker-dependencies';
import { runProcess } from './run-process';
import { applyMigrations } from './stores/migrations';
import { startDispatcher } from './activities/rounds';
import { createWorkers, routeTemporalLog, versionedAs } from './workers';

/** `npm run start:worker`: workflows and activities of all four task queues. */
runProcess(async () => {
  const config = readProcessConfig(process.env);
  await applyMigrations(config.databaseUrl);
  const { dependencies, vault, pool, temporal, close } = createWorkerDependencies(config);
  routeTemporalLog(dependencies);
  const rewrapped = await vault.rewrap();
  if (rewrapped > 0) dependencies.logger.info({ rewrapped }, 'kept keys are sealed by the first encryption key now');
  await pool.announce();
  const { connectionOptions, namespace = 'default' } = config.temporal;
  const connection = await NativeConnection.connect(connectionOptions);
  // loading an SDK takes up to seconds: better now than in the middle of a send
  await Promise.all(
    dependencies.providers
      .filter(({ id }) => dependencies.credentials[id]?.length)
      .map((provider) => provider.prepare?.() ?? Promise.resolve()),
  );
  const workers = await createWorkers(dependencies, {
    connection,
    namespace,
    workflowBundle: { codePath: path.join(__dirname, 'workflow-bundle.js') },
    ...versionedAs(config.settings.versioning),
  });
  const { reconcile, health } = config.settings;
  await temporal.prepare({ ...reconcile, healthEverySeconds: health.everySeconds });
  const stopDispatcher = startDispatcher(dependencies);
  const ended = Promise.all(workers.map((worker) => worker.run())).then(() => undefined);
  return {
    ended,
    stop: async () => {
      await stopDispatcher();
      for (const worker of workers) worker.shutdown();
      await ended;
      await connection.close();
      await close();
    },
  };
});
