import path from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { projectFolder } from '../../src/embedded/entries';
import { formatReport, isGreen, writeReport, type Scene } from './report';
import { playDeaths, playFairness, playLoad, playShort, type Log } from './scenes';

// npm run test:capacity -- [--write] [--only load-3]; CAPACITY_SEED
const { values } = parseArgs({
  options: { write: { type: 'boolean', default: false }, only: { type: 'string', multiple: true, default: [] } },
});

const environmentSchema = z.object({
  CAPACITY_SEED: z.coerce
    .number()
    .int()
    .default(() => Date.now() % 1_000_000),
});

const { CAPACITY_SEED: seed } = environmentSchema.parse(process.env);

/** Three windows of every rate, and as long of every slot. */
const counts = { slots: 36, model: 20, rate: 52, both: 26, queue: 36, day: 10, tokens: 30, paused: 30 };

const loadScene = (workers: number) => (log: Log) =>
  playLoad({ workers, counts, settleMs: 300_000, checksUse: true, log });

const deathCounts = { slots: 20, model: 12, rate: 34, both: 14, queue: 14, tokens: 16 };

const scenes: Record<string, (log: Log) => Promise<Scene>> = {
  'load-1': loadScene(1),
  'load-3': loadScene(3),
  'load-10': loadScene(10),
  deaths: (log) => playDeaths({ workers: 3, counts: deathCounts, kills: 15, settleMs: 600_000, seed, log }),
  'tenants-1': (log) => playFairness({ workers: 3, queued: 2_000, arriving: 100, weight: 1, log }),
  'tenants-3': (log) => playFairness({ workers: 3, queued: 2_000, arriving: 150, weight: 3, log }),
};

const short = { short: playShort };

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const main = async (): Promise<void> => {
  const startedAt = Date.now();
  const log = (line: string): void => say(`${((Date.now() - startedAt) / 1000).toFixed(0).padStart(5)} s  ${line}`);
  say(`capacity suite, CAPACITY_SEED=${seed}`);
  const known = { ...scenes, ...short };
  const unknown = values.only.find((name) => !(name in known));
  if (unknown !== undefined)
    throw new Error(`--only takes ${Object.keys(known).join(', ')}; ${unknown} is none of them`);
  const wanted = Object.entries(values.only.length === 0 ? scenes : known).filter(
    ([name]) => values.only.length === 0 || values.only.includes(name),
  );
  const played: Scene[] = [];
  for (const [, scene] of wanted) played.push(await scene(log));
  say(`\n${formatReport(played)}`);
  if (values.write) await writeReport(path.join(projectFolder, 'docs', 'capacity.md'), played);
  if (isGreen(played)) return;
  for (const { name, checks } of played)
    for (const { promise, offenders } of checks.filter((check) => check.offenders.length > 0))
      say(`\nBROKEN, ${name}: ${promise}\n${offenders.map(({ what }) => `  ${what}`).join('\n')}`);
  process.exitCode = 1;
};

main().catch((error: unknown) => {
  process.stderr.write(`${(error as Error).stack}\n`);
  process.exitCode = 1;
});
