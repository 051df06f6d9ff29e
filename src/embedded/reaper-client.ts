import { spawn, type ChildProcess } from 'node:child_process';
import { identifyProcess, type ProcessIdentity } from './processes';
import { compiledEntry } from './entries';
import type { ReaperOrder } from './reaper';

export type WatchedProcess = ProcessIdentity & { name: string; stopSignals: NodeJS.Signals[] };

export type Reaper = {
  add: (watched: WatchedProcess) => void;
  remove: (pid: number) => void;
  /** Everything is ended: it has nothing to do any more. */
  dismiss: () => void;
  pid: () => number;
};

/** Keeps a reaper alive and told. `onChange` gets the processes that must not outlive us, to be kept in the home as well. */
export const startReaper = (onChange: (watched: WatchedProcess[]) => void): Reaper => {
  const watched = new Map<number, WatchedProcess>();
  let dismissed = false;
  let reaper: ChildProcess;
  const tell = (order: ReaperOrder): void => {
    reaper.stdin?.write(`${JSON.stringify(order)}\n`);
  };
  const tellToAdd = ({ pid, startedAt, stopSignals }: WatchedProcess): void =>
    tell({ add: { pid, startedAt, stopSignals } });
  const report = (): void => {
    const own = identifyProcess(reaper.pid ?? 0);
    onChange([...watched.values(), ...(own ? [{ ...own, name: 'reaper', stopSignals: [] }] : [])]);
  };
  const launch = (): void => {
    if (dismissed) return;
    // Detached: neither Ctrl-C nor a kill of our process group reaches it.
    reaper = spawn(process.execPath, [compiledEntry('embedded/reaper.js')], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      cwd: '/',
    });
    reaper.unref();
    reaper.stdin?.on('error', () => undefined);
    reaper.once('error', () => undefined);
    const launchedAt = Date.now();
    reaper.once('exit', () => {
      // One that dies at once (no memory left, say) must not make us a fork bomb.
      if (!dismissed) setTimeout(launch, Date.now() - launchedAt < 1_000 ? 1_000 : 0).unref();
    });
    for (const child of watched.values()) tellToAdd(child);
    report();
  };
  launch();
  return {
    add: (child) => {
      watched.set(child.pid, child);
      tellToAdd(child);
      report();
    },
    remove: (pid) => {
      watched.delete(pid);
      tell({ remove: pid });
      report();
    },
    dismiss: () => {
      dismissed = true;
      tell({ leave: true });
      reaper.stdin?.end();
    },
    pid: () => reaper.pid ?? 0,
  };
};
