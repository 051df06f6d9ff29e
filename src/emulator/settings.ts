import { z } from 'zod';

const limit = z.int().min(1).nullable().optional();

const limitsOfKey = z.strictObject({
  /** Over it fal and Runway let the operation wait; the others answer 429. */
  concurrent: limit,
  requestsPerMinute: limit,
  requestsPerDay: limit,
  /** What a request asks for counts until its answer says what it used. */
  tokensPerMinute: limit,
});

/** Of each key; `models`: of each key with that model, besides. */
const limitSchema = limitsOfKey.extend({ models: z.record(z.string(), limitsOfKey).optional() });

export type Limits = z.infer<typeof limitSchema>;

export const settingsSchema = z.strictObject({
  /** Multiplies every provider latency; 0 = done at once. Holds for operations accepted from now on. */
  latencyScale: z.number().min(0).max(100).optional(),
  /** Retired models answer as they do in real life. */
  strictLifecycle: z.boolean().optional(),
  limits: z.record(z.string(), limitSchema).optional(),
});

export type Settings = {
  latencyScale: number;
  strictLifecycle: boolean;
  limits: Record<string, Limits>;
};

/** Runway tier 3 and fal's beginners' concurrency; the others are off until asked for. */
export const defaultSettings = (latencyScale: number): Settings => ({
  latencyScale,
  strictLifecycle: false,
  limits: { runway: { concurrent: 3 }, fal: { concurrent: 10 } },
});
