import { z } from 'zod';
import { ambiguityPolicies, media, strategies } from '../domain/generation';
import { choice, money, nullableText, strict, text } from './fields';
import { image, images, video, type NamedInput } from './media-input';
import type { ParsedRequest } from './media-lookup';

const promptCharacters = 500_000;
const nameCharacters = 200;

const message = strict({
  role: choice(['system', 'user', 'assistant']),
  content: z.string().max(promptCharacters),
});

const nullableInt = () => z.int().nullable().default(null);

const color = z
  .string()
  .regex(/^#[0-9a-f]{6}$/i, 'must be a colour such as #ff8800')
  .toLowerCase();

const share = () => z.number().min(0).max(1).nullable().default(null);

const voiceSettings = strict({
  stability: share(),
  similarityBoost: share(),
  style: share(),
  useSpeakerBoost: z.boolean().nullable().default(null),
  speed: z.number().positive().max(10).nullable().default(null),
});

const inputSchema = strict({
  task: choice(['speech', 'sound_effect']).nullable().default(null),
  prompt: z.string().max(promptCharacters).nullable().default(null),
  negativePrompt: nullableText(promptCharacters),
  image,
  lastFrame: image,
  referenceImages: images,
  video,
  durationSeconds: z.number().positive().max(3600).nullable().default(null),
  aspectRatio: nullableText(nameCharacters),
  resolution: nullableText(nameCharacters),
  size: z
    .string()
    .regex(/^[1-9]\d{0,4}x[1-9]\d{0,4}$/, 'must be WIDTHxHEIGHT in pixels, such as 1024x1024')
    .nullable()
    .default(null),
  quality: nullableText(nameCharacters),
  count: z.int().min(1).max(100).default(1),
  audio: z.boolean().nullable().default(null),
  seed: nullableInt(),
  style: nullableText(nameCharacters),
  colors: z.array(color).max(16).default([]),
  voice: nullableText(nameCharacters),
  voiceSettings: voiceSettings.nullable().default(null),
  format: nullableText(nameCharacters),
  system: nullableText(promptCharacters),
  messages: z.array(message).max(1000).default([]),
  schema: z.record(z.string(), z.unknown()).nullable().default(null),
  maxTokens: z.int().positive().nullable().default(null),
  temperature: z.number().nullable().default(null),
}) satisfies z.ZodType<NamedInput>;

const names = z.array(text(nameCharacters)).max(64).default([]);

const routingSchema = strict({
  strategy: choice(strategies).nullable().default(null),
  maxCostUsd: money.nullable().default(null),
  allow: names,
  deny: names,
  fallback: z.boolean().default(true),
});

const metadata = z
  .record(text(64), z.string().max(500))
  .refine((pairs) => Object.keys(pairs).length <= 16, { error: 'must be at most 16 entries' })
  .default({});

type Checked = Pick<ParsedRequest, 'medium'> & { input: Pick<NamedInput, 'task'> };

const taskFits = ({ medium, input }: Checked): boolean => input.task === null || medium === 'speech';

/** The body of `POST /v1/generations`, defaults filled in. What a model can do of it, and what its media are, is not decided here. */
export const generationSchema = strict({
  medium: choice(media),
  model: nullableText(nameCharacters),
  provider: nullableText(nameCharacters),
  allowSuccessor: z.boolean().default(false),
  input: inputSchema.prefault({}),
  routing: routingSchema.prefault({}),
  analysis: choice(['auto', 'off', 'local'], ['deep']).default('auto'),
  priority: choice(['high', 'medium', 'low']).default('medium'),
  deadlineSeconds: z.int().min(10).max(86_400).default(3600),
  onAmbiguous: choice(ambiguityPolicies).default('auto'),
  cache: choice(['auto', 'off'], ['refresh']).default('auto'),
  coalesce: choice(['auto', 'off']).default('auto'),
  user: nullableText(256),
  metadata,
  tags: z.array(text(64)).max(16).default([]),
})
  .refine(taskFits, { error: 'is for the medium speech: accepted value is null', path: ['input', 'task'] })
  .transform(({ cache, coalesce, ...request }): ParsedRequest => request);
