import type { WriteStream } from 'node:tty';

export type DemoDisplay = {
  log: (line: string) => void;
  /** The present state of one generation. */
  show: (label: string, text: string) => void;
  /** What is shown now stays. */
  finish: () => void;
};

const clearLine = '\x1b[2K';
const coarseness = 25;

/** Without a terminal a line per change of phase or provider, and every 25 % of progress: a log, not a film. */
const coarsen = (text: string): string =>
  text.replace(/(\d+) %$/, (_match, percent: string) => String(Math.floor(Number(percent) / coarseness)));

export const createDisplay = (output: Pick<WriteStream, 'write'> & Partial<WriteStream>): DemoDisplay => {
  const rows = new Map<string, string>();
  const isTerminal = output.isTTY === true;
  let drawnRows = 0;

  const erase = (): void => {
    if (drawnRows > 0) output.write(`\x1b[${drawnRows}A\r\x1b[J`);
    drawnRows = 0;
  };
  const draw = (): void => {
    // A terminal of unknown size says 0. More rows than the window has cannot be rewritten: the last ones stand for all.
    const visible = [...rows].slice(-Math.max(1, (output.rows || 24) - 2));
    for (const [label, text] of visible) {
      output.write(`${clearLine}${`  ${label.padEnd(10)} ${text}`.slice(0, (output.columns || 80) - 1)}\n`);
    }
    drawnRows = visible.length;
  };

  return {
    log: (line) => {
      erase();
      output.write(`${line}\n`);
      if (isTerminal) draw();
    },
    show: (label, text) => {
      const before = rows.get(label);
      rows.set(label, text);
      if (isTerminal) {
        erase();
        draw();
      } else if (before === undefined || coarsen(before) !== coarsen(text)) {
        output.write(`  ${label.padEnd(10)} ${text}\n`);
      }
    },
    finish: () => {
      drawnRows = 0;
      rows.clear();
    },
  };
};
