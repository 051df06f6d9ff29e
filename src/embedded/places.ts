import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { StackError } from './stack-error';

/** What is costly to obtain and the same for every home of this user. `XDG_CACHE_HOME` comes in with the environment. */
export const cacheFolder = (xdgCacheHome?: string): string => {
  const base =
    xdgCacheHome !== undefined && path.isAbsolute(xdgCacheHome) ? xdgCacheHome : path.join(homedir(), '.cache');
  return path.join(base, 'sureshot');
};

const isOursAlone = (folder: string): boolean => {
  const found = lstatSync(folder);
  return found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o022) === 0;
};

/** Root only: a folder that every user may enter and only root may write, for what another user must reach. */
export const publicFolder = (): string => {
  for (const folder of ['/var/lib/sureshot', path.join(tmpdir(), 'sureshot-root')]) {
    try {
      mkdirSync(folder, { recursive: true });
      // Below the temporary folder anybody may have made it first: then it is not trusted.
      if (!isOursAlone(folder)) continue;
      chmodSync(folder, 0o755);
      return folder;
    } catch {
      // Read-only, probably: the next one.
    }
  }
  throw new StackError(
    'no folder was found that the user of PostgreSQL can reach: set SURESHOT_HOME to a place all users can enter',
  );
};
