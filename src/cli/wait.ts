import { setTimeout as delay } from 'node:timers/promises';
import type { Api } from './api';
import { CliError, exitCodes, RefusedError, UnreachableError } from './failure';
import { createProgress, type Progress } from './progress';
import { isEnded, routeOf, type Generation } from './resource';
import type { Terminal } from './terminal';

export const defaultPatienceSeconds = 60;

const lookEveryMs = 750;
/** While the server is away. */
const knockEveryMs = 1_000;

export type Waiting = { api: Api; terminal: Terminal; patienceSeconds: number };

type Watch = Waiting & { progress: Progress; interrupted: AbortSignal };

const interruption = (ids: readonly string[]): CliError => {
  const goesOn = ids.length > 0 ? `: ${ids.join(', ')} ${ids.length === 1 ? 'goes' : 'go'} on` : '';
  return new CliError(`stopped waiting${goesOn}`, {
    exitCode: exitCodes.interrupted,
    details: ids.slice(0, 3).map((id) => `look: sureshot show ${id} · stop it: sureshot cancel ${id}`),
  });
};

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  delay(ms, undefined, { signal }).catch(() => undefined);

/** A refusal with `Retry-After` is no refusal of what was asked. */
const isSlowedDown = (error: unknown): error is RefusedError => error instanceof RefusedError && error.status === 429;

/** Tries again for as long as patience lasts: the server may be restarting. */
const persist = async <Result>(watch: Watch, work: () => Promise<Result>): Promise<Result> => {
  const { progress, interrupted, patienceSeconds } = watch;
  let awaySinceMs: number | null = null;
  const endure = (error: unknown): number => {
    if (interrupted.aborted) throw interruption([]);
    if (isSlowedDown(error)) return (error.retryAfterSeconds ?? 1) * 1000;
    if (!(error instanceof UnreachableError)) throw error;
    if (awaySinceMs === null) progress.tell(`${error.message}; asking again for up to ${patienceSeconds} s`);
    awaySinceMs ??= performance.now();
    if (performance.now() - awaySinceMs >= patienceSeconds * 1000) throw error;
    return knockEveryMs;
  };
  for (;;) {
    try {
      return await work();
    } catch (error) {
      await pause(endure(error), interrupted);
    }
  }
};

const hold = (id: string): string =>
  `${id} is held: nobody knows whether the provider took it. Decide with: sureshot resolve ${id} --action <action>`;

const waitForOne = async (watch: Watch, id: string): Promise<Generation> => {
  const { api, progress, interrupted } = watch;
  const beganMs = performance.now();
  let isHeld = false;
  while (!interrupted.aborted) {
    const generation = await persist(watch, () => api.call<Generation>(routeOf(id)));
    progress.show(generation, performance.now() - beganMs);
    if (isEnded(generation)) return generation;
    const needsAttention = generation.phase === 'needs_attention';
    if (needsAttention && !isHeld) progress.tell(hold(id));
    isHeld = needsAttention;
    await pause(lookEveryMs, interrupted);
  }
  throw interruption([id]);
};

/** Ctrl-C ends what is waited for, and nothing else; a second one ends the program as ever. */
const interruptible = async <Result>(work: (interrupted: AbortSignal) => Promise<Result>): Promise<Result> => {
  const controller = new AbortController();
  const interrupt = (): void => controller.abort();
  process.once('SIGINT', interrupt);
  try {
    return await work(controller.signal);
  } finally {
    process.removeListener('SIGINT', interrupt);
  }
};

/** Until each has ended, in the order of `ids`. */
export const waitForEnds = (waiting: Waiting, ids: readonly string[]): Promise<Generation[]> =>
  interruptible(async (interrupted) => {
    const progress = createProgress(waiting.terminal);
    const failure = new AbortController();
    const watch: Watch = { ...waiting, progress, interrupted: AbortSignal.any([interrupted, failure.signal]) };
    try {
      return await Promise.all(ids.map((id) => waitForOne(watch, id)));
    } catch (error) {
      // the others would go on asking, and the program with them
      failure.abort();
      throw interrupted.aborted ? interruption(ids) : error;
    } finally {
      progress.finish();
    }
  });

/** What may be asked twice, asked until it is answered. A first try that reached nobody fails at once. */
export const insist = <Result>(waiting: Waiting, work: () => Promise<Result>): Promise<Result> =>
  interruptible(async (interrupted) => {
    const progress = createProgress(waiting.terminal);
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof UnreachableError && error.maybeReceived) || waiting.patienceSeconds === 0) throw error;
      progress.tell(`${error.message}; asking again`);
      return await persist({ ...waiting, progress, interrupted }, work);
    } finally {
      progress.finish();
    }
  });
