import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { replaceFile } from './home';
import { endProcess, isAlive } from './processes';
import type { Log } from './progress';
import type { WatchedProcess } from './reaper-client';

const recordsSchema = z.array(
  z.object({ name: z.string(), pid: z.int().positive(), startedAt: z.string(), stopSignals: z.array(z.string()) }),
);

const recordFile = (home: string): string => path.join(home, 'processes.json');

export const recordProcesses = (home: string, watched: readonly WatchedProcess[]): void => {
  try {
    replaceFile(recordFile(home), `${JSON.stringify(watched, null, 2)}\n`);
  } catch {
    // A full disk or a removed home: the reaper still knows.
  }
};

const readRecords = (home: string): WatchedProcess[] => {
  try {
    return recordsSchema.parse(JSON.parse(readFileSync(recordFile(home), 'utf8'))) as WatchedProcess[];
  } catch {
    return [];
  }
};

const graceMs = 8_000;

/** What outlived the last stack on this home because its reaper was killed too, or is not through yet. */
export const endLeftoverProcesses = async (home: string, log: Log): Promise<void> => {
  const left = readRecords(home).filter((record) => record.name !== 'reaper' && isAlive(record));
  if (left.length === 0) return;
  log(`ending what a killed stack left behind: ${left.map(({ name, pid }) => `${name} (pid ${pid})`).join(', ')}`);
  await Promise.all(left.map((record) => endProcess(record, [...record.stopSignals, 'SIGKILL'], graceMs)));
};
