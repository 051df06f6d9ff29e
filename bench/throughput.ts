import type { Figure } from './figures';
import { readUsage } from './processes';
import { median } from './statistics';
import { bodies, type System } from './system';

const concurrency = 50;
const sliceSize = 100;
const rounds = 3;

const runConcurrently = async (work: () => Promise<unknown>): Promise<number> => {
  const startedAt = performance.now();
  let left = sliceSize;
  const lane = async (): Promise<void> => {
    while ((left -= 1) >= 0) await work();
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
  return (sliceSize * 1000) / (performance.now() - startedAt);
};

type Slice = { perSecond: number; cpuMs: Record<string, number> };

const runSlice = async ({ stack, bare }: System, work: () => Promise<unknown>): Promise<Slice> => {
  const pids = { ...stack.stack.pids(), 'bare worker': bare.pid };
  const before = readUsage(pids);
  const perSecond = await runConcurrently(work);
  const after = readUsage(pids);
  const spent = Object.entries(after).map(
    ([name, { cpuMs }]) => [name, (cpuMs - (before[name]?.cpuMs ?? 0)) / sliceSize] as const,
  );
  return { perSecond, cpuMs: Object.fromEntries(spent) };
};

const negligibleMs = 0.2;

const describeCpu = (subject: string, slices: readonly Slice[]): Figure[] => {
  const names = Object.keys(slices[0]?.cpuMs ?? {});
  const parts = names.map((name) => ({ name, value: median(slices.map(({ cpuMs }) => cpuMs[name] ?? 0)) }));
  const measure = `CPU for each, ${subject}`;
  const total = parts.reduce((sum, { value }) => sum + value, 0);
  return [{ name: 'all processes', value: total }, ...parts.filter(({ value }) => value > negligibleMs)].map(
    (part): Figure => ({ measure, ...part, unit: 'ms CPU' }),
  );
};

/** At full load, in slices that take turns. */
export const measureThroughput = async (system: System): Promise<Figure[]> => {
  const subjects: Record<string, () => Promise<unknown>> = {
    bare: system.bare.execute,
    text: () => system.generate(bodies.text),
    video: () => system.generate(bodies.video),
  };
  const slices: Record<string, Slice[]> = {};
  for (let round = 0; round < rounds; round += 1)
    for (const [name, work] of Object.entries(subjects)) (slices[name] ??= []).push(await runSlice(system, work));

  const measure = `throughput, ${concurrency} at a time`;
  const rates = Object.entries(slices).map(([name, list]) => ({
    name,
    value: median(list.map(({ perSecond }) => perSecond)),
  }));
  const barePerSecond = rates[0]?.value ?? Number.NaN;
  return [
    ...rates.map((rate): Figure => ({ measure, ...rate, unit: '/s' })),
    ...rates.slice(1).map(({ name, value }): Figure => {
      return { measure, name: `${name} / bare`, value: value / barePerSecond, unit: '×', aim: { atLeast: 0.7 } };
    }),
    ...Object.entries(slices).flatMap(([name, list]) => describeCpu(name, list)),
  ];
};
