import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { publicFolder } from './places';
import type { PostgresBinaries } from './postgres-binaries';
import { canAccess, type ServerUser } from './postgres-user';
import { endProcess, identifyProcess, listProcessesIn, readCommand } from './processes';
import { errorCode, StackError } from './stack-error';

export const databaseUser = 'sureshot';

const stayOut = { mode: 0o700 };

/** The last name is what the home shows; the folder may lie elsewhere when the server's user cannot enter the home. */
export const clusterLink = (home: string): string => path.join(home, 'postgres');

/** Gives the cluster's folder to the server's user, outside the home where that one cannot reach it. */
export const placeCluster = (home: string, user: ServerUser): string => {
  const link = clusterLink(home);
  if (!fs.lstatSync(link, { throwIfNoEntry: false })) {
    if (!user || canAccess(user, '-x', home)) fs.mkdirSync(link, stayOut);
    else fs.symlinkSync(makeOutside(home), link);
    if (user) fs.chownSync(link, user.uid, user.gid);
  }
  const folder = realFolder(link);
  if (canAccess(user, '-w', folder)) return folder;
  throw new StackError(
    `PostgreSQL's folder ${folder} cannot be written by its user: correct owner and mode of it and of the folders above`,
  );
};

const realFolder = (link: string): string => {
  try {
    return fs.realpathSync(link);
  } catch {
    throw new StackError(
      `the home is damaged: ${link} leads nowhere: restore its folder, or delete the home to begin anew`,
    );
  }
};

/** One made a moment ago may not be linked to yet. */
const youngestStaleMs = 60_000;

/** Removed homes cannot take data with them that lies elsewhere: each folder names its home, and is only kept while that leads to it. */
const isStale = (folder: string): boolean => {
  try {
    if (Date.now() - fs.statSync(`${folder}.home`).mtimeMs < youngestStaleMs) return false;
    const link = clusterLink(fs.readFileSync(`${folder}.home`, 'utf8'));
    return fs.readlinkSync(link) !== folder;
  } catch (error) {
    return errorCode(error) === 'ENOENT';
  }
};

const makeOutside = (home: string): string => {
  const outside = path.join(publicFolder(), 'clusters');
  fs.mkdirSync(outside, { recursive: true });
  fs.chmodSync(outside, 0o755);
  const folders = fs.readdirSync(outside).filter((name) => !name.endsWith('.home'));
  for (const stale of folders.map((name) => path.join(outside, name)).filter(isStale)) {
    for (const file of [stale, `${stale}.home`]) fs.rmSync(file, { recursive: true, force: true });
  }
  const folder = path.join(outside, randomUUID());
  fs.writeFileSync(`${folder}.home`, home);
  fs.mkdirSync(folder, stayOut);
  return folder;
};

export type Cluster = { folder: string; user: ServerUser; binaries: PostgresBinaries; password: string };

export const dataFolder = (cluster: Pick<Cluster, 'folder'>): string => path.join(cluster.folder, 'data');

const damaged = (what: string): StackError =>
  new StackError(
    `the home is damaged: ${what}: restore it, or delete the home to begin anew (its generations are lost then)`,
  );

/** True when there is data to run on, false when it has yet to be made; anything between is refused, never repaired by guesses. */
export const hasData = (data: string, majorVersion: string): boolean => {
  if (!fs.existsSync(data)) return false;
  let version: string;
  try {
    version = fs.readFileSync(path.join(data, 'PG_VERSION'), 'utf8').trim();
  } catch (error) {
    throw damaged(`${data} is no PostgreSQL data folder (PG_VERSION: ${errorCode(error)})`);
  }
  if (version !== majorVersion) throw damaged(`${data} was made by PostgreSQL ${version}, this is ${majorVersion}`);
  if (!fs.existsSync(path.join(data, 'global', 'pg_control'))) throw damaged(`${data} lacks global/pg_control`);
  return true;
};

const run = promisify(execFile);

/** Made aside and renamed: a start killed in the midst of it leaves nothing that looks like data. */
export const ensureData = async (cluster: Cluster): Promise<void> => {
  const data = dataFolder(cluster);
  if (hasData(data, cluster.binaries.majorVersion)) return;
  const draft = `${data}.new`;
  const passwordFile = path.join(cluster.folder, 'password');
  fs.rmSync(draft, { recursive: true, force: true });
  fs.writeFileSync(passwordFile, cluster.password, { mode: 0o600 });
  if (cluster.user) fs.chownSync(passwordFile, cluster.user.uid, cluster.user.gid);
  try {
    // The built-in locale is the same on every machine; one of the system's changes with it, and indexes break.
    const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
    const access = [`--username=${databaseUser}`, '--auth=scram-sha-256', `--pwfile=${passwordFile}`];
    await run(cluster.binaries.initdb, [`--pgdata=${draft}`, ...access, ...locale], {
      ...cluster.user,
      cwd: '/',
      env: serverEnvironment,
    });
    fs.renameSync(draft, data);
  } catch (error) {
    const lines = String((error as { stderr?: string }).stderr ?? (error as Error).message);
    throw new StackError(`PostgreSQL's data could not be made in ${draft}: ${lines.trim().replaceAll('\n', ' ')}`);
  } finally {
    fs.rmSync(passwordFile, { force: true });
  }
};

/** Nothing of the user's: PGDATA, PGOPTIONS and the like would change what we start. */
export const serverEnvironment = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

const graceMs = 5_000;

/**
 * Ends what a killed server left behind. Its backends live on for a moment and hold the shared memory; its pid file would
 * stop the next start if the pid belongs to somebody else by now. Safe because we hold the home's lock.
 */
export const endLeftovers = async (data: string): Promise<void> => {
  const pidFile = path.join(data, 'postmaster.pid');
  const recorded = fs.existsSync(pidFile) ? Number(fs.readFileSync(pidFile, 'utf8').split('\n')[0]) : 0;
  const postmaster = recorded > 0 && readCommand(recorded).includes(data) ? identifyProcess(recorded) : null;
  const leftovers = [...(postmaster ? [postmaster] : []), ...listProcessesIn(data)];
  await Promise.all(leftovers.map((leftover) => endProcess(leftover, ['SIGINT', 'SIGQUIT', 'SIGKILL'], graceMs)));
  fs.rmSync(pidFile, { force: true });
};
