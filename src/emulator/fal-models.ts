import { z } from 'zod';
import type { Medium, OutputShape } from './operations';

/** @see https://fal.ai/models (read 2026-11-21). fal ignores fields it does not know. */
const imageSizes = {
  square_hd: [1024, 1024],
  square: [512, 512],
  portrait_4_3: [768, 1024],
  portrait_16_9: [576, 1024],
  landscape_4_3: [1024, 768],
  landscape_16_9: [1024, 576],
} as const;

const imageSizeSchema = z.union([
  z.enum(Object.keys(imageSizes) as [keyof typeof imageSizes]),
  z.object({ width: z.int().min(64).max(4096), height: z.int().min(64).max(4096) }),
]);

const seedSchema = z.int().nullish();

const fluxSchema = z.object({
  prompt: z.string(),
  image_size: imageSizeSchema.default('landscape_4_3'),
  num_images: z.int().min(1).max(4).default(1),
  num_inference_steps: z.int().min(1).max(50).default(28),
  guidance_scale: z.number().min(1).max(20).default(3.5),
  seed: seedSchema,
  enable_safety_checker: z.boolean().default(true),
  output_format: z.enum(['jpeg', 'png']).default('jpeg'),
  acceleration: z.enum(['none', 'regular', 'high']).default('none'),
  sync_mode: z.boolean().default(false),
});

const sdxlSchema = z.object({
  prompt: z.string(),
  negative_prompt: z.string().default(''),
  image_size: imageSizeSchema.default('square_hd'),
  num_images: z.int().min(1).max(8).default(1),
  num_inference_steps: z.int().min(1).max(50).default(25),
  guidance_scale: z.number().min(0).max(20).default(7.5),
  seed: seedSchema,
  enable_safety_checker: z.boolean().default(true),
  expand_prompt: z.boolean().default(false),
  format: z.enum(['jpeg', 'png']).default('jpeg'),
  sync_mode: z.boolean().default(false),
});

const veoSchema = z.object({
  prompt: z.string().min(1).max(20_000),
  aspect_ratio: z.enum(['16:9', '9:16']).default('16:9'),
  duration: z.enum(['4s', '6s', '8s']).default('8s'),
  resolution: z.enum(['720p', '1080p', '4k']).default('720p'),
  generate_audio: z.boolean().default(true),
  negative_prompt: z.string().nullish(),
  seed: seedSchema,
  auto_fix: z.boolean().default(true),
  safety_tolerance: z.enum(['1', '2', '3', '4', '5', '6']).default('4'),
});

const veoImageSchema = veoSchema.extend({
  aspect_ratio: z.enum(['auto', '16:9', '9:16']).default('auto'),
  image_url: z.string().regex(/^(https?:\/\/|data:image\/)/, 'Invalid URL'),
});

/** What is common to all models once their input is valid. */
export type FalPlan = {
  medium: Medium;
  outputs: OutputShape[];
  priceUsd: number;
  latencyMs: number;
  seed: number | null;
};

type FalModel = {
  schema: z.ZodType<Record<string, unknown>>;
  plan: (input: Record<string, unknown>) => FalPlan;
};

const planImages = (
  input: { image_size: z.infer<typeof imageSizeSchema>; num_images: number; seed?: number | null | undefined },
  format: 'jpeg' | 'png',
  megapixelUsd: number,
): FalPlan => {
  const size = input.image_size;
  const [width, height] = typeof size === 'string' ? imageSizes[size] : [size.width, size.height];
  const shape = { contentType: `image/${format}`, width, height };
  return {
    medium: 'image',
    outputs: Array.from({ length: input.num_images }, () => ({ ...shape })),
    priceUsd: megapixelUsd * input.num_images * Math.max(1, Math.ceil((width * height) / 1024 ** 2)),
    latencyMs: 4_000,
    seed: input.seed ?? null,
  };
};

/** USD a second: silent, with audio. */
const veoPrices = { '720p': [0.2, 0.4], '1080p': [0.2, 0.4], '4k': [0.4, 0.6] } as const;
const veoLines = { '720p': 720, '1080p': 1080, '4k': 2160 } as const;

const planVeo = (input: z.infer<typeof veoSchema> | z.infer<typeof veoImageSchema>): FalPlan => {
  const seconds = Number.parseInt(input.duration, 10);
  const short = veoLines[input.resolution];
  const long = (short * 16) / 9;
  const [width, height] = input.aspect_ratio === '9:16' ? [short, long] : [long, short];
  return {
    medium: 'video',
    outputs: [{ contentType: 'video/mp4', width, height, seconds }],
    priceUsd: seconds * veoPrices[input.resolution][input.generate_audio ? 1 : 0],
    latencyMs: 40_000,
    seed: input.seed ?? null,
  };
};

const define = <Input extends Record<string, unknown>>(
  schema: z.ZodType<Input>,
  plan: (input: Input) => FalPlan,
): FalModel => ({ schema, plan: (input) => plan(input as Input) });

export const falModels: Record<string, FalModel> = {
  'fal-ai/veo3.1': define(veoSchema, planVeo),
  'fal-ai/veo3.1/image-to-video': define(veoImageSchema, planVeo),
  'fal-ai/flux/dev': define(fluxSchema, (input) => planImages(input, input.output_format, 0.025)),
  // No listed price: about what its compute seconds come to.
  'fal-ai/fast-sdxl': define(sdxlSchema, (input) => planImages(input, input.format, 0.0025)),
};
