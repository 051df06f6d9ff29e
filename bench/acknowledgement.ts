import { setTimeout as pause } from 'node:timers/promises';
import type { TestStack } from '../test/support/stack';
import type { Figure } from './figures';
import { quantile } from './statistics';
import { bodies, startInstantStack, type System } from './system';

const aim = { atMost: 25 };

const acknowledge = async (stack: TestStack): Promise<number> => {
  const startedAt = performance.now();
  await stack.submit(bodies.text);
  return performance.now() - startedAt;
};

const summarize = (measure: string, times: readonly number[]): Figure[] => [
  { measure, name: 'p50', value: quantile(times, 0.5), unit: 'ms' },
  { measure, name: 'p99', value: quantile(times, 0.99), unit: 'ms', aim },
];

const warmUps = 30;
const requests = 300;

/** A stack of its own, in which nothing takes the work up. */
export const measureAcknowledgementAlone = async (): Promise<Figure[]> => {
  const stack = await startInstantStack({ pieces: ['postgres', 'temporal', 'emulator', 'api'] });
  try {
    for (let count = 0; count < warmUps; count += 1) await acknowledge(stack);
    const times: number[] = [];
    while (times.length < requests) times.push(await acknowledge(stack));
    return summarize('acknowledgement, workers stopped', times);
  } finally {
    await stack.stop();
  }
};

const perSecond = 5;
const seconds = 25;

/** At its own pace, whether or not the last one was answered. */
export const measureAcknowledgementRunning = async ({ stack }: System): Promise<Figure[]> => {
  const running: Promise<number>[] = [];
  for (let count = 0; count < perSecond * seconds; count += 1) {
    running.push(acknowledge(stack));
    await pause(1000 / perSecond);
  }
  return summarize(`acknowledgement, ${perSecond}/s, all running`, await Promise.all(running));
};
