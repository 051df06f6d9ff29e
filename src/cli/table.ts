import { plain } from './terminal';

const wide =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303f\uff01-\uff60]/u;

const widthOfCharacter = (character: string): number => {
  if (/\p{M}/u.test(character)) return 0;
  return wide.test(character) ? 2 : 1;
};

export const widthOf = (text: string): number =>
  [...text].reduce((total, character) => total + widthOfCharacter(character), 0);

/** As much of it as fits, ending in an ellipsis where something is missing. */
export const shorten = (text: string, width: number): string => {
  if (widthOf(text) <= width) return text;
  let kept = '';
  let used = 0;
  for (const character of text) {
    used += widthOfCharacter(character);
    if (used > width - 1) break;
    kept += character;
  }
  return width < 1 ? '' : `${kept}…`;
};

export type Column<Row> = {
  title: string;
  text: (row: Row) => string;
  right?: boolean;
  /** Gives way when the line is too long for the window. */
  flexible?: boolean;
  paint?: (text: string, row: Row) => string;
};

const gap = '  ';
const narrowest = 8;

const measure = (titles: readonly string[], cells: readonly string[][]): number[] =>
  titles.map((title, index) => Math.max(widthOf(title), ...cells.map((row) => widthOf(row[index] ?? ''))));

/** The widest of those that give way gives way first. */
const shrink = (widths: number[], flexible: readonly boolean[], limit: number): void => {
  const total = (): number => widths.reduce((sum, width) => sum + width, 0) + gap.length * (widths.length - 1);
  while (total() > limit) {
    const candidates = widths.map((width, index) => (flexible[index] === true && width > narrowest ? width : 0));
    const widest = candidates.indexOf(Math.max(...candidates));
    if ((candidates[widest] ?? 0) === 0) return;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
};

type Cell = { text: string; width: number; right: boolean };

const pad = ({ text, width, right }: Cell): string => {
  const fitted = shorten(text, width);
  const blank = ' '.repeat(Math.max(0, width - widthOf(fitted)));
  return right ? blank + fitted : fitted + blank;
};

/** `limit`: columns of the window, `null` for as wide as it gets. */
export const drawTable = <Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  limit: number | null,
): string[] => {
  const titles = columns.map(({ title }) => title);
  const cells = rows.map((row) => columns.map(({ text }) => plain(text(row))));
  const widths = measure(titles, cells);
  const flexible = columns.map((column) => column.flexible === true);
  if (limit !== null) shrink(widths, flexible, limit);
  const lay = (texts: readonly string[], paint: (text: string, index: number) => string): string =>
    columns
      .map(({ right = false }, index) => {
        const isLast = index === columns.length - 1;
        const cell = pad({ text: texts[index] ?? '', width: widths[index] ?? 0, right });
        return paint(isLast && !right ? cell.trimEnd() : cell, index);
      })
      .join(gap);
  const body = rows.map((row, number) =>
    lay(cells[number] ?? [], (text, index) => columns[index]?.paint?.(text, row) ?? text),
  );
  return [lay(titles, (text) => text), ...body];
};
