import { playShort } from './scenes';

jest.setTimeout(420_000);

test('limits hold for several workers with wrong clocks that die, and whoever waits gets a turn', async () => {
  const { checks, rows } = await playShort(() => undefined);
  const broken = checks.flatMap(({ promise, offenders }) => offenders.map(({ what }) => [promise, what]));
  expect(broken).toEqual([]);
  expect(rows.every(({ accepted }) => accepted > 0)).toBe(true);
});
