import { z } from 'zod';
import { startEmulator, type EmulatorOptions } from './server';

/** Read here and not in the application's configuration: the emulator is the outside world. */
const environmentSchema = z.object({
  EMULATOR_PORT: z.coerce.number().int().min(0).max(65535).default(4010),
  EMULATOR_HOST: z.string().default('127.0.0.1'),
  EMULATOR_STATE: z.string().min(1).optional(),
  EMULATOR_LATENCY_SCALE: z.coerce.number().min(0).max(100).default(0.1),
});

const readOptions = (): EmulatorOptions => {
  const environment = environmentSchema.parse(process.env);
  return {
    port: environment.EMULATOR_PORT,
    host: environment.EMULATOR_HOST,
    statePath: environment.EMULATOR_STATE,
    latencyScale: environment.EMULATOR_LATENCY_SCALE,
  };
};

const explain = (error: unknown): string => {
  if (error instanceof z.ZodError) return z.prettifyError(error);
  return error instanceof Error ? error.message : String(error);
};

const run = async (): Promise<void> => {
  const emulator = await startEmulator(readOptions());
  const stop = (): void => void emulator.close().then(() => process.exit(0));
  for (const event of ['SIGTERM', 'SIGINT', 'disconnect']) process.once(event, stop);
  process.stdout.write(`emulator listening on ${emulator.url}\n`);
  process.send?.({ type: 'ready', port: emulator.port });
};

run().catch((error: unknown) => {
  process.stderr.write(`emulator: ${explain(error)}\n`);
  process.exit(1);
});
