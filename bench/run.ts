import { writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { measureAcknowledgementAlone, measureAcknowledgementRunning } from './acknowledgement';
import { measureTurns } from './capacity-turns';
import { measureWaiting } from './capacity-waiting';
import { formatTable, type Figure } from './figures';
import { measureHistory, measureMemory } from './footprint';
import { measureLatency } from './latency';
import { bodies, startSystem, type System } from './system';
import { measureThroughput } from './throughput';

/** In this order; those of a system share one, so that ratios compare what ran on the same server. */
const alone = {
  'acknowledgement-alone': measureAcknowledgementAlone,
  turns: measureTurns,
  waiting: measureWaiting,
};
const together: Record<string, (system: System) => Figure[] | Promise<Figure[]>> = {
  latency: measureLatency,
  acknowledgement: measureAcknowledgementRunning,
  throughput: measureThroughput,
  history: measureHistory,
  memory: measureMemory,
};

const { values: chosen } = parseArgs({
  options: { only: { type: 'string', multiple: true, default: [] }, json: { type: 'string' } },
});

const wanted = <Measure>(measures: Record<string, Measure>): [string, Measure][] =>
  Object.entries(measures).filter(([name]) => chosen.only.length === 0 || chosen.only.includes(name));

const warmUps = 10;

const warmUp = async ({ bare, generate }: System): Promise<void> => {
  for (let count = 0; count < warmUps; count += 1) {
    await bare.execute();
    for (const body of Object.values(bodies)) await generate(body);
  }
};

const announce = (name: string): void => {
  process.stderr.write(`${name}, load ${loadavg()[0]?.toFixed(2)} …\n`);
};

const measureTogether = async (): Promise<Figure[]> => {
  const measures = wanted(together);
  if (measures.length === 0) return [];
  const system = await startSystem();
  try {
    announce('warming up');
    await warmUp(system);
    const figures: Figure[] = [];
    for (const [name, measure] of measures) {
      announce(name);
      figures.push(...(await measure(system)));
    }
    return figures;
  } finally {
    await system.stop();
  }
};

const main = async (): Promise<void> => {
  const names = [...Object.keys(alone), ...Object.keys(together)];
  const unknown = chosen.only.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new Error(`--only takes ${names.join(', ')}; ${unknown} is none of them`);
  const figures: Figure[] = [];
  for (const [name, measure] of wanted(alone)) {
    announce(name);
    figures.push(...(await measure()));
  }
  figures.push(...(await measureTogether()));
  console.log(
    `\n${formatTable(figures)}\n\n${cpus().length} cores, Node ${process.version}, ${new Date().toISOString()}`,
  );
  if (chosen.json !== undefined) await writeFile(chosen.json, `${JSON.stringify(figures, null, 2)}\n`);
};

main().catch((error: unknown) => {
  console.error((error as Error).message);
  process.exitCode = 1;
});
