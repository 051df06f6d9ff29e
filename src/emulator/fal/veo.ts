import { z } from 'zod';
import { define, imageUrl, seed, type FalModels, type FalPlan, type ReadSize } from './plan';

/** @see https://fal.ai/models/fal-ai/veo3.1/llms.txt and its siblings, read 2026-11-21 */
const common = {
  prompt: z.string().min(1).max(20_000),
  duration: z.enum(['4s', '6s', '8s']).default('8s'),
  resolution: z.enum(['720p', '1080p', '4k']).default('720p'),
  generate_audio: z.boolean().default(true),
  negative_prompt: z.string().nullish(),
  seed,
  auto_fix: z.boolean().nullish(),
  safety_tolerance: z.enum(['1', '2', '3', '4', '5', '6']).default('4'),
};

const wideOrTall = z.enum(['16:9', '9:16']).default('16:9');
const asTheImage = z.enum(['auto', '16:9', '9:16']).default('auto');

const textSchema = z.object({ ...common, aspect_ratio: wideOrTall });
const imageSchema = z.object({ ...common, aspect_ratio: asTheImage, image_url: imageUrl });
const framesSchema = z.object({
  ...common,
  aspect_ratio: asTheImage,
  first_frame_url: imageUrl,
  last_frame_url: imageUrl,
});
const referencesSchema = z.object({ ...common, aspect_ratio: wideOrTall, image_urls: z.array(imageUrl).min(1) });

/** USD a second: silent, with audio. */
type Prices = Record<'720p' | '1080p' | '4k', readonly [silent: number, audible: number]>;

const fullPrices: Prices = { '720p': [0.2, 0.4], '1080p': [0.2, 0.4], '4k': [0.4, 0.6] };
const fastPrices: Prices = { '720p': [0.1, 0.15], '1080p': [0.1, 0.15], '4k': [0.3, 0.35] };

const lines = { '720p': 720, '1080p': 1080, '4k': 2160 } as const;

type VeoInput = {
  aspect_ratio: 'auto' | '16:9' | '9:16';
  duration: '4s' | '6s' | '8s';
  resolution: keyof typeof lines;
  generate_audio: boolean;
  seed?: number | null | undefined;
  image_url?: string;
  first_frame_url?: string;
};

/** `auto` follows the image; one that would have to be downloaded first is taken to lie on its side. */
const isTall = (input: VeoInput, readSize: ReadSize): boolean => {
  if (input.aspect_ratio !== 'auto') return input.aspect_ratio === '9:16';
  const size = readSize(input.image_url ?? input.first_frame_url ?? '');
  return size !== undefined && size.height > size.width;
};

const planWith =
  (prices: Prices) =>
  (input: VeoInput, readSize: ReadSize): FalPlan => {
    const seconds = Number.parseInt(input.duration, 10);
    const short = lines[input.resolution];
    const long = (short * 16) / 9;
    const [width, height] = isTall(input, readSize) ? [short, long] : [long, short];
    return {
      medium: 'video',
      outputs: [{ contentType: 'video/mp4', width, height, seconds }],
      priceUsd: seconds * prices[input.resolution][input.generate_audio ? 1 : 0],
      latencyMs: 40_000,
      seed: input.seed ?? null,
    };
  };

const planFull = planWith(fullPrices);
const planFast = planWith(fastPrices);

export const veoModels: FalModels = {
  'fal-ai/veo3.1': define(textSchema, planFull),
  'fal-ai/veo3.1/image-to-video': define(imageSchema, planFull),
  'fal-ai/veo3.1/first-last-frame-to-video': define(framesSchema, planFull),
  'fal-ai/veo3.1/reference-to-video': define(referencesSchema, planFull),
  'fal-ai/veo3.1/fast': define(textSchema, planFast),
  'fal-ai/veo3.1/fast/image-to-video': define(imageSchema, planFast),
  'fal-ai/veo3.1/fast/first-last-frame-to-video': define(framesSchema, planFast),
};
