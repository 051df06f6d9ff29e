import { ConfigError } from './config';

export type Running = { port?: number; stop(): Promise<void>; ended?: Promise<void> };

const describe = (error: unknown): string =>
  error instanceof ConfigError ? error.message : `cannot start: ${(error as Error).message}`;

/**
 * The life of a production process: start, say so to whoever started it, stop cleanly on SIGTERM and SIGINT, and when
 * the parent is gone (the channel to it closes even when it was killed).
 */
export const runProcess = (start: () => Promise<Running>): void => {
  const fail = (error: unknown): never => {
    process.stderr.write(`${describe(error)}\n`);
    process.exit(1);
  };
  start()
    .then((running) => {
      let stopping = false;
      const stop = (): void => {
        if (stopping) return;
        stopping = true;
        running.stop().then(() => process.exit(0), fail);
      };
      process.once('SIGTERM', stop);
      process.once('SIGINT', stop);
      process.once('disconnect', stop);
      running.ended?.catch(fail);
      process.send?.({ type: 'ready', port: running.port });
    })
    .catch(fail);
};
