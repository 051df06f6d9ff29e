import { randomBytes } from 'node:crypto';
import { accessSync, constants, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { acquireLock } from './lock';
import { choosePort } from './ports';
import { errorCode, StackError } from './stack-error';

const usable = 'set SURESHOT_HOME to a folder of your own, or correct its owner and mode';

/** Makes the folder and proves that it can be written: everything later may rely on it. */
export const prepareHome = (home: string): void => {
  const probe = path.join(home, `.probe-${process.pid}`);
  try {
    mkdirSync(path.join(home, 'logs'), { recursive: true });
    accessSync(path.join(home, 'logs'), constants.W_OK);
    writeFileSync(probe, '');
    rmSync(probe);
  } catch (error) {
    throw new StackError(`the home folder ${home} cannot be written (${errorCode(error)}): ${usable}`);
  }
};

/** One stack at a time: two on the same data would destroy it. */
export const lockHome = (home: string): (() => void) => {
  const lock = acquireLock(path.join(home, 'lock'));
  if ('release' in lock) return lock.release;
  throw new StackError(`another stack (pid ${lock.heldBy}) runs on the home ${home}: stop it, or set SURESHOT_HOME`);
};

/** Written beside and renamed: a reader and a crash see the old content or the new, never half of it. */
export const replaceFile = (file: string, content: string, mode = 0o644): void => {
  const draft = `${file}.${process.pid}.new`;
  writeFileSync(draft, content, { mode });
  renameSync(draft, file);
};

const shortestSecret = 16;

/** Generated once, for this user's eyes only. */
export const keepSecret = (home: string, name: string, prefix = ''): string => {
  const file = path.join(home, name);
  try {
    const secret = readFileSync(file, 'utf8').trim();
    if (secret.length >= shortestSecret) return secret;
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw new StackError(`${file} cannot be read (${errorCode(error)}): ${usable}`);
    const secret = prefix + randomBytes(24).toString('base64url');
    replaceFile(file, `${secret}\n`, 0o600);
    return secret;
  }
  throw new StackError(`the home is damaged: ${file} holds no secret: restore it, or delete ${home} to begin anew`);
};

const portsSchema = z.record(z.string(), z.int().min(1).max(65_535));

const readPorts = (file: string): Record<string, number> => {
  try {
    return portsSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    // Nothing kept yet, or damaged: other ports do as well.
    return {};
  }
};

/** The same ports as last time where they are free: recorded URLs, the emulator's above all, stay true over a restart. */
export const keepPorts = async (home: string, names: readonly string[]): Promise<Record<string, number>> => {
  const file = path.join(home, 'ports.json');
  const kept = readPorts(file);
  const chosen: Record<string, number> = {};
  for (const name of names) chosen[name] = await choosePort(kept[name] ?? null, new Set(Object.values(chosen)));
  replaceFile(file, `${JSON.stringify({ ...kept, ...chosen }, null, 2)}\n`);
  return chosen;
};
