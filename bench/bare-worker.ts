import { NativeConnection, Worker } from '@temporalio/worker';

/** A process of its own, as our worker is one. Argument: the server's address. */
const main = async (): Promise<void> => {
  const connection = await NativeConnection.connect({ address: process.argv[2] ?? '' });
  const worker = await Worker.create({
    connection,
    taskQueue: 'bare',
    workflowsPath: require.resolve('./bare-workflows'),
    activities: { nothing: () => Promise.resolve() },
    maxCachedWorkflows: 1_000,
  });
  process.once('disconnect', () => worker.shutdown());
  process.send?.('ready');
  await worker.run();
  await connection.close();
};

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
