import { readFile, writeFile } from 'node:fs/promises';
import { quantile } from '../../bench/statistics';
import { hashPrompt, type Books } from './books';
import { atRandom, type Kill } from './chaos';
import type { Check } from './checks';
import { kindOf } from './tree';

export type Recovery = { name: string; timesMs: number[] };

export type Report = {
  seed: number;
  durationSeconds: number;
  kills: Kill[];
  faults: number;
  repeats: number;
  deeds: ReadonlyMap<string, number>;
  outcomes: ReadonlyMap<string, number>;
  checks: Check[];
  recovery: Recovery[];
};

export const countBy = <Thing>(things: readonly Thing[], keyOf: (thing: Thing) => string): Map<string, number> => {
  const counts = new Map<string, number>();
  for (const thing of things) counts.set(keyOf(thing), (counts.get(keyOf(thing)) ?? 0) + 1);
  return new Map([...counts].sort(([one], [other]) => (one < other ? -1 : 1)));
};

/** From each kill to the first event after it; kills that nothing was left to do after have none. */
const untilNextEvent = (kills: readonly Kill[], times: readonly number[]): number[] =>
  kills.flatMap(({ atMs }) => {
    const next = times.find((time) => time > atMs);
    return next === undefined ? [] : [next - atMs];
  });

/** From each kill, for each generation that was underway, to its own next event. */
const untilOwnNextEvent = (kills: readonly Kill[], { generations, events }: Books): number[] => {
  const eventsOf = new Map<string, number[]>();
  for (const { generationId, atMs } of events)
    eventsOf.set(generationId, [...(eventsOf.get(generationId) ?? []), atMs]);
  return kills.flatMap(({ atMs }) =>
    generations
      .filter(({ createdAt, completedAt }) => createdAt.getTime() < atMs && (completedAt?.getTime() ?? Infinity) > atMs)
      .flatMap(({ id }) => untilNextEvent([{ name: '', where: '', atMs }], eventsOf.get(id) ?? [])),
  );
};

const untilReady = (kills: readonly Kill[], readiness: readonly { name: string; atMs: number }[]): number[] =>
  kills.flatMap(({ name, atMs }) => {
    const back = readiness.find((ready) => ready.name === name && ready.atMs > atMs);
    return back ? [back.atMs - atMs] : [];
  });

export const measureRecovery = (
  kills: readonly Kill[],
  books: Books,
  readiness: readonly { name: string; atMs: number }[],
): Recovery[] => [
  { name: 'the killed process is ready again', timesMs: untilReady(kills, readiness) },
  {
    name: 'any generation gets on',
    timesMs: untilNextEvent(
      kills,
      books.events.map(({ atMs }) => atMs),
    ),
  },
  { name: 'each generation underway gets on', timesMs: untilOwnNextEvent(kills, books) },
];

type Row = readonly (string | number)[];

export const table = (head: Row, rows: readonly Row[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');

const sumOf = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((sum, one) => sum + one, 0);

const describe = (counts: ReadonlyMap<string, number>): string =>
  [...counts].map(([name, times]) => `${name} ${times}`).join(', ') || 'none';

const milliseconds = (times: readonly number[], share: number): string =>
  times.length === 0 ? '–' : `${Math.round(quantile(times, share))} ms`;

const killTable = (kills: readonly Kill[]): string => {
  const random = kills.filter(({ where }) => where === atRandom);
  const ordered = kills.filter(({ where }) => where !== atRandom);
  return table(
    ['kills', 'times', 'of which'],
    [
      ['at random', random.length, describe(countBy(random, ({ name }) => kindOf(name)))],
      ['at a step boundary', ordered.length, describe(countBy(ordered, ({ where }) => where))],
    ],
  );
};

const doneTable = ({ outcomes, deeds, faults, repeats }: Report): string =>
  table(
    ['what happened', 'times', 'of which'],
    [
      ['generations', sumOf(outcomes), describe(outcomes)],
      ['faults at the providers', faults, ''],
      ['requests repeated by clients', repeats, ''],
      ['decisions of the operator', sumOf(deeds), describe(deeds)],
    ],
  );

export const checkTable = (checks: readonly Check[]): string =>
  table(
    ['promise', 'holds', 'figures'],
    checks.map(({ promise, figure, offenders }) => [
      promise,
      offenders.length === 0 ? 'yes' : `**no: ${offenders.length}**`,
      figure,
    ]),
  );

const recoveryTable = (recovery: readonly Recovery[]): string =>
  table(
    ['from a kill until', 'n', 'p50', 'p99'],
    recovery.map(({ name, timesMs }) => [
      name,
      timesMs.length,
      milliseconds(timesMs, 0.5),
      milliseconds(timesMs, 0.99),
    ]),
  );

export const isGreen = ({ checks }: Report): boolean => checks.every(({ offenders }) => offenders.length === 0);

export const formatReport = (report: Report): string =>
  [
    `Seed ${report.seed}, ${report.durationSeconds} s: ${isGreen(report) ? 'every promise held' : '**broken promises**'}.`,
    checkTable(report.checks),
    doneTable(report),
    killTable(report.kills),
    recoveryTable(report.recovery),
  ].join('\n\n');

/** What both ledgers say of a generation that broke a promise. */
export const describeGeneration = ({ generations, attempts, ledger, events }: Books, id: string): string => {
  const generation = generations.find((one) => one.id === id);
  const promptHash = hashPrompt(generation?.prompt ?? '');
  return [
    JSON.stringify({ ...generation, events: events.filter(({ generationId }) => generationId === id).length }),
    ...attempts
      .filter(({ generationId }) => generationId === id)
      .map((attempt) => `attempt ${JSON.stringify(attempt)}`),
    ...ledger.filter((row) => row.promptHash === promptHash).map((row) => `provider ${JSON.stringify(row)}`),
  ].join('\n    ');
};

const begin = '<!-- runs: written by `npm run test:crash -- --write` -->';
const end = '<!-- end of runs -->';

/** How many runs the document shows. */
const keptRuns = 3;

const heading = (report: Report): string =>
  `### ${sumOf(report.outcomes)} generations, ${report.kills.length} kills, seed ${report.seed}`;

/** The newest first. */
export const writeReport = async (file: string, report: Report): Promise<void> => {
  const document = await readFile(file, 'utf8');
  const [before, rest] = document.split(begin);
  const [old, after] = (rest ?? '').split(end);
  if (before === undefined || old === undefined || after === undefined)
    throw new Error(`${file} has no place for runs`);
  const runs = old.split(/^(?=### )/m).filter((part) => part.startsWith('### '));
  const kept = [`${heading(report)}\n\n${formatReport(report)}\n\n`, ...runs].slice(0, keptRuns);
  await writeFile(file, `${before}${begin}\n\n${kept.join('')}${end}${after}`);
};
