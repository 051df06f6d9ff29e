import { readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import type { Check } from '../crash/checks';
import { checkTable, table } from '../crash/report';
import type { Row } from './checks';

export type Scene = { name: string; what: string; durationSeconds: number; rows: Row[]; checks: Check[] };

export const isGreen = (scenes: readonly Scene[]): boolean =>
  scenes.every(({ checks }) => checks.every(({ offenders }) => offenders.length === 0));

const percent = (share: number | null): string => (share === null ? '–' : `${(share * 100).toFixed(1)} %`);

const seconds = (durationMs: number | null): string =>
  durationMs === null ? '–' : `${(durationMs / 1000).toFixed(1)} s`;

const limitTable = (rows: readonly Row[]): string =>
  table(
    ['backlog', 'limit of each key', 'most seen', 'accepted', '429', 'used', 'longest room unused'],
    rows.map(({ line, limit, keys, allowed, most, accepted, refused, utilisation, idleMs }) => [
      keys === 1 ? line : `${line}, ${keys} keys`,
      `${limit} ${allowed}`,
      most,
      accepted,
      refused,
      percent(utilisation),
      seconds(idleMs),
    ]),
  );

const formatScene = ({ name, what, durationSeconds, rows, checks }: Scene): string =>
  [
    `### ${name}`,
    `${what} ${durationSeconds} s.`,
    ...(rows.length > 0 ? [limitTable(rows)] : []),
    checkTable(checks),
  ].join('\n\n');

export const formatReport = (scenes: readonly Scene[]): string =>
  [
    `${new Date().toISOString().slice(0, 10)}, ${cpus().length} cores for everything, the providers among it: ${isGreen(scenes) ? 'every promise held' : '**broken promises**'}.`,
    ...scenes.map(formatScene),
  ].join('\n\n');

const begin = '<!-- runs -->';
const end = '<!-- end of runs -->';

/** In the place of what stood between the markers. */
export const writeReport = async (file: string, scenes: readonly Scene[]): Promise<void> => {
  const document = await readFile(file, 'utf8');
  const [before, rest] = document.split(begin);
  const [, after = ''] = (rest ?? '').split(end);
  if (before === undefined || rest === undefined) throw new Error(`${file} has no place for runs`);
  await writeFile(file, `${before}${begin}\n\n${formatReport(scenes)}\n\n${end}${after === '' ? '\n' : after}`);
};
