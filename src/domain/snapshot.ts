import type { ModelCapacity } from './capacity';
import type { Experiment } from './experiments';
import type { Model } from './model';

/** What the attempts of late show of a model. */
export type ModelFigures = {
  /** From the send to the result, the latest counting most; `null`: none has succeeded. */
  ewmaMs: number | null;
  p95Ms: number | null;
  /** 0 to 1, of what ended by the provider's doing. */
  successRate: number;
  /** How many ended so. */
  samples: number;
};

/** What a choice is made from; the same snapshot always gives the same decision. */
export type Snapshot = {
  models: readonly Model[];
  /** Providers with at least one usable credential. */
  configured: ReadonlySet<string>;
  now: Date;
  /** 1 to 5, from the analysis; `null` when there is none. */
  complexity: number | null;
  /** Whether a model without a known price may be used. */
  unknownPrices: 'block' | 'allow';
  /** What the strategy `weighted` draws by: the same seed draws the same. */
  seed: string;
  /** By model; one that was not measured is missing. */
  figures: ReadonlyMap<string, ModelFigures>;
  /** By model; one of which nobody knows is taken to be ready. */
  capacity: ReadonlyMap<string, ModelCapacity>;
  /** Who would wait longer stands behind those that would not. */
  waitThresholdMs: number;
  /** Which choice this is of those that take turns between models. */
  turn: number;
  experiments: readonly Experiment[];
  /** Whose request it is; `null` where it does not matter. */
  tenantId: string | null;
};

/** Where only matters who is in the running: nothing is measured, and nobody takes part in an experiment. */
export const unmeasured = {
  figures: new Map(),
  capacity: new Map(),
  waitThresholdMs: 0,
  turn: 0,
  experiments: [],
  tenantId: null,
} satisfies Partial<Snapshot>;
