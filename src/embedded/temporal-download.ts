/** A process of its own: has the Temporal SDK download the server into the given folder, starting and stopping it once. */
import { temporalVersion } from './temporal-binary';

const download = async (downloadDir: string): Promise<void> => {
  // A development dependency: `npm ci --omit=dev` leaves it out, and then this way is closed.
  const { TestWorkflowEnvironment } = await import('@temporalio/testing');
  const executable = { type: 'cached-download', version: `v${temporalVersion}`, downloadDir } as const;
  const server = await TestWorkflowEnvironment.createLocal({ server: { executable } });
  await server.teardown();
};

if (require.main === module) {
  download(process.argv[2] ?? '').then(
    () => process.exit(0),
    (error: unknown) => {
      process.stderr.write(`${(error as Error).message.split('\n')[0] ?? ''}\n`);
      process.exit(1);
    },
  );
}
