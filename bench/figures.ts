export type Figure = {
  measure: string;
  name: string;
  value: number;
  unit: 'ms' | '/s' | '×' | 'events' | 'MB' | 'ms CPU';
  aim?: { atMost: number } | { atLeast: number };
};

const digits = (value: number): string => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);

const describeAim = ({ value, aim }: Figure): string => {
  if (!aim) return '';
  const [sign, limit, met] =
    'atMost' in aim ? ['≤', aim.atMost, value <= aim.atMost] : ['≥', aim.atLeast, value >= aim.atLeast];
  return `aim ${sign} ${limit}: ${met ? 'met' : 'missed'}`;
};

/** Fixed columns, to be read and to be pasted. */
export const formatTable = (figures: readonly Figure[]): string => {
  const rows = figures.map((figure) => [
    figure.measure,
    figure.name,
    `${digits(figure.value)} ${figure.unit}`,
    describeAim(figure),
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const pad = (text: string, column: number): string =>
    column === 2 ? text.padStart(widths[column] ?? 0) : text.padEnd(widths[column] ?? 0);
  return rows.map((row) => row.map(pad).join('  ').trimEnd()).join('\n');
};
