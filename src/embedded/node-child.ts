import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Environment } from '../config';
import { compiledEntry } from './entries';
import type { ChildSpec } from './child-run';

export type NodeChildOptions = { name: string; entry: string; environment: Environment; stopTimeoutMs: number };

const errorLevel = 50;

/** Of pino's JSON lines those of level error and above, as their message; other output stays in the log file. */
const findPinoError = (line: string): string | null => {
  if (!line.startsWith('{')) return null;
  try {
    const entry = JSON.parse(line) as { level?: unknown; msg?: unknown; err?: { message?: unknown } };
    if (typeof entry.level !== 'number' || entry.level < errorLevel) return null;
    return [entry.msg, entry.err?.message].filter((text) => typeof text === 'string').join(': ');
  } catch {
    return null;
  }
};

/** By its own word over the channel whose end is also how it learns of our death. */
const waitForReadyMessage = async (child: ChildProcess, over: AbortSignal): Promise<void> => {
  for (;;) {
    const [message] = (await once(child, 'message', { signal: over })) as [{ type?: unknown } | null];
    if (message?.type === 'ready') return;
  }
};

export const nodeChild = ({ name, entry, environment, stopTimeoutMs }: NodeChildOptions): ChildSpec => ({
  name,
  // Without our own flags: a debugger's port, for one, cannot be opened twice.
  launch: () =>
    fork(compiledEntry(entry), {
      env: { ...environment },
      execArgv: [],
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    }),
  waitUntilReady: waitForReadyMessage,
  stopSignals: ['SIGTERM'],
  stopTimeoutMs,
  findImportant: findPinoError,
});
