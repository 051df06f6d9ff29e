import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** A process that cannot be mistaken for a later one with the same pid. */
export type ProcessIdentity = { pid: number; startedAt: string };

const onLinux = process.platform === 'linux';

const readProc = (pid: number, name: string): string | null => {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return null;
  }
};

const readPs = (pid: number, column: string): string | null => {
  try {
    return execFileSync('ps', ['-o', `${column}=`, '-p', String(pid)], { encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    return null;
  }
};

/** Null when there is no such process; a zombie is none either: nobody can end it, and it holds nothing. */
const readStart = (pid: number): string | null => {
  if (!onLinux) return readPs(pid, 'lstart');
  const stat = readProc(pid, 'stat');
  // The command name stands in parentheses and may hold blanks and parentheses itself: count from the last one.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (!fields || fields[0] === 'Z' || fields[0] === 'X') return null;
  const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return `${bootId}/${fields[19] ?? ''}`;
};

export const identifyProcess = (pid: number): ProcessIdentity | null => {
  const startedAt = readStart(pid);
  return startedAt === null ? null : { pid, startedAt };
};

export const isAlive = (identity: ProcessIdentity): boolean => readStart(identity.pid) === identity.startedAt;

export const readCommand = (pid: number): string =>
  (onLinux ? readProc(pid, 'cmdline')?.replaceAll('\0', ' ') : readPs(pid, 'command')) ?? '';

/** Processes standing in this folder: how PostgreSQL's backends are found, which are neither our children nor in our group. Linux only. */
export const listProcessesIn = (folder: string): ProcessIdentity[] => {
  if (!onLinux) return [];
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => readWorkingFolder(pid) === folder).flatMap((pid) => identifyProcess(Number(pid)) ?? []);
};

const readWorkingFolder = (pid: string): string | null => {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return null;
  }
};

/** To the whole group where there is one (our children lead their own): a wrapper script must not leave its program behind. */
export const signalProcess = (pid: number, signal: NodeJS.Signals): void => {
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, signal);
      return;
    } catch {
      // No such group, or it ended meanwhile.
    }
  }
};

/** What a dead leader left behind. */
export const killGroup = (leader: number): void => {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // Nobody is left in it: the rule.
  }
};

const pollMs = 25;

const waitUntilGone = async (identity: ProcessIdentity, timeoutMs: number): Promise<boolean> => {
  const deadline = Date.now() + timeoutMs;
  while (isAlive(identity)) {
    if (Date.now() > deadline) return false;
    await delay(pollMs);
  }
  return true;
};

/** The signals one after the other, each with its time, until the process is gone. */
export const endProcess = async (
  identity: ProcessIdentity,
  signals: readonly NodeJS.Signals[],
  graceMs: number,
): Promise<void> => {
  for (const signal of signals) {
    if (!isAlive(identity)) return;
    signalProcess(identity.pid, signal);
    if (await waitUntilGone(identity, graceMs)) return;
  }
};
