import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openChildLog } from './child-log';
import { endChild, hastenChild, runChild, type Child, type ChildSpec, type RunSurroundings } from './child-run';
import type { Log } from './progress';
import type { Reaper } from './reaper-client';
import { StackError } from './stack-error';

export type SupervisorOptions = {
  logFolder: string;
  log: Log;
  reaper: Reaper;
  /** Names in the order of need; stopping goes the other way. */
  order: readonly string[];
  /** Called when a child cannot be kept running. */
  onGiveUp: (error: StackError) => void;
};

export type Supervisor = {
  /** Resolves at the first readiness, over restarts; rejects when it is given up or the stack is stopped before. */
  start: (spec: ChildSpec) => Promise<void>;
  /** Against the order of need; returns when every process is gone. */
  stop: () => Promise<void>;
  /** Stops waiting for the polite signals. */
  hasten: () => void;
  pids: () => Record<string, number>;
};

/** The moments of the crashes that still count. */
type KeptChild = Child & { wasReady: boolean; crashedAt: number[]; finished: Promise<void> };

const restartDelaysMs = [1_000, 2_000, 4_000] as const;
const mostCrashes = 5;
const crashWindowMs = 60_000;

const tellLastLines = ({ output }: Child): string => {
  const lines = output.lastLines(10);
  if (lines.length === 0) return `; it wrote nothing to ${output.file}`;
  return `; the end of ${output.file}:\n${lines.map((line) => `  ${line}`).join('\n')}`;
};

/** How long to wait before the next try; throws when there is none. */
const judgeCrash = (child: KeptChild, how: string): number => {
  const now = Date.now();
  child.crashedAt = [...child.crashedAt.filter((at) => now - at < crashWindowMs), now];
  const count = child.crashedAt.length;
  const { name, failsFast = false } = child.spec;
  if (count >= mostCrashes) {
    throw new StackError(`${name} ended ${count} times within a minute (${how})${tellLastLines(child)}`);
  }
  if (failsFast && !child.wasReady) throw new StackError(`${name} cannot be started (${how})${tellLastLines(child)}`);
  return restartDelaysMs[count - 1] ?? restartDelaysMs[2];
};

const keepRunning = async (child: KeptChild, surroundings: RunSurroundings): Promise<void> => {
  const { stopping, log } = surroundings;
  while (!stopping.aborted) {
    const how = await runChild(child, surroundings);
    if (stopping.aborted) return;
    const pauseMs = judgeCrash(child, how);
    log(`${child.spec.name} ended (${how}); it is started again in ${pauseMs / 1_000} s, see ${child.output.file}`);
    await delay(pauseMs, undefined, { signal: stopping }).catch(() => undefined);
  }
};

const asStackError = ({ spec }: Child, error: unknown): StackError =>
  error instanceof StackError ? error : new StackError(`${spec.name} cannot be started: ${(error as Error).message}`);

const makeChild = (spec: ChildSpec, options: SupervisorOptions, onFirstReady: () => void): KeptChild => {
  const output = openChildLog(path.join(options.logFolder, `${spec.name}.log`));
  const onReady = (): void => {
    if (child.wasReady) options.log(`${spec.name} is back`);
    child.wasReady = true;
    onFirstReady();
  };
  const child: KeptChild = {
    spec,
    output,
    onReady,
    running: null,
    wasReady: false,
    crashedAt: [],
    finished: Promise.resolve(),
  };
  return child;
};

export const createSupervisor = (options: SupervisorOptions): Supervisor => {
  const children: KeptChild[] = [];
  const stopping = new AbortController();
  const surroundings: RunSurroundings = { log: options.log, reaper: options.reaper, stopping: stopping.signal };

  const start = (spec: ChildSpec): Promise<void> =>
    new Promise((resolve, reject) => {
      const child = makeChild(spec, options, resolve);
      children.push(child);
      child.finished = keepRunning(child, surroundings).then(
        () => reject(new StackError('stopped before everything had started')),
        (problem: unknown) => {
          const error = asStackError(child, problem);
          reject(error);
          if (!stopping.signal.aborted) options.onGiveUp(error);
        },
      );
    });

  return {
    start,
    stop: async () => {
      stopping.abort();
      const rank = ({ spec }: KeptChild): number => options.order.indexOf(spec.name);
      for (const child of children.toSorted((one, other) => rank(other) - rank(one))) {
        await endChild(child);
        await child.finished;
      }
    },
    hasten: () => children.forEach(hastenChild),
    pids: () =>
      Object.fromEntries(children.flatMap(({ spec, running }) => (running ? [[spec.name, running.pid]] : []))),
  };
};
