import { setTimeout as pause } from 'node:timers/promises';
import pino from 'pino';
import { startInBackground } from '../src/background-start';
import type { Start } from '../src/domain/generation';
import type { Temporal } from '../src/temporal';

const logger = pino({ enabled: false });

const generation = (id: string): Start => ({ id, tenantId: 'tenant', weight: 1, medium: 'text', priority: 'medium' });

const crowd = (count: number): Start[] => Array.from({ length: count }, (_, index) => generation(`gen_${index}`));

let stop: () => void;

afterEach(() => stop());

const begin = (start: Temporal['start']) => {
  const none = (): Promise<void> => Promise.resolve();
  const background = startInBackground({ start, cancel: none, resolve: none, callBack: none }, logger);
  stop = background.stop;
  return background;
};

const until = async (isSo: () => boolean): Promise<void> => {
  while (!isSo()) await pause(5);
};

test('a flood is started a few at a time, all of it', async () => {
  let most = 0;
  let now = 0;
  const started = new Set<string>();
  const background = begin(async ({ id }) => {
    most = Math.max(most, ++now);
    await pause(1);
    now -= 1;
    started.add(id);
    return 'started';
  });
  for (const one of crowd(500)) background.start(one);
  await until(() => started.size === 500);
  expect(most).toBeGreaterThan(1);
  expect(most).toBeLessThanOrEqual(32);
});

test('one that cannot be started holds up nobody, and is tried again', async () => {
  const started = new Set<string>();
  let refusals = 0;
  const background = begin(async ({ id }) => {
    if (id === 'gen_0' && started.size < 100) {
      refusals += 1;
      throw new Error('context canceled');
    }
    started.add(id);
    return Promise.resolve('started');
  });
  for (const one of crowd(101)) background.start(one);
  await until(() => started.size === 101);
  expect(refusals).toBeGreaterThanOrEqual(1);
});

test('while the service is away it is asked now and then, and then gets all of them', async () => {
  let isAway = true;
  let asked = 0;
  const started = new Set<string>();
  const background = begin(async ({ id }) => {
    asked += 1;
    if (isAway) throw new Error('unavailable');
    started.add(id);
    return Promise.resolve('started');
  });
  for (const one of crowd(1_000)) background.start(one);
  expect(asked).toBeGreaterThan(0);
  expect(asked).toBeLessThanOrEqual(32);
  isAway = false;
  await until(() => started.size === 1_000);
});
