import { z } from 'zod';
import { media } from './domain/generation';
import type { Model } from './domain/model';
import { isMoney, parseMoney, type Money } from './domain/money';
import { catalogue } from './providers/catalogue';

/** How a row of the registry is written in `SURESHOT_CONFIG`; `src/domain/model.ts` says what its members mean. */

export const amount = z
  .union([
    z.string().refine((text) => isMoney(text) && !text.startsWith('-'), 'must be an amount of USD such as "0.05"'),
    z.number().nonnegative(),
  ])
  .transform((value): Money => parseMoney(value));

const day = z.iso.date({ error: 'must be a day such as 2026-11-21' });
export const name = z.string().min(1).max(200);
const names = z.array(name).min(1);
export const weight = z.number().min(0).max(1_000_000);

const range = z.strictObject({
  minimum: z.number(),
  maximum: z.number(),
  step: z.number().positive().exactOptional(),
});

const condition = z.strictObject({
  resolution: z.string().exactOptional(),
  audio: z.boolean().exactOptional(),
  quality: z.string().exactOptional(),
  size: z.string().exactOptional(),
  references: z.boolean().exactOptional(),
});

const rate = z.strictObject({ when: condition.exactOptional(), usd: amount });

/** Where a price stands and when it was read is part of it: of the operator's own, it is the configuration. */
const priceOrigin = {
  source: z.string().min(1).default('SURESHOT_CONFIG'),
  readOn: day.default(() => new Date().toISOString().slice(0, 10)),
  creditUsd: amount.exactOptional(),
};

const piecewise = z.strictObject({
  ...priceOrigin,
  per: z.enum(['second', 'image', 'piece', 'megapixel', 'thousandCharacters']),
  rates: z.array(rate).min(1),
  metered: z.strictObject({ input: amount, output: amount, imageInput: amount.exactOptional() }).exactOptional(),
});
const tokenwise = z.strictObject({
  ...priceOrigin,
  per: z.literal('millionTokens'),
  input: amount,
  output: amount,
});
const unknown = z.strictObject({ per: z.literal('unknown') });

const files = z.strictObject({ types: names, maximumBytes: z.int().positive() });
const durations = z.array(z.number().positive()).min(1);
const voiceSettings = z.strictObject({
  stability: range.exactOptional(),
  similarityBoost: range.exactOptional(),
  style: range.exactOptional(),
  speed: range.exactOptional(),
  useSpeakerBoost: z.literal(true).exactOptional(),
});

const capabilities = z.strictObject({
  from: z.array(z.enum(['text', 'image', 'video'])).min(1),
  promptCharacters: z.int().positive(),
  imageFiles: files.exactOptional(),
  videoFiles: files.exactOptional(),
  lastFrame: z.boolean().exactOptional(),
  referenceImages: range.exactOptional(),
  referencesExcludeImage: z.boolean().exactOptional(),
  speechTask: z.enum(['speech', 'sound_effect']).exactOptional(),
  durationsSeconds: z.union([durations, range.extend({ default: z.number().positive() })]).exactOptional(),
  durationsWhen: z.array(z.strictObject({ when: condition, durationsSeconds: durations })).exactOptional(),
  aspectRatios: names.exactOptional(),
  aspectRatiosFromText: names.exactOptional(),
  resolutions: names.exactOptional(),
  sizes: z
    .union([names, z.strictObject({ anyMultipleOf: z.int().positive(), maximum: name, default: name })])
    .exactOptional(),
  qualities: names.exactOptional(),
  audio: z.enum(['always', 'never', 'optional']).exactOptional(),
  count: range.exactOptional(),
  seed: range.exactOptional(),
  negativePrompt: z.boolean().exactOptional(),
  styles: names.exactOptional(),
  voices: z.union([z.literal('any'), names]).exactOptional(),
  voiceSettings: voiceSettings.exactOptional(),
  formats: names.exactOptional(),
  maxTokens: range.extend({ default: z.number().positive().exactOptional() }).exactOptional(),
  temperature: range.exactOptional(),
  jsonSchema: z.boolean().exactOptional(),
  messages: z.boolean().exactOptional(),
});

const providerOf = (id: string): string => id.slice(0, id.indexOf('/'));
export const providers = [...new Set(catalogue.map((model) => model.provider))];

/** A row of the registry, as in `GET /v1/models`; what is left out has a sensible value. */
export const customModel = z
  .strictObject({
    id: z
      .string()
      .regex(/^[a-z]+\/\S+$/, 'must be provider/name')
      .refine((id) => providers.includes(providerOf(id)), { error: `must start with one of ${providers.join(', ')}` }),
    providerModel: name,
    family: name.exactOptional(),
    medium: z.enum(media),
    api: name.exactOptional(),
    capabilities,
    price: z.discriminatedUnion('per', [piecewise, tokenwise]).nullable().default(null),
    lifecycle: z
      .strictObject({
        deprecatedOn: day.exactOptional(),
        retiredOn: day.exactOptional(),
        successor: name.exactOptional(),
      })
      .default({}),
    qualityTier: z.union([z.literal(1), z.literal(2), z.literal(3)]).default(2),
    typicalSeconds: z.number().positive().default(30),
    maximumSeconds: z.number().positive().default(1_800),
    automatic: z.boolean().default(true),
    synchronous: z.boolean().default(false),
    enabled: z.boolean().default(true),
    weight: weight.default(1),
    priority: z.int().min(0).exactOptional(),
  })
  .transform(({ family, ...row }): Model => ({
    ...row,
    family: family ?? row.providerModel,
    provider: providerOf(row.id),
  }));

const most = z.int().min(1).nullable().exactOptional();

/** Of one key. An absent member leaves the default, `null` is no limit. */
export const limits = z.strictObject({
  jobsInFlight: most,
  requestsPerMinute: most,
  requestsPerDay: most,
  tokensPerMinute: most,
  spendPerMonthUsd: amount.nullable().exactOptional(),
});

export const modelOverride = z.strictObject({
  enabled: z.boolean().exactOptional(),
  weight: weight.exactOptional(),
  maxTokens: z.int().positive().nullable().exactOptional(),
  price: z.discriminatedUnion('per', [piecewise, tokenwise, unknown]).nullable().exactOptional(),
  limits: limits.exactOptional(),
  capabilities: capabilities.partial().exactOptional(),
});
