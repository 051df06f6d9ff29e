import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { errorCode } from './stack-error';
import { identifyProcess, isAlive, type ProcessIdentity } from './processes';

/** Either ours until released, or the living process that has it. */
export type Lock = { release: () => void } | { heldBy: number };

const readText = (file: string): string => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
};

const parseHolder = (text: string): ProcessIdentity | null => {
  try {
    const holder = JSON.parse(text) as Partial<ProcessIdentity>;
    return { pid: Number(holder.pid), startedAt: String(holder.startedAt) };
  } catch {
    return null;
  }
};

/** A lock survives no death: one whose process is gone is taken over, so that a crash never needs a hand. */
export const acquireLock = (file: string): Lock => {
  const own = JSON.stringify(identifyProcess(process.pid));
  const candidate = `${file}.${process.pid}`;
  writeFileSync(candidate, own);
  try {
    for (;;) {
      // A hard link appears with its content and never replaces: two at once cannot both succeed.
      if (tryLink(candidate, file)) return { release: () => releaseLock(file, own) };
      const found = readText(file);
      const holder = parseHolder(found);
      if (holder && isAlive(holder)) return { heldBy: holder.pid };
      removeStale(file, found);
    }
  } finally {
    rmSync(candidate, { force: true });
  }
};

/** Moved aside before it is judged again: between our look and our hand another may have taken the lock over. */
const removeStale = (file: string, stale: string): void => {
  const aside = `${file}.${process.pid}.stale`;
  try {
    renameSync(file, aside);
    if (readText(aside) !== stale) tryLink(aside, file);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  } finally {
    rmSync(aside, { force: true });
  }
};

const tryLink = (candidate: string, file: string): boolean => {
  try {
    linkSync(candidate, file);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
};

const releaseLock = (file: string, own: string): void => {
  if (readText(file) === own) rmSync(file, { force: true });
};
