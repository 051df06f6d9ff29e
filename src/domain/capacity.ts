/** Whether a model can be sent to: `busy`: its limits are used up; `paused`: by a person or after a refusal; `open`: its breakers are. */
export type ModelCapacity = {
  state: 'ready' | 'busy' | 'paused' | 'open';
  /** About how long one more would wait; infinite where nobody knows. 0 when ready. */
  waitMs: number;
};
