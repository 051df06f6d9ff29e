import path from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { projectFolder } from '../../src/embedded/entries';
import { everyBoundary } from './orders';
import { describeGeneration, formatReport, isGreen, writeReport } from './report';
import { runSuite, type Finished, type SuiteOptions } from './suite';

// npm run test:crash -- [--write]; CRASH_GENERATIONS, CRASH_KILLS, CRASH_SEED
const { values } = parseArgs({ options: { write: { type: 'boolean', default: false } } });

const environmentSchema = z.object({
  CRASH_GENERATIONS: z.coerce.number().int().min(20).default(300),
  CRASH_KILLS: z.coerce.number().int().min(1).default(60),
  CRASH_SEED: z.coerce
    .number()
    .int()
    .default(() => Date.now() % 1_000_000),
});

const longForm = (seed: number, generations: number, count: number): Omit<SuiteOptions, 'log'> => ({
  seed,
  generations,
  kills: { count, shortestMs: 2_000, longestMs: 6_000 },
  boundaries: everyBoundary,
  boundaryEveryMs: 8_000,
  faultEveryMs: 800,
  lasting: Math.min(20, Math.ceil(generations / 4)),
  stopMs: 20_000,
  hearsProviders: true,
  settleMs: 420_000,
  replays: 60,
});

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const tellBroken = ({ report, books, home }: Finished): void => {
  for (const { promise, offenders } of report.checks.filter((check) => check.offenders.length > 0)) {
    say(`\nBROKEN: ${promise}`);
    for (const { what, generationId } of offenders)
      say(`  ${what}${generationId === null ? '' : `\n    ${describeGeneration(books, generationId)}`}`);
  }
  say(`\nLogs, both databases, histories of the offenders and evidence.json are in ${home}`);
};

const main = async (): Promise<void> => {
  const { CRASH_GENERATIONS, CRASH_KILLS, CRASH_SEED } = environmentSchema.parse(process.env);
  say(`crash suite: ${CRASH_GENERATIONS} generations, ${CRASH_KILLS} kills at random, CRASH_SEED=${CRASH_SEED}`);
  const startedAt = Date.now();
  const log = (line: string): void => say(`${((Date.now() - startedAt) / 1000).toFixed(0).padStart(4)} s  ${line}`);
  const finished = await runSuite({ ...longForm(CRASH_SEED, CRASH_GENERATIONS, CRASH_KILLS), log });
  say(`\n${formatReport(finished.report)}`);
  if (values.write) await writeReport(path.join(projectFolder, 'docs', 'reliability.md'), finished.report);
  if (isGreen(finished.report)) return;
  tellBroken(finished);
  process.exitCode = 1;
};

main().catch((error: unknown) => {
  process.stderr.write(`${(error as Error).stack}\n`);
  process.exitCode = 1;
});
