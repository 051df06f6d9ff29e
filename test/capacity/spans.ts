/** Something that counted from one moment until another: an operation, or a request for as long as a window is. */
export type Span = { fromMs: number; untilMs: number };

export type Period = { fromMs: number; untilMs: number };

/** A request in every window that it lies in: half-open, as the provider counts. */
export const toWindowSpans = (timesMs: readonly number[], lengthMs: number): Span[] =>
  timesMs.map((atMs) => ({ fromMs: atMs, untilMs: atMs + lengthMs }));

type Step = { atMs: number; by: number };

/** Every change in order; what ends makes room for what begins at the same moment. */
const stepsOf = (spans: readonly Span[]): Step[] =>
  spans
    .flatMap(({ fromMs, untilMs }) => [
      { atMs: fromMs, by: 1 },
      { atMs: untilMs, by: -1 },
    ])
    .sort((left, right) => left.atMs - right.atMs || left.by - right.by);

type Level = Period & { count: number };

/** How many there were, from change to change, within the period. */
const levelsOf = (spans: readonly Span[], { fromMs, untilMs }: Period): Level[] => {
  const levels: Level[] = [];
  let count = 0;
  let sinceMs = fromMs;
  for (const { atMs, by } of stepsOf(spans)) {
    const changeMs = Math.min(Math.max(atMs, fromMs), untilMs);
    if (changeMs > sinceMs) levels.push({ fromMs: sinceMs, untilMs: changeMs, count });
    sinceMs = changeMs;
    count += by;
  }
  if (untilMs > sinceMs) levels.push({ fromMs: sinceMs, untilMs, count });
  return levels;
};

/** The most at one time: of windows' spans, the most in any window. */
export const peakOf = (spans: readonly Span[]): number => {
  let count = 0;
  return stepsOf(spans).reduce((peak, { by }) => Math.max(peak, (count += by)), 0);
};

export const meanOf = (spans: readonly Span[], period: Period): number =>
  levelsOf(spans, period).reduce((sum, { fromMs, untilMs, count }) => sum + count * (untilMs - fromMs), 0) /
  (period.untilMs - period.fromMs);

/** The longest stretch with fewer than `most`, in ms. */
export const longestBelow = (spans: readonly Span[], most: number, period: Period): number => {
  let longestMs = 0;
  let currentMs = 0;
  for (const { fromMs, untilMs, count } of levelsOf(spans, period)) {
    currentMs = count < most ? currentMs + untilMs - fromMs : 0;
    longestMs = Math.max(longestMs, currentMs);
  }
  return longestMs;
};

/** From when there were `most` for the first time until the last one began: as long as more were waiting. */
export const backlogPeriod = (spans: readonly Span[], most: number): Period | null => {
  const begins = spans.map(({ fromMs }) => fromMs).sort((left, right) => left - right);
  const [fromMs, untilMs] = [begins[most - 1], begins.at(-1)];
  return fromMs === undefined || untilMs === undefined || untilMs <= fromMs ? null : { fromMs, untilMs };
};
