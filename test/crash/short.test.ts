import { describeGeneration } from './report';
import { runSuite } from './suite';

jest.setTimeout(300_000);

test('processes die at random and in the midst of steps: nothing is lost, nothing is paid for twice unnoticed', async () => {
  const { report, books } = await runSuite({
    seed: 5,
    generations: 24,
    kills: { count: 4, shortestMs: 2_000, longestMs: 4_000 },
    boundaries: ['committed', 'taken', 'accepted', 'recorded'],
    boundaryEveryMs: 4_000,
    faultEveryMs: 1_500,
    lasting: 6,
    stopMs: 9_000,
    hearsProviders: false,
    settleMs: 120_000,
    replays: 15,
    log: () => undefined,
  });
  const broken = report.checks.flatMap(({ promise, offenders }) =>
    offenders.map(({ what, generationId }) => [promise, what, generationId && describeGeneration(books, generationId)]),
  );
  expect(broken).toEqual([]);
  expect(report.kills.length).toBeGreaterThanOrEqual(8);
});
