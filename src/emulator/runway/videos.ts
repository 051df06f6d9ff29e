import { z } from 'zod';
import { contentModeration, promptImage, promptText, seed } from './inputs';
import { define, sizeOf, type RunwayModels, type RunwayPlan } from './plan';

const wideRatio = z.enum(['1280:720', '720:1280']);
const imageRatio = z.enum(['1280:720', '720:1280', '1104:832', '832:1104', '960:960', '1584:672']);
const fullHdRatio = z.enum(['1280:720', '720:1280', '1080:1920', '1920:1080']);
const gen4Duration = z.int().min(2).max(10);

/** Runway makes a dozen other formats of gen4.5; they are not emulated, and refused rather than faked. */
const outputFormat = z.literal('mp4').optional();
const gen45 = { model: z.literal('gen4.5'), promptText, duration: gen4Duration, seed, contentModeration, outputFormat };

const gen4Turbo = {
  model: z.literal('gen4_turbo'),
  ratio: imageRatio,
  promptImage: promptImage(['first']),
  promptText: promptText.optional(),
  duration: gen4Duration.optional(),
  seed,
  contentModeration,
};

const gen3aTurbo = {
  model: z.literal('gen3a_turbo'),
  ratio: z.enum(['1280:768', '768:1280']).optional(),
  promptImage: promptImage(['first', 'last']),
  promptText: promptText.optional(),
  duration: z.union([z.literal(5), z.literal(10)]).optional(),
  seed,
  contentModeration,
};

const veo = <Name extends string>(model: Name) => ({
  model: z.literal(model),
  ratio: fullHdRatio,
  duration: z.union([z.literal(4), z.literal(6), z.literal(8)]).optional(),
  audio: z.boolean().optional(),
  negativePrompt: promptText.optional(),
  seed,
});

const veoText = <Name extends string>(model: Name) => z.strictObject({ ...veo(model), promptText });
const veoImage = <Name extends string>(model: Name) =>
  z.strictObject({
    ...veo(model),
    promptText: promptText.optional(),
    promptImage: promptImage(['first', 'last']),
  });

type Rate = {
  /** Credits a second. */
  silent: number;
  audible?: number;
  defaultSeconds: number;
};

/** @see https://github.com/runwayml/skills c5674fd2, read 2026-04-21 */
const rates = {
  'gen4.5': { silent: 12, defaultSeconds: 5 },
  gen4_turbo: { silent: 5, defaultSeconds: 10 },
  gen3a_turbo: { silent: 5, defaultSeconds: 10 },
  veo3: { silent: 40, defaultSeconds: 8 },
  'veo3.1': { silent: 20, audible: 40, defaultSeconds: 8 },
  'veo3.1_fast': { silent: 10, audible: 15, defaultSeconds: 8 },
} as const satisfies Record<string, Rate>;

type VideoBody = {
  model: keyof typeof rates;
  ratio?: string | undefined;
  duration?: number | undefined;
  promptText?: string | undefined;
  audio?: boolean | undefined;
};

const planVideo = (body: VideoBody): RunwayPlan => {
  const rate: Rate = rates[body.model];
  const seconds = body.duration ?? rate.defaultSeconds;
  const perSecond = body.audio === false ? rate.silent : (rate.audible ?? rate.silent);
  return {
    medium: 'video',
    prompt: body.promptText ?? '',
    credits: seconds * perSecond,
    outputs: [{ contentType: 'video/mp4', ...sizeOf(body.ratio ?? '1280:768'), seconds }],
    latencyMs: 40_000,
  };
};

/** The SDK of this day (4.20.1) has both in its list of what was used, no longer in what can be asked for. */
const shutOn = '2026-09-29';

export const textToVideo: RunwayModels = {
  'gen4.5': define(z.strictObject({ ...gen45, ratio: wideRatio }), planVideo),
  'veo3.1': define(veoText('veo3.1'), planVideo),
  'veo3.1_fast': define(veoText('veo3.1_fast'), planVideo),
  veo3: define(veoText('veo3'), planVideo, shutOn),
};

export const imageToVideo: RunwayModels = {
  'gen4.5': define(z.strictObject({ ...gen45, ratio: imageRatio, promptImage: promptImage(['first']) }), planVideo),
  gen4_turbo: define(z.strictObject(gen4Turbo), planVideo),
  'veo3.1': define(veoImage('veo3.1'), planVideo),
  'veo3.1_fast': define(veoImage('veo3.1_fast'), planVideo),
  veo3: define(veoImage('veo3'), planVideo, shutOn),
  gen3a_turbo: define(z.strictObject(gen3aTurbo), planVideo, shutOn),
};
