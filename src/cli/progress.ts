import { isEnded, type Generation } from './resource';
import { shorten } from './table';
import { plain, type Terminal } from './terminal';
import { tellDuration } from './words';

/** What happens to generations that are waited for. */
export type Progress = {
  show(generation: Generation, elapsedMs: number): void;
  /** A line that stays. */
  tell(line: string): void;
  finish(): void;
};

const attemptOf = ({ attempts }: Generation): string[] => {
  const attempt = attempts.at(-1);
  return attempt === undefined ? [] : [`attempt ${attempt.number} ${attempt.model}`];
};

/** Status and phase, percent, attempt: without the time, which says nothing new. */
const stateOf = (generation: Generation, coarse: boolean): string => {
  const { status, phase, progress } = generation;
  const percent = coarse && progress !== null ? Math.floor(progress / 25) * 25 : progress;
  const shown = percent === null || isEnded(generation) ? [] : [`${percent} %`];
  return [phase ?? status, ...shown, ...attemptOf(generation)].join(' · ');
};

/** On a terminal one line a generation, rewritten; otherwise a line for each change, percent in quarters. */
export const createProgress = (terminal: Terminal): Progress => {
  const lines = new Map<string, string>();
  let drawn = 0;
  const erase = (): void => {
    if (drawn > 0) terminal.draw(`\x1b[${drawn}A\r\x1b[J`);
    drawn = 0;
  };
  const draw = (): void => {
    // more rows than the window has cannot be rewritten: the last ones stand for all
    const visible = [...lines.values()].slice(-Math.max(1, terminal.rows - 2));
    for (const line of visible) terminal.draw(`${shorten(line, terminal.columns - 1)}\n`);
    drawn = visible.length;
  };
  const showLive = (generation: Generation, elapsedMs: number): void => {
    const line = `${generation.id}  ${stateOf(generation, false)} · ${tellDuration(elapsedMs)}`;
    lines.set(generation.id, plain(line));
    erase();
    draw();
  };
  const showPlain = (generation: Generation, elapsedMs: number): void => {
    const state = stateOf(generation, true);
    if (lines.get(generation.id) === state) return;
    lines.set(generation.id, state);
    terminal.tell(plain(`${generation.id}  ${state} · ${tellDuration(elapsedMs)}`));
  };
  return {
    show: terminal.isLive ? showLive : showPlain,
    tell: (line) => {
      erase();
      terminal.tell(line);
      if (terminal.isLive) draw();
    },
    finish: () => {
      drawn = 0;
      lines.clear();
    },
  };
};
