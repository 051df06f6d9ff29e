import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { defaultBreaker } from './domain/breaker';
import { media, strategies } from './domain/generation';
import { composeRegistry, findRegistryProblems } from './domain/registry';
import type { Model } from './domain/model';
import { amount, customModel, limits, modelOverride, name, providers, weight } from './model-schema';
import { rotations } from './domain/turns';
import { catalogue } from './providers/catalogue';

const retrySchema = z.strictObject({
  attempts: z.int().min(1).max(10).default(3),
  initialSeconds: z.number().positive().default(1),
  maximumSeconds: z.number().positive().default(30),
  factor: z.number().min(1).default(2),
});

const breakerSchema = z.strictObject({
  failures: z.int().min(1).default(defaultBreaker.failures),
  ratio: z.number().positive().max(1).default(defaultBreaker.ratio),
  minimumCount: z.int().min(1).default(defaultBreaker.minimumCount),
  windowSeconds: z.number().positive().default(defaultBreaker.windowSeconds),
  openSeconds: z.number().positive().default(defaultBreaker.openSeconds),
});

const providerSchema = z.strictObject({
  enabled: z.boolean().default(true),
  priority: z.int().min(0).default(100),
  weight: weight.default(1),
  timeoutMs: z.int().min(100).max(3_600_000).exactOptional(),
  retry: retrySchema.exactOptional(),
  store: z.boolean().exactOptional(),
  limits: limits.extend({ cooldownSeconds: z.number().positive().exactOptional() }).exactOptional(),
  breaker: breakerSchema.exactOptional(),
  rotation: z.enum(rotations).exactOptional(),
  healthCheck: z.boolean().exactOptional(),
  models: z.record(z.string(), modelOverride).default({}),
});

/** Temporal joins both names by a dot, so that the first one cannot have any. */
const versioningSchema = z.strictObject({
  behavior: z.enum(['auto_upgrade', 'pinned']).default('auto_upgrade'),
  deployment: z
    .string()
    .regex(/^[\w-]{1,128}$/, 'must be a plain word')
    .default('sureshot'),
  buildId: z
    .string()
    .regex(/^[\w.-]{1,128}$/, 'must have letters, digits, dots and dashes only')
    .exactOptional(),
});

/** The model of a request that names none, and the one to go on with. */
const defaultModel = z.strictObject({ model: name, fallback: name.exactOptional() });

/** Variants are told by it: `name`, `name:control`, several with a comma between. */
const experimentSchema = z.strictObject({
  name: z.string().regex(/^[\w.-]{1,64}$/, 'must be 1 to 64 letters, digits, dots and dashes'),
  percent: z.number().min(0).max(100),
  by: z.enum(['tenant', 'user', 'tag']),
  medium: z.enum(media),
  model: name,
});

const settingsSchema = z.strictObject({
  providers: z.partialRecord(z.enum(providers as [string, ...string[]]), providerSchema).default({}),
  models: z.array(customModel).default([]),
  routing: z
    .strictObject({
      strategy: z.enum(strategies).default('balanced'),
      waitThresholdSeconds: z.number().min(0).default(20),
      defaults: z.partialRecord(z.enum(media), defaultModel).default({}),
    })
    .prefault({}),
  experiments: z.array(experimentSchema).default([]),
  admission: z.strictObject({ queuedPerTenant: z.int().min(1).default(10_000) }).prefault({}),
  health: z.strictObject({ everySeconds: z.int().min(5).default(60) }).prefault({}),
  prices: z.strictObject({ unknown: z.enum(['block', 'allow']).default('block') }).prefault({}),
  polling: z.strictObject({ scale: z.number().positive().max(10).default(1) }).prefault({}),
  ambiguity: z
    .strictObject({ resubmitUpToUsd: amount.default('0.05'), holdHours: z.number().positive().default(24) })
    .prefault({}),
  retry: retrySchema.prefault({}),
  submit: z.strictObject({ timeoutMs: z.int().min(100).default(60_000) }).prefault({}),
  reconcile: z
    .strictObject({
      everySeconds: z.int().min(1).max(3600).default(30),
      silentSeconds: z.int().min(1).default(120),
      orphansEverySeconds: z.int().min(1).default(600),
    })
    .prefault({}),
  versioning: versioningSchema.prefault({}),
});

/** What `SURESHOT_CONFIG` may set, with every default filled in. */
export type Settings = z.output<typeof settingsSchema>;

export const defaultSettings: Settings = settingsSchema.parse({});

/** Members of the contract that a later version serves: an unheeded limit would be worse than none. */
const later = /^(cache|retention)$/;

const tellStranger = (place: string): string => `${place} is not ${later.test(place) ? 'served yet' : 'a setting'}`;

