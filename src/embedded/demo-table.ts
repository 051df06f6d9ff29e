import type { DemoResult } from './demo-generation';

type Row = readonly string[];

const header: Row = ['model', 'seconds', 'cost USD', 'bytes'];

const toRow = ({ figures }: DemoResult): Row[] =>
  figures === null ? [] : [[figures.model, figures.seconds.toFixed(1), figures.costUsd, String(figures.sizeBytes)]];

/** Names to the left, figures to the right. */
export const drawTable = (results: readonly DemoResult[]): string[] => {
  const rows = [header, ...results.flatMap(toRow)];
  const widths = header.map((_title, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const pad = (cell: string, column: number): string =>
    column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
  return rows.map((row) => row.map(pad).join('  '));
};
