import type { Medium } from './generation';
import type { Model } from './model';
import { parseMoney, type Money } from './money';

/** What is counted of each key: work in flight, requests and tokens over a sliding window, USD over a calendar month. */
export const limitKinds = [
  'jobs_in_flight',
  'requests_per_minute',
  'requests_per_day',
  'tokens_per_minute',
  'spend_per_month',
] as const;
export type LimitKind = (typeof limitKinds)[number];

/** What one key may do. `null`: as much as it likes. */
export type Limits = {
  jobsInFlight: number | null;
  requestsPerMinute: number | null;
  requestsPerDay: number | null;
  tokensPerMinute: number | null;
  spendPerMonthUsd: Money | null;
};

export const unlimited: Limits = {
  jobsInFlight: null,
  requestsPerMinute: null,
  requestsPerDay: null,
  tokensPerMinute: null,
  spendPerMonthUsd: null,
};

/** Limits of each key of a provider, of single models of it (by canonical id), and how long a refused key rests. */
export type ProviderLimits = {
  key: Limits;
  models: Readonly<Record<string, Partial<Limits>>>;
  /** After a rate limit that does not say how long. */
  cooldownSeconds: number;
};

type Defaults = {
  key: Partial<Limits>;
  perModel?: Partial<Record<Medium, Partial<Limits>>>;
  cooldownSeconds: number;
};

/**
 * What is known of the providers' lowest paid tiers: requests and rests as the older systems had them, Runway's concurrency
 * of tier 2, Cloudflare's requests by task (developers.cloudflare.com, limits of Workers AI). An account with a higher
 * tier says so in the configuration.
 */
const defaults: Readonly<Record<string, Defaults>> = {
  google: { key: { requestsPerMinute: 15 }, cooldownSeconds: 30 },
  runway: { key: { requestsPerMinute: 10, jobsInFlight: 3 }, cooldownSeconds: 60 },
  elevenlabs: { key: { requestsPerMinute: 20 }, cooldownSeconds: 30 },
  groq: { key: { requestsPerMinute: 30 }, cooldownSeconds: 20 },
  cloudflare: {
    key: {},
    perModel: { text: { requestsPerMinute: 300 }, image: { requestsPerMinute: 720 } },
    cooldownSeconds: 30,
  },
};

const otherwise: Defaults = { key: {}, cooldownSeconds: 30 };

/** What holds where nobody has configured anything; `models` are the provider's own. */
export const defaultLimits = (provider: string, models: readonly Model[]): ProviderLimits => {
  const { key, perModel, cooldownSeconds } = defaults[provider] ?? otherwise;
  const limited = models.flatMap(({ id, medium }): [string, Partial<Limits>][] => {
    const limits = perModel?.[medium];
    return limits ? [[id, limits]] : [];
  });
  return { key: { ...unlimited, ...key }, models: Object.fromEntries(limited), cooldownSeconds };
};

const members: Record<LimitKind, keyof Limits> = {
  jobs_in_flight: 'jobsInFlight',
  requests_per_minute: 'requestsPerMinute',
  requests_per_day: 'requestsPerDay',
  tokens_per_minute: 'tokensPerMinute',
  spend_per_month: 'spendPerMonthUsd',
};

/** A limit as somebody set it at run time. `credential`, `model` null: every key, the whole key. */
export type LimitOverride = {
  credential: string | null;
  model: string | null;
  kind: LimitKind;
  /** `null`: unlimited. */
  most: Money | null;
};

/** One limit of one key. `model` null: of all its work together. */
export type Rule = { credential: string; model: string | null; kind: LimitKind; most: number };

const overrideOf = (
  overrides: readonly LimitOverride[],
  { credential, model, kind }: Omit<Rule, 'most'>,
): LimitOverride | undefined => {
  const fitting = overrides.filter((override) => override.kind === kind && override.model === model);
  return (
    fitting.find((override) => override.credential === credential) ??
    fitting.find((override) => override.credential === null)
  );
};

/**
 * All that binds one key: for each kind and model what was set at run time for this key, then for every key, then the
 * configuration, then the default.
 */
export const rulesOf = (credential: string, limits: ProviderLimits, overrides: readonly LimitOverride[]): Rule[] => {
  const named = [...Object.keys(limits.models), ...overrides.flatMap(({ model }) => (model === null ? [] : [model]))];
  return [null, ...new Set(named)].flatMap((model) =>
    limitKinds.flatMap((kind): Rule[] => {
      const configured = (model === null ? limits.key : limits.models[model])?.[members[kind]] ?? null;
      const override = overrideOf(overrides, { credential, model, kind });
      const most = override === undefined ? configured : override.most;
      return most === null ? [] : [{ credential, model, kind, most: Number(most) }];
    }),
  );
};

/** As it is set: whole numbers but for money. */
export const readMost = (kind: LimitKind, most: number | string | null): Money | null =>
  most === null ? null : parseMoney(kind === 'spend_per_month' ? most : Math.trunc(Number(most)));
