import { z } from 'zod';

/** @see https://docs.dev.runwayml.com/api (from the types of @runwayml/sdk 4.20.1) */
const promptText = z.string().min(1).max(1000);

const megabyte = 2 ** 20;

const imageUri = z
  .string()
  .regex(
    /^(https:\/\/[^/:]+\.[^/]+\/|data:image\/(png|jpe?g|webp);base64,|runway:\/\/)/,
    'must be an HTTPS URL, a data URI or a Runway upload',
  )
  .refine((uri) => !uri.startsWith('data:') || uri.length * 0.75 <= 5 * megabyte, 'must be at most 5 MB as a data URI');

const promptImage = (positions: ['first'] | ['first', 'last']): z.ZodType =>
  z.union([
    imageUri,
    z
      .array(z.strictObject({ uri: imageUri, position: z.enum(positions) }))
      .min(1)
      .max(positions.length),
  ]);

const seed = z.int().min(0).max(4_294_967_295).optional();
const contentModeration = z.strictObject({ publicFigureThreshold: z.enum(['auto', 'low']).optional() }).optional();
const wideRatio = z.enum(['1280:720', '720:1280']);
const imageRatio = z.enum(['1280:720', '720:1280', '1104:832', '832:1104', '960:960', '1584:672']);
const gen4Duration = z.int().min(2).max(10);

const gen45 = {
  promptText,
  duration: gen4Duration,
  seed,
  contentModeration,
  outputFormat: z.literal('mp4').optional(),
};

const veo = {
  ratio: z.enum(['1280:720', '720:1280', '1080:1920', '1920:1080']),
  duration: z.union([z.literal(4), z.literal(6), z.literal(8)]).optional(),
  audio: z.boolean().optional(),
  negativePrompt: promptText.optional(),
  seed,
};

const veoText = { ...veo, promptText };
const veoImage = { ...veo, promptText: promptText.optional(), promptImage: promptImage(['first', 'last']) };

const textToVideo = z.discriminatedUnion('model', [
  z.strictObject({ model: z.literal('gen4.5'), ratio: wideRatio, ...gen45 }),
  z.strictObject({ model: z.literal('veo3.1'), ...veoText }),
  z.strictObject({ model: z.literal('veo3.1_fast'), ...veoText }),
]);

const imageToVideo = z.discriminatedUnion('model', [
  z.strictObject({ model: z.literal('gen4.5'), ratio: imageRatio, promptImage: promptImage(['first']), ...gen45 }),
  z.strictObject({
    model: z.literal('gen4_turbo'),
    ratio: imageRatio,
    promptImage: promptImage(['first']),
    promptText: promptText.optional(),
    duration: gen4Duration.optional(),
    seed,
    contentModeration,
  }),
  z.strictObject({ model: z.literal('veo3.1'), ...veoImage }),
  z.strictObject({ model: z.literal('veo3.1_fast'), ...veoImage }),
]);

export const runwayBodies = { text_to_video: textToVideo, image_to_video: imageToVideo };

export type RunwayBody = z.infer<typeof textToVideo> | z.infer<typeof imageToVideo>;

type RunwayModel = RunwayBody['model'];

/** Credits a second; one credit is 0.01 USD. */
const rates: Record<RunwayModel, { silent: number; audible: number; defaultSeconds: number }> = {
  'gen4.5': { silent: 12, audible: 12, defaultSeconds: 5 },
  gen4_turbo: { silent: 5, audible: 5, defaultSeconds: 10 },
  'veo3.1': { silent: 20, audible: 40, defaultSeconds: 8 },
  'veo3.1_fast': { silent: 10, audible: 15, defaultSeconds: 8 },
};

export const runwayModels = Object.keys(rates);

export const creditsOf = (body: RunwayBody): number => {
  const rate = rates[body.model];
  const isAudible = 'audio' in body ? (body.audio ?? true) : body.model.startsWith('veo');
  return (body.duration ?? rate.defaultSeconds) * (isAudible ? rate.audible : rate.silent);
};
