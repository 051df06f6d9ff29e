export type Paint = 'green' | 'red' | 'yellow' | 'cyan' | 'dim' | 'bold';

/** Results go to stdout, everything else to stderr: the one can be piped on while the other is read. */
export type Terminal = {
  /** A line of the result. */
  out: (line: string) => void;
  /** A line for whoever looks on. */
  tell: (line: string) => void;
  /** Without a line end; only where `isLive`. */
  draw: (text: string) => void;
  /** stderr is looked at as it goes. */
  isLive: boolean;
  /** Of stderr. */
  rows: number;
  columns: number;
  /** Of stdout; `null` where nobody's window limits it. */
  outColumns: number | null;
  paint: (paint: Paint, text: string) => string;
};

type Stream = Pick<NodeJS.WriteStream, 'write'> & Partial<Pick<NodeJS.WriteStream, 'isTTY' | 'columns' | 'rows'>>;

export type Streams = { stdout: Stream; stderr: Stream };

const codes: Readonly<Record<Paint, number>> = { green: 32, red: 31, yellow: 33, cyan: 36, dim: 2, bold: 1 };

export const createTerminal = ({ stdout, stderr }: Streams, wantsColor: boolean): Terminal => {
  const isPainted = wantsColor && stdout.isTTY === true;
  return {
    out: (line) => void stdout.write(`${line}\n`),
    tell: (line) => void stderr.write(`${line}\n`),
    draw: (text) => void stderr.write(text),
    isLive: stderr.isTTY === true,
    // a terminal of unknown size says 0
    rows: stderr.rows || 24,
    columns: stderr.columns || 80,
    outColumns: stdout.isTTY === true ? stdout.columns || 80 : null,
    paint: (paint, text) => (isPainted ? `\x1b[${codes[paint]}m${text}\x1b[0m` : text),
  };
};

/** Prompts and providers' words may hold what steers a terminal. */
export const plain = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ').trim();

/** The same for a text of several lines. */
export const plainLines = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.replace(/[^\P{Cc}\t]/gu, ''))
    .join('\n');
