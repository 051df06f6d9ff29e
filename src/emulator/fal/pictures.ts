import { z } from 'zod';
import type { Size } from '../png';
import { define, imageUrl, seed, type FalModels, type FalPlan } from './plan';

/** @see https://fal.ai/models (read 2026-11-21) and the endpoint types of @fal-ai/client 1.10.1 */
const imageSizes = {
  square_hd: [1024, 1024],
  square: [512, 512],
  portrait_4_3: [768, 1024],
  portrait_16_9: [576, 1024],
  landscape_4_3: [1024, 768],
  landscape_16_9: [1024, 576],
} as const;

const imageSize = z.union([
  z.enum(Object.keys(imageSizes) as [keyof typeof imageSizes]),
  z.object({ width: z.int().min(64).max(4096), height: z.int().min(64).max(4096) }),
]);

const acceleration = z.enum(['none', 'regular', 'high']).default('none');
const tolerance = z.enum(['1', '2', '3', '4', '5', '6']).default('2');

const common = {
  prompt: z.string(),
  num_images: z.int().min(1).max(4).default(1),
  seed,
  output_format: z.enum(['jpeg', 'png']).default('jpeg'),
  sync_mode: z.boolean().default(false),
};

const fluxDev = {
  ...common,
  guidance_scale: z.number().min(1).max(20).default(3.5),
  enable_safety_checker: z.boolean().default(true),
  acceleration,
};

const devSchema = z.object({
  ...fluxDev,
  image_size: imageSize.default('landscape_4_3'),
  num_inference_steps: z.int().min(1).max(50).default(28),
});

const devFromImageSchema = z.object({
  ...fluxDev,
  image_url: imageUrl,
  strength: z.number().min(0.01).max(1).default(0.95),
  num_inference_steps: z.int().min(10).max(50).default(40),
});

const schnellSchema = z.object({
  ...fluxDev,
  image_size: imageSize.default('landscape_4_3'),
  num_inference_steps: z.int().min(1).max(12).default(4),
});

const proSchema = z.object({
  ...common,
  image_size: imageSize.default('landscape_4_3'),
  safety_tolerance: tolerance,
  enhance_prompt: z.boolean().default(false),
});

const ultraSchema = z.object({
  ...common,
  aspect_ratio: z
    .string()
    .regex(/^\d{1,2}:\d{1,2}$/)
    .default('16:9'),
  safety_tolerance: tolerance,
  enhance_prompt: z.boolean().default(false),
  raw: z.boolean().default(false),
  image_url: imageUrl.nullish(),
  image_prompt_strength: z.number().min(0).max(1).default(0.1),
});

const sdxlSchema = z.object({
  prompt: z.string(),
  negative_prompt: z.string().default(''),
  image_size: imageSize.default('square_hd'),
  num_images: z.int().min(1).max(8).default(1),
  num_inference_steps: z.int().min(1).max(50).default(25),
  guidance_scale: z.number().min(0).max(20).default(7.5),
  seed,
  enable_safety_checker: z.boolean().default(true),
  safety_checker_version: z.enum(['v1', 'v2']).default('v1'),
  expand_prompt: z.boolean().default(false),
  format: z.enum(['jpeg', 'png']).default('jpeg'),
  sync_mode: z.boolean().default(false),
});

type Series = {
  num_images: number;
  seed?: number | null | undefined;
  output_format: 'jpeg' | 'png';
};

const series = (input: Series, { width, height }: Size, imageUsd: number): FalPlan => ({
  medium: 'image',
  outputs: Array.from({ length: input.num_images }, () => ({
    contentType: `image/${input.output_format}`,
    width,
    height,
  })),
  priceUsd: imageUsd * input.num_images,
  latencyMs: 4_000,
  seed: input.seed ?? null,
});

/** Charged by the megapixel, begun ones in full. */
const byMegapixel = (input: Series, size: Size, megapixelUsd: number): FalPlan =>
  series(input, size, megapixelUsd * Math.max(1, Math.ceil((size.width * size.height) / 1024 ** 2)));

const readSize = (size: z.infer<typeof imageSize>): Size => {
  if (typeof size !== 'string') return size;
  const [width, height] = imageSizes[size];
  return { width, height };
};

const planSized =
  (megapixelUsd: number) =>
  (input: Series & { image_size: z.infer<typeof imageSize> }): FalPlan =>
    byMegapixel(input, readSize(input.image_size), megapixelUsd);

/** Four megapixels in the wanted shape, sides in steps of 32; the real sides may be a step or two away. */
const ultraSize = (ratio: string): Size => {
  const [across = 16, down = 9] = ratio.split(':').map(Number);
  const shape = Math.min(21 / 9, Math.max(9 / 21, across / Math.max(1, down)));
  const side = (length: number): number => 32 * Math.round(length / 32);
  return { width: side(2048 * Math.sqrt(shape)), height: side(2048 / Math.sqrt(shape)) };
};

export const pictureModels: FalModels = {
  'fal-ai/flux/dev': define(devSchema, planSized(0.025)),
  // Its price is from memory; its image is as large as the one it is made of.
  'fal-ai/flux/dev/image-to-image': define(devFromImageSchema, (input, readUrlSize) =>
    byMegapixel(input, readUrlSize(input.image_url) ?? { width: 1024, height: 768 }, 0.03),
  ),
  'fal-ai/flux/schnell': define(schnellSchema, planSized(0.003)),
  'fal-ai/flux-pro/v1.1': define(proSchema, planSized(0.04)),
  'fal-ai/flux-pro/v1.1-ultra': define(ultraSchema, (input) => series(input, ultraSize(input.aspect_ratio), 0.06)),
  // No listed price: about what its compute seconds come to.
  'fal-ai/fast-sdxl': define(sdxlSchema, (input) =>
    byMegapixel({ ...input, output_format: input.format }, readSize(input.image_size), 0.0025),
  ),
};
