import type { Figure } from './figures';
import { median } from './statistics';
import { bodies, type System } from './system';

const rounds = 4;
const sliceSize = 10;

const measured = async (work: () => Promise<unknown>): Promise<number> => {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
};

/** One after the other, in slices that take turns: a drift of the machine meets them all. */
export const measureLatency = async ({ bare, generate, generateWaiting }: System): Promise<Figure[]> => {
  const stored = (body: (typeof bodies)[keyof typeof bodies]) => async () => (await generate(body)).storedMs;
  const subjects: Record<string, () => Promise<number>> = {
    bare: () => measured(bare.execute),
    'text, as stored': stored(bodies.text),
    'text by SDK, as stored': stored(bodies['text by SDK']),
    'video, as stored': stored(bodies.video),
    'text, Prefer: wait': () => generateWaiting(bodies.text),
    'video, Prefer: wait': () => generateWaiting(bodies.video),
  };
  const times = Object.fromEntries(Object.keys(subjects).map((name) => [name, [] as number[]]));
  for (let round = 0; round < rounds; round += 1)
    for (const [name, run] of Object.entries(subjects))
      for (let count = 0; count < sliceSize; count += 1) times[name]?.push(await run());

  const measure = 'generation alone, p50';
  const values = Object.entries(times).map(([name, list]) => ({ name, value: median(list) }));
  const bareMs = values[0]?.value ?? Number.NaN;
  return [
    ...values.map(({ name, value }): Figure => ({ measure, name, value, unit: 'ms' })),
    ...values
      .filter(({ name }) => name.endsWith('as stored'))
      .map(({ name, value }): Figure => {
        return { measure, name: `${name} / bare`, value: value / bareMs, unit: '×', aim: { atMost: 1.5 } };
      }),
  ];
};
