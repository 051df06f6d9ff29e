import type { Medium, VoiceSettings } from './generation';
import type { Money } from './money';

/** What a number may be: whole numbers only where `step` is 1. */
export type Range = { minimum: number; maximum: number; step?: number };

/** A range with the model's own default. */
export type DefaultRange = Range & { default: number };

/** Files of one kind that a model takes: types by their MIME name, the size before any encoding. */
export type MediaLimits = { types: readonly string[]; maximumBytes: number };

/**
 * What a model takes. An absent member means the model has no such parameter: a request that names it is refused, or
 * rules the model out when the model is `auto`. Lists are the accepted values, the first one the model's default.
 */
export type Capabilities = {
  /** What it may start from instead of, or together with, a text: more than one means the request decides. */
  from: readonly ('text' | 'image' | 'video')[];
  /** Longest prompt, in UTF-16 code units; for speech, the text to be spoken. */
  promptCharacters: number;
  /** Of every input image. Absent where it takes none. */
  imageFiles?: MediaLimits;
  /** Of the input video. */
  videoFiles?: MediaLimits;
  /** A last frame besides the first one (`image`). */
  lastFrame?: boolean;
  /** How many reference images it takes. */
  referenceImages?: Range;
  /** References take the place of the first frame: not both. */
  referencesExcludeImage?: boolean;
  /** What a speech model makes. */
  speechTask?: 'speech' | 'sound_effect';
  durationsSeconds?: readonly number[] | DefaultRange;
  /** Narrower where a choice rules others out: the first row whose `when` fits the request counts. */
  durationsWhen?: readonly { when: Condition; durationsSeconds: readonly number[] }[];
  aspectRatios?: readonly string[];
  /** Where fewer of them are made without an input image. */
  aspectRatiosFromText?: readonly string[];
  resolutions?: readonly string[];
  /** `WIDTHxHEIGHT`, the first one the default; or any within limits. */
  sizes?: readonly string[] | { anyMultipleOf: number; maximum: string; default: string };
  qualities?: readonly string[];
  /** `optional`: the request decides; `always`/`never`: the opposite wish is refused. */
  audio?: 'always' | 'never' | 'optional';
  /** How many it makes at once. */
  count?: Range;
  seed?: Range;
  negativePrompt?: boolean;
  /** Ids of styles the model has a parameter for; every other style is written into the prompt. */
  styles?: readonly string[];
  voices?: readonly string[] | 'any';
  /** Of how a voice speaks, what can be set. */
  voiceSettings?: Partial<Record<Exclude<keyof VoiceSettings, 'useSpeakerBoost'>, Range>> & { useSpeakerBoost?: true };
  formats?: readonly string[];
  /** What is sent where the request leaves it open bounds the price: `default`, or 4096. */
  maxTokens?: Range & { default?: number };
  temperature?: Range;
  jsonSchema?: boolean;
  messages?: boolean;
};

/** `YYYY-MM-DD`, UTC. What the status is today is computed by the caller's clock. */
export type Lifecycle = { deprecatedOn?: string; retiredOn?: string; successor?: string };

/** What a rate or a limit depends on; an absent member does not matter. */
export type Condition = {
  resolution?: string;
  audio?: boolean;
  quality?: string;
  size?: string;
  /** Reference images, a last frame or an input video. */
  references?: boolean;
};

/** `usd` for one unit where the request fits `when`; the first row that fits counts. */
export type Rate = { when?: Condition; usd: Money };

/**
 * USD for a million tokens. Where work is priced by the piece beforehand and charged by what the answer counts, this is
 * what it is charged by. `imageInput` where images of the input cost otherwise than text.
 */
export type TokenRates = { input: Money; output: Money; imageInput?: Money };

/**
 * Prices are dated facts, not code: `source` and `readOn` (YYYY-MM-DD) are shown to the customer. `creditUsd` where the
 * provider charges in credits: what one of them is worth; the rates are in USD all the same.
 */
export type Price = { source: string; readOn: string; creditUsd?: Money } & (
  | {
      per: 'second' | 'image' | 'piece' | 'megapixel' | 'thousandCharacters';
      rates: readonly Rate[];
      metered?: TokenRates;
    }
  | { per: 'millionTokens'; input: Money; output: Money }
);

export type Model = {
  /** Canonical: `provider/name`. */
  id: string;
  provider: string;
  /** What the provider calls it on the wire. */
  providerModel: string;
  /** Which of its provider's interfaces speaks it, where that has several; the adapter names them. */
  api?: string;
  /** Whoever sells it: `veo-3.1`. */
  family: string;
  medium: Medium;
  capabilities: Capabilities;
  /** `null`: nobody told. What then happens is a policy, never 0. */
  price: Price | null;
  lifecycle: Lifecycle;
  /** 1 draft, 2 standard, 3 premium. */
  qualityTier: 1 | 2 | 3;
  /** The answer to the submit is the result: the call lasts as long as the work. Else it is only the acceptance. */
  synchronous?: boolean;
  /** How long one generation usually takes, in seconds; polling starts from it. */
  typicalSeconds: number;
  /** Longest a running operation can still finish and be charged, in seconds. */
  maximumSeconds: number;
  /** Offered to `auto`, or only when named (the mock models). */
  automatic: boolean;
  /** `false`: switched off by the configuration. */
  enabled?: boolean;
  /** Share under the strategy `weighted`; 1 unless the configuration says otherwise. */
  weight?: number;
  /** Between equals the lower number goes first; 100 unless the configuration says otherwise. */
  priority?: number;
};
