import { ConfigError } from '../config';
import type { Log } from './progress';
import { StackError } from './stack-error';

export type Terminal = {
  log: Log;
  /** The first Ctrl-C, SIGTERM or closed window. */
  stopped: AbortSignal;
  /** The second one. */
  hastened: AbortSignal;
};

const usageExitCode = 2;
/** As shells count a SIGINT. */
export const interruptedExitCode = 130;
const interrupted = { lines: 'interrupted', exitCode: interruptedExitCode };

const explain = (error: unknown): { lines: string; exitCode: number } => {
  if (error instanceof ConfigError) return { lines: error.message, exitCode: usageExitCode };
  if (error instanceof StackError) return { lines: error.message, exitCode: error.exitCode };
  return { lines: `unexpected: ${(error as Error | undefined)?.message ?? String(error)}`, exitCode: 1 };
};

const handleSignals = (log: Log): Omit<Terminal, 'log'> => {
  const stopped = new AbortController();
  const hastened = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (!stopped.signal.aborted) log(`stopping (${signal}) …`);
      (stopped.signal.aborted ? hastened : stopped).abort();
    });
  }
  // A closed terminal must not kill us before our children are stopped.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  return { stopped: stopped.signal, hastened: hastened.signal };
};

/** What a main consists of: its work, whose result is the exit code, and every failure as one message without a stack. */
export const runInTerminal = async (work: (terminal: Terminal) => Promise<number>): Promise<void> => {
  const log: Log = (line) => void process.stdout.write(`${line}\n`);
  const signals = handleSignals(log);
  try {
    process.exitCode = await work({ ...signals, log });
  } catch (error) {
    // Whatever fails after Ctrl-C fails because of it.
    const { lines, exitCode } = signals.stopped.aborted ? interrupted : explain(error);
    process.stderr.write(`sureshot: ${lines}\n`);
    process.exitCode = exitCode;
  }
};
