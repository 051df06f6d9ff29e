import { execFileSync, spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { StackError } from './stack-error';

/** PostgreSQL refuses to run as root, so it gets another user then. Null: it runs as ourselves. */
export type ServerUser = { uid: number; gid: number } | null;

const lookUp = (option: '-u' | '-g', name: string): number =>
  Number(execFileSync('id', [option, name], { encoding: 'utf8', stdio: 'pipe' }));

const findUser = (name: string): ServerUser => {
  try {
    return { uid: lookUp('-u', name), gid: lookUp('-g', name) };
  } catch {
    return null;
  }
};

/** Whoever owns the data already; else an unprivileged user that every system has: nothing is added to the system. */
export const chooseServerUser = (dataFolder: string): ServerUser => {
  if (process.getuid?.() !== 0) return null;
  const owner = statSync(dataFolder, { throwIfNoEntry: false });
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const user = findUser('postgres') ?? findUser('nobody');
  if (!user)
    throw new StackError('PostgreSQL does not run as root, and there is neither a user "postgres" nor "nobody"');
  return user;
};

/** Asked of the kernel as that user: modes, every folder above and mount options all count. */
export const canAccess = (user: ServerUser, test: '-r' | '-w' | '-x', target: string): boolean =>
  spawnSync('/bin/sh', ['-c', `test ${test} "$1"`, 'sh', target], { ...user, cwd: '/', stdio: 'ignore' }).status === 0;
