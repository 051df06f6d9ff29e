import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { ChildLog } from './child-log';
import { withDeadline } from './deadline';
import { endProcess, identifyProcess, killGroup, signalProcess, type ProcessIdentity } from './processes';
import type { Log } from './progress';
import type { Reaper } from './reaper-client';
import { StackError } from './stack-error';

export type ChildSpec = {
  name: string;
  /** What must be in order before each launch. */
  prepare?: () => Promise<void>;
  /** Starts it as the leader of its own group, so that the terminal's Ctrl-C reaches only us and we stop in order. */
  launch: () => ChildProcess;
  /** Resolves by a state seen, not by time; `over` aborts when the process is gone. A `StackError` cannot be healed by a restart. */
  waitUntilReady: (child: ChildProcess, over: AbortSignal) => Promise<void>;
  /** What it looks like when it lives and yet cannot work any more, and how often to look: it is killed then. */
  brokenness?: { everyMs: number; isBroken: () => Promise<boolean> };
  /** A death before the first readiness cannot be healed by trying again. */
  failsFast?: boolean;
  /** From polite to rude; SIGKILL is added at the end. */
  stopSignals: NodeJS.Signals[];
  /** For each of the signals. */
  stopTimeoutMs: number;
  /** What of an output line belongs on the terminal. */
  findImportant: (line: string) => string | null;
};

export type Child = {
  spec: ChildSpec;
  output: ChildLog;
  running: ProcessIdentity | null;
  onReady: () => void;
};

export type RunSurroundings = { log: Log; reaper: Reaper; stopping: AbortSignal };

const readyTimeoutMs = 120_000;
const lastOutputMs = 300;

const describeExit = (child: ChildProcess): string =>
  child.signalCode === null ? `exit code ${child.exitCode ?? 'unknown'}` : child.signalCode;

const listSignals = ({ spec }: Child): NodeJS.Signals[] => [...spec.stopSignals, 'SIGKILL'];

export const endChild = async (child: Child): Promise<void> => {
  if (child.running) await endProcess(child.running, listSignals(child), child.spec.stopTimeoutMs);
};

/** Skips the polite signal. */
export const hastenChild = (child: Child): void => {
  if (child.running) signalProcess(child.running.pid, listSignals(child)[1] ?? 'SIGKILL');
};

const followOutput = (child: Child, started: ChildProcess, { log, stopping }: RunSurroundings): void => {
  const onLine = (line: string): void => {
    const important = stopping.aborted ? null : child.spec.findImportant(line);
    if (important !== null) log(`${child.spec.name}: ${important}`);
  };
  for (const stream of [started.stdout, started.stderr]) if (stream) child.output.follow(stream, onLine);
};

/** Settles with the process at the latest. One that does not become ready in time is killed: a crash like any other. */
const awaitReadiness = async (child: Child, started: ChildProcess, over: AbortSignal): Promise<void> => {
  try {
    await withDeadline({ afterMs: readyTimeoutMs, over }, (signal) => child.spec.waitUntilReady(started, signal));
    child.onReady();
  } catch (error) {
    if (started.pid !== undefined && !over.aborted) signalProcess(started.pid, 'SIGKILL');
    if (error instanceof StackError) throw error;
  }
};

/** In a row: one may be the end of something, or a start. */
const brokenLooks = 3;

/** A process that only answers with errors does not leave that state by itself; its supervisor starts it again. */
const killIfBroken = async (
  { spec, output }: Child,
  started: ChildProcess,
  { log, stopping }: RunSurroundings,
): Promise<void> => {
  const { name, brokenness } = spec;
  if (!brokenness) return;
  const isOver = (): boolean => stopping.aborted || started.exitCode !== null || started.signalCode !== null;
  for (let times = 0; times < brokenLooks;) {
    await delay(brokenness.everyMs, undefined, { ref: false });
    if (isOver()) return;
    times = (await brokenness.isBroken()) ? times + 1 : 0;
  }
  if (isOver() || started.pid === undefined) return;
  log(`${name} answers with nothing but errors, so it is killed; see ${output.file}`);
  signalProcess(started.pid, 'SIGKILL');
};

const register = (child: Child, started: ChildProcess, { reaper, stopping }: RunSurroundings): void => {
  const identity = identifyProcess(started.pid ?? 0);
  if (!identity) return;
  child.running = identity;
  reaper.add({ ...identity, name: child.spec.name, stopSignals: child.spec.stopSignals });
  // Stopped while it was being prepared: nobody else will end it.
  if (stopping.aborted) void endChild(child);
};

const cleanUp = async (child: Child, started: ChildProcess, { reaper }: RunSurroundings): Promise<void> => {
  child.running = null;
  if (started.pid !== undefined) {
    // A wrapper script may have left its program.
    killGroup(started.pid);
    reaper.remove(started.pid);
  }
  // The last lines may still be in the pipe; a grandchild may hold it open, so not for long.
  if (started.stdout?.closed === false) await Promise.race([once(started, 'close'), delay(lastOutputMs)]);
};

/** From launch to the end of the process. Returns how it ended. */
export const runChild = async (child: Child, surroundings: RunSurroundings): Promise<string> => {
  await child.spec.prepare?.();
  const started = child.spec.launch();
  const ended = once(started, 'exit');
  const over = new AbortController();
  register(child, started, surroundings);
  followOutput(child, started, surroundings);
  const readiness = awaitReadiness(child, started, over.signal);
  readiness.then(() => killIfBroken(child, started, surroundings)).catch(() => undefined);
  try {
    await ended;
  } finally {
    over.abort();
    await cleanUp(child, started, surroundings);
  }
  await readiness;
  return describeExit(started);
};
