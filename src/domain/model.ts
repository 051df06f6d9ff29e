import type { Medium } from './generation';
import type { Money } from './money';

/** What a number may be: whole numbers only where `step` is 1. */
export type Range = { minimum: number; maximum: number; step?: number };

/**
 * What a model takes. An absent member means the model has no such parameter: a request that names it is refused, or
 * rules the model out when the model is `auto`. Lists are the accepted values, the first one the model's default.
 */
export type Capabilities = {
  /** Which of the inputs it starts from. Video: text, image or both. */
  from: readonly ('text' | 'image')[];
  /** Longest prompt, in UTF-16 code units; for speech, the text to be spoken. */
  promptCharacters: number;
  durationsSeconds?: readonly number[];
  aspectRatios?: readonly string[];
  /** Where fewer of them are made without an input image. */
  aspectRatiosFromText?: readonly string[];
  resolutions?: readonly string[];
  /** `WIDTHxHEIGHT`, the first one the default; or any within limits. */
  sizes?: readonly string[] | { anyMultipleOf: number; maximum: string; default: string };
  qualities?: readonly string[];
  /** `optional`: the request decides; `always`/`never`: the opposite wish is refused. */
  audio?: 'always' | 'never' | 'optional';
  images?: Range;
  seed?: Range;
  negativePrompt?: boolean;
  voices?: readonly string[] | 'any';
  formats?: readonly string[];
  maxTokens?: Range;
  temperature?: Range;
  jsonSchema?: boolean;
  messages?: boolean;
};

/** `YYYY-MM-DD`, UTC. What the status is today is computed by the caller's clock. */
export type Lifecycle = { deprecatedOn?: string; retiredOn?: string; successor?: string };

/** What a rate depends on; an absent member does not matter. */
export type Condition = { resolution?: string; audio?: boolean; quality?: string; size?: string };

/** `usd` for one unit where the request fits `when`; the first row that fits counts. */
export type Rate = { when?: Condition; usd: Money };

/** Prices are dated facts, not code: `source` and `readOn` (YYYY-MM-DD) are shown to the customer. */
export type Price = { source: string; readOn: string } & (
  | { per: 'second' | 'image' | 'megapixel' | 'thousandCharacters'; rates: readonly Rate[] }
  | { per: 'millionTokens'; input: Money; output: Money }
);

export type Model = {
  /** Canonical: `provider/name`. */
  id: string;
  provider: string;
  /** What the provider calls it on the wire. */
  providerModel: string;
  /** Whoever sells it: `veo-3.1`. */
  family: string;
  medium: Medium;
  capabilities: Capabilities;
  price: Price;
  lifecycle: Lifecycle;
  /** 1 draft, 2 standard, 3 premium. */
  qualityTier: 1 | 2 | 3;
  /** How long one generation usually takes, in seconds; polling starts from it. */
  typicalSeconds: number;
  /** Longest a running operation can still finish and be charged, in seconds. */
  maximumSeconds: number;
  /** Offered to `auto`, or only when named (the mock models). */
  automatic: boolean;
};
