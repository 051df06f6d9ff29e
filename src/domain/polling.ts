/** What a delay before the next look depends on; times in ms. */
export type PollState = {
  typicalMs: number;
  elapsedMs: number;
  /** The provider's own wish. */
  hintMs: number | null;
  /** Left until the deadline; negative once it has passed. */
  leftMs: number;
  /** The provider tells the end by itself: looks are for the case that it forgets. */
  announced?: boolean;
  scale: number;
  /** 0 to 1. */
  random: number;
};

const shortestMs = 2_000;

const longestMs = 60_000;

const profileMs = ({ typicalMs, elapsedMs, announced }: PollState): number => {
  const untilTypical = typicalMs - elapsedMs;
  if (announced === true) return untilTypical > 0 ? untilTypical + typicalMs : longestMs;
  return untilTypical > 0 ? untilTypical * 0.6 : -untilTypical * 0.75;
};

/**
 * Sparse while it cannot be ready yet, dense around the usual time, sparse again when it drags on: 10 to 20 looks for a
 * ten-minute operation. Jitter of a tenth keeps a backlog from looking in step.
 */
export const pollDelayMs = (state: PollState): number => {
  const bounded = Math.min(longestMs, Math.max(shortestMs, profileMs(state)));
  const hinted = (state.hintMs ?? 0) * Math.min(1, state.scale);
  // a provider's wish is a lower bound: its jitter goes upwards only
  const jittered = Math.max(bounded * state.scale * (0.9 + 0.2 * state.random), hinted * (1 + 0.1 * state.random));
  return Math.round(state.leftMs > 0 ? Math.min(jittered, state.leftMs + 100) : jittered);
};
