import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Environment } from '../config';
import { identifyProcess, killGroup, type ProcessIdentity } from './processes';

/** Tells the reaper of a helper process, and that it has ended. */
export type Guard = { begin: (identity: ProcessIdentity, name: string) => void; end: (pid: number) => void };

export type GuardedRun = { environment: Environment; folder: string; over: AbortSignal; guard: Guard };

const longestReason = 200;

/** The last line of the error output that is not progress: what tools put their reason into. */
const pickReason = (output: string): string => {
  const lines = output.split('\n').map((line) => line.trim());
  return (lines.filter((line) => line !== '' && !line.startsWith('go: downloading')).at(-1) ?? '').slice(
    0,
    longestReason,
  );
};

/** Runs a helper to its end; neither it nor its own children outlive us or `over`. Rejects with its own reason. */
export const runGuarded = async ([program = '', ...rest]: string[], run: GuardedRun): Promise<void> => {
  const child = spawn(program, rest, {
    cwd: run.folder,
    env: { ...run.environment },
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(child, 'exit');
  const pid = child.pid ?? 0;
  const identity = identifyProcess(pid);
  if (identity) run.guard.begin(identity, program);
  let output = '';
  child.stderr.on('data', (chunk) => (output = (output + String(chunk)).slice(-4_000)));
  const kill = (): void => killGroup(pid);
  run.over.addEventListener('abort', kill);
  try {
    const [exitCode] = (await ended) as [number | null];
    if (exitCode !== 0) throw new Error(run.over.aborted ? 'it took too long' : pickReason(output) || 'it failed');
  } finally {
    run.over.removeEventListener('abort', kill);
    if (pid > 0) run.guard.end(pid);
  }
};