/** With the whole path of what is wrong; zod tells an unknown key by its parent. */
const tellIssue = (issue: z.core.$ZodIssue): string[] =>
  issue.code === 'unrecognized_keys'
    ? issue.keys.map((key) => tellStranger([...issue.path, key].join('.')))
    : [`${issue.path.join('.')} ${issue.message}`.trim()];

const isNamed = (model: Model, wanted: string): boolean =>
  [model.id, model.providerModel, model.family].includes(wanted);

/** Defaults that no model answers to would refuse every request that names none. */
const findDefaultProblems = ({ routing }: Settings, models: readonly Model[]): string[] =>
  Object.entries(routing.defaults).flatMap(([medium, named]) =>
    Object.entries(named ?? {}).flatMap(([role, wanted]) =>
      models.some((model) => model.medium === medium && isNamed(model, wanted))
        ? []
        : [`routing.defaults.${medium}.${role} ${wanted} is no ${medium} model`],
    ),
  );

const findExperimentProblems = ({ experiments }: Settings, models: readonly Model[]): string[] => {
  const wrong = experiments.flatMap(({ name: own, medium, model: wanted }, index) => [
    ...(experiments.findIndex((other) => other.name === own) < index
      ? [`experiments.${index}.name ${own} is there already`]
      : []),
    ...(models.some((model) => model.medium === medium && isNamed(model, wanted))
      ? []
      : [`experiments.${index}.model ${wanted} is no ${medium} model`]),
  ]);
  const overfull = media.flatMap((medium) => {
    const percents = experiments.filter((experiment) => experiment.medium === medium).map(({ percent }) => percent);
    // a tenth and two tenths are a little more than three
    const sum = Number(percents.reduce((total, percent) => total + percent, 0).toFixed(6));
    return sum > 100 ? [`experiments of the medium ${medium} have ${sum} percent together: at most 100`] : [];
  });
  return [...wrong, ...overfull];
};

/** Whose models keep what they make only when asked to. */
const storeProviders: readonly string[] = ['openai'];

const findStoreProblems = ({ providers: named }: Settings): string[] =>
  Object.entries(named)
    .filter(([provider, { store } = {}]) => store !== undefined && !storeProviders.includes(provider))
    .map(([provider]) => `providers.${provider}.store is a setting of ${storeProviders.join(', ')} only`);

type Parsed = { settings: Settings; problems: readonly string[] };

const parseSettings = (text: string): Parsed => {
  const parsed = settingsSchema.safeParse(parseYaml(text) ?? {});
  if (!parsed.success) return { settings: defaultSettings, problems: parsed.error.issues.flatMap(tellIssue) };
  const settings = parsed.data;
  const models = composeRegistry(catalogue, settings);
  const problems = [
    ...findStoreProblems(settings),
    ...findRegistryProblems(catalogue, settings),
    ...findDefaultProblems(settings, models),
    ...findExperimentProblems(settings, models),
  ];
  return { settings, problems };
};

/** Reads the file and checks it; every problem names the file. */
export const readSettingsFile = (file: string): Parsed => {
  try {
    const { settings, problems } = parseSettings(readFileSync(file, 'utf8'));
    return { settings, problems: problems.map((line) => `${file}: ${line}`) };
  } catch (error) {
    const problem = `SURESHOT_CONFIG ${file} cannot be read: ${(error as Error).message}`;
    return { settings: defaultSettings, problems: [problem] };
  }
};

/** The settings of this moment and the registry they make. */
export type Live = {
  settings(): Settings;
  models(): readonly Model[];
  close(): void;
};

/** A change counts when two looks saw the same. */
const lookEveryMs = 500;

const hashOf = (file: string): string => {
  try {
    return createHash('sha256').update(readFileSync(file)).digest('hex');
  } catch {
    return 'unreadable';
  }
};

type Told = { onReload: () => void; onProblems: (problems: readonly string[]) => void };

/**
 * Follows the file by looking at it, which also notices what is mounted or replaced. A file that cannot be used is
 * told of and changes nothing. `file` null: nothing to follow.
 */
export const followSettings = (file: string | null, first: Settings, told: Told): Live => {
  let current = { settings: first, models: composeRegistry(catalogue, first) };
  let seen = file === null ? '' : hashOf(file);
  let latest = seen;
  const look = (from: string): void => {
    const now = hashOf(from);
    // a file just being written may be empty, which would mean the defaults
    const isAtRest = now === latest;
    latest = now;
    if (now === seen || !isAtRest) return;
    seen = now;
    const { settings, problems } = readSettingsFile(from);
    if (problems.length > 0) return told.onProblems(problems);
    current = { settings, models: composeRegistry(catalogue, settings) };
    told.onReload();
  };
  const timer = file === null ? null : setInterval(look, lookEveryMs, file).unref();
  return {
    settings: () => current.settings,
    models: () => current.models,
    close: () => {
      if (timer !== null) clearInterval(timer);
    },
  };
};
