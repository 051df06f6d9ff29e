import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export type Usage = { cpuMs: number; rssMb: number };

/** Linux's, since long ago. */
const msPerTick = 10;

/** Nothing for one that has ended in the meantime. */
const readStat = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return '';
  }
};

const readCpuMs = (pid: number): number => {
  if (process.platform !== 'linux') return Number.NaN;
  const stat = readStat(pid);
  // after the name in parentheses; utime, stime, and those of children that have ended
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) * msPerTick, 0);
};

const listChildren = (parent: number): number[] =>
  execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([pid = 0, ppid]) => (ppid === parent ? [pid] : []));

const readRssMb = (pids: readonly number[]): number =>
  execFileSync('ps', ['-o', 'rss=', '-p', pids.join(',')], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .reduce((sum, line) => sum + Number(line) / 1024, 0);

/** Of each process with its children: PostgreSQL's backends count with it. CPU time is `NaN` outside Linux. */
export const readUsage = (pids: Record<string, number>): Record<string, Usage> =>
  Object.fromEntries(
    Object.entries(pids).map(([name, pid]) => {
      const family = [pid, ...listChildren(pid)];
      return [name, { cpuMs: family.reduce((sum, one) => sum + readCpuMs(one), 0), rssMb: readRssMb(family) }];
    }),
  );
