import { nextDelayMs, readUntilTerminal, readWaitSeconds } from '../../src/api/wait';
import type { GenerationRow } from '../../src/stores/generations';

const rowOf = (status: GenerationRow['status']): GenerationRow => ({ status }) as GenerationRow;

test.each([
  [undefined, null],
  ['respond-async', null],
  ['wait=0', 0],
  ['respond-async, wait=10', 10],
  ['wait="7"', 7],
  ['Wait = 5; foo', 5],
  ['wait=61', 60],
  ['wait=-1', null],
  ['await=3', null],
])('reads Prefer: %s as %s seconds', (prefer, seconds) => {
  expect(readWaitSeconds(prefer)).toBe(seconds);
});

test('reads no more once the caller has hung up', async () => {
  const hangUp = new AbortController();
  let reads = 0;
  const read = (): Promise<GenerationRow> => {
    reads += 1;
    if (reads === 3) hangUp.abort();
    return Promise.resolve(rowOf('running'));
  };
  await readUntilTerminal(read, { seconds: 60, signal: hangUp.signal });
  expect(reads).toBe(3);
});

test('reads ever more rarely, and at least four times a second', () => {
  const delays = Array.from({ length: 20 }, (_, index) => index).reduce<number[]>(
    (list) => [...list, nextDelayMs(list.at(-1) ?? 25)],
    [],
  );
  expect(delays).toEqual([...delays].sort((left, right) => left - right));
  expect([delays[0], delays.at(-1)]).toEqual([31.25, 250]);
});
