const units = [
  ['h', 3_600_000],
  ['m', 60_000],
] as const;

/** Go's way to write a duration, fractions included: "120ms", "7.66s", "2m59.56s". */
export const formatGoDuration = (durationMs: number): string => {
  if (durationMs < 1000) return `${Math.round(durationMs)}ms`;
  let restMs = Math.round(durationMs);
  let text = '';
  for (const [unit, lengthMs] of units) {
    if (text === '' && restMs < lengthMs) continue;
    text += `${Math.floor(restMs / lengthMs)}${unit}`;
    restMs %= lengthMs;
  }
  return `${text}${restMs / 1000}s`;
};
