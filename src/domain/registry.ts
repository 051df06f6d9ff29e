import { defaultLimits, type Limits, type ProviderLimits } from './limits';
import type { Capabilities, Model, Price } from './model';

/** What the configuration may say of one model. An absent member leaves the catalogue's. */
export type ModelOverride = {
  enabled?: boolean;
  weight?: number;
  maxTokens?: number | null;
  /** Replaces the whole price; `null` leaves it. */
  price?: Price | { per: 'unknown' } | null;
  /** Of this model with each key; an absent member leaves the default. */
  limits?: Partial<Limits>;
  /** Replaces the members it names. */
  capabilities?: { [Name in keyof Capabilities]?: Capabilities[Name] | undefined };
};

export type ProviderOverride = {
  enabled?: boolean;
  weight?: number;
  priority?: number;
  /** Of each key; an absent member leaves the default. */
  limits?: Partial<Limits> & { cooldownSeconds?: number };
  /** By canonical name without the provider, or the provider's own id. */
  models?: Readonly<Record<string, ModelOverride>>;
};

export type RegistrySettings = {
  providers: Readonly<Partial<Record<string, ProviderOverride>>>;
  /** Rows of the operator's own. */
  models: readonly Model[];
};

const isCalled = (model: Model, name: string): boolean =>
  [model.id, model.providerModel].includes(name) || model.id === `${model.provider}/${name}`;

const limitTokens = ({ maxTokens }: Capabilities, highest: number | null | undefined): Partial<Capabilities> =>
  maxTokens === undefined || highest === undefined || highest === null
    ? {}
    : { maxTokens: { ...maxTokens, maximum: Math.min(maxTokens.maximum, highest) } };

const overrideFor = (model: Model, { models = {} }: ProviderOverride): ModelOverride =>
  Object.entries(models).find(([name]) => isCalled(model, name))?.[1] ?? {};

/** A provider that is off takes its models with it; weights multiply. */
const placeOf = (model: Model, provider: ProviderOverride, override: ModelOverride) => ({
  enabled: [provider.enabled, override.enabled, model.enabled].every((enabled) => enabled !== false),
  weight: [provider.weight, override.weight ?? model.weight].reduce<number>((product, own) => product * (own ?? 1), 1),
  priority: provider.priority ?? model.priority ?? 100,
});

const priceOf = (model: Model, { price }: ModelOverride): Price | null => {
  if (price === undefined || price === null) return model.price;
  return price.per === 'unknown' ? null : price;
};

const overrideModel = (model: Model, provider: ProviderOverride): Model => {
  const override = overrideFor(model, provider);
  const named = Object.entries(override.capabilities ?? {}).filter(([, value]) => value !== undefined);
  const capabilities: Capabilities = { ...model.capabilities, ...Object.fromEntries(named) };
  return {
    ...model,
    capabilities: { ...capabilities, ...limitTokens(capabilities, override.maxTokens) },
    price: priceOf(model, override),
    ...placeOf(model, provider, override),
  };
};

/** Every model there is: the catalogue and the operator's own rows, with the operator's overrides. */
export const composeRegistry = (catalogue: readonly Model[], { providers, models }: RegistrySettings): Model[] =>
  [...catalogue, ...models].map((model) => overrideModel(model, providers[model.provider] ?? {}));

/** The limits of a provider's keys: the operator's over the defaults. `models` is the whole registry. */
export const composeLimits = (
  provider: string,
  models: readonly Model[],
  settings: ProviderOverride = {},
): ProviderLimits => {
  const own = models.filter((model) => model.provider === provider);
  const usual = defaultLimits(provider, own);
  const { cooldownSeconds = usual.cooldownSeconds, ...key } = settings.limits ?? {};
  const limited = own.flatMap((model): [string, Partial<Limits>][] => {
    const limits = { ...usual.models[model.id], ...overrideFor(model, settings).limits };
    return Object.keys(limits).length > 0 ? [[model.id, limits]] : [];
  });
  return { key: { ...usual.key, ...key }, models: Object.fromEntries(limited), cooldownSeconds };
};

type Named = { provider: string; name: string; override: ModelOverride };

const namedModels = ({ providers }: RegistrySettings): Named[] =>
  Object.entries(providers).flatMap(([provider, settings]) =>
    Object.entries(settings?.models ?? {}).map(([name, override]) => ({ provider, name, override })),
  );

/** What one override says of a model that is not there, that another one speaks of too, or that cannot heed it. */
const complaintAbout = ({ provider, name, override }: Named, all: readonly Model[], named: Named[]): string | null => {
  const model = all.find((candidate) => candidate.provider === provider && isCalled(candidate, name));
  if (!model) return `is not a model of ${provider}`;
  const other = named.find((one) => one.name !== name && one.provider === provider && isCalled(model, one.name));
  if (other) return `is the model that ${other.name} speaks of too`;
  const hasTokens = (override.maxTokens ?? null) === null || model.capabilities.maxTokens !== undefined;
  return hasTokens ? null : 'has no parameter for maxTokens';
};

/** What is wrong with the overrides and the operator's own rows; one line each, with its path. */
export const findRegistryProblems = (catalogue: readonly Model[], settings: RegistrySettings): string[] => {
  const all = [...catalogue, ...settings.models];
  const named = namedModels(settings);
  const wrong = named.flatMap((one) => {
    const complaint = complaintAbout(one, all, named);
    return complaint === null ? [] : [`providers.${one.provider}.models.${one.name} ${complaint}`];
  });
  const twice = settings.models.flatMap(({ id }, index) =>
    all.filter((model) => model.id === id).length > 1 ? [`models.${index}.id ${id} is there already`] : [],
  );
  return [...wrong, ...twice];
};
