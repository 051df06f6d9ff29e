import { z } from 'zod';
import { contentModeration, imageUri, promptText, seed } from './inputs';
import { define, sizeOf, type RunwayModels, type RunwayPlan } from './plan';

const ratio = z.enum([
  '1024:1024',
  '1080:1080',
  '1168:880',
  '1360:768',
  '1440:1080',
  '1080:1440',
  '1808:768',
  '1920:1080',
  '1080:1920',
  '2112:912',
  '1280:720',
  '720:1280',
  '720:720',
  '960:720',
  '720:960',
  '1680:720',
]);

const tag = z.string().regex(/^[A-Za-z]\w{2,15}$/, 'must be 3 to 16 letters, digits or underscores, a letter first');
const references = z.array(z.strictObject({ uri: imageUri, tag: tag.optional() })).max(3);
const common = { promptText, ratio, contentModeration, seed };

const gen4Image = z.strictObject({
  model: z.literal('gen4_image'),
  ...common,
  referenceImages: references.optional(),
});

const gen4ImageTurbo = z.strictObject({
  model: z.literal('gen4_image_turbo'),
  ...common,
  referenceImages: references.min(1),
});

const planImage =
  (creditsOf: (shortSide: number) => number) =>
  (body: { promptText: string; ratio: string }): RunwayPlan => {
    const { width, height } = sizeOf(body.ratio);
    return {
      medium: 'image',
      prompt: body.promptText,
      credits: creditsOf(Math.min(width, height)),
      outputs: [{ contentType: 'image/png', width, height }],
      latencyMs: 10_000,
    };
  };

/** Credits by github.com/runwayml/skills: 5 at 720p and 8 at 1080p; between the two the dearer is taken. */
export const textToImage: RunwayModels = {
  gen4_image: define(
    gen4Image,
    planImage((shortSide) => (shortSide <= 720 ? 5 : 8)),
  ),
  gen4_image_turbo: define(
    gen4ImageTurbo,
    planImage(() => 2),
  ),
};
