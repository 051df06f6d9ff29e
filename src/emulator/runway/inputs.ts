import { z } from 'zod';

/** @see https://docs.dev.runwayml.com/assets/inputs (read 2026-11-21), and the types of @runwayml/sdk 4.20.1 */
export const promptText = z.string().min(1).max(1000);

const longestUrl = 2_048;
/** 5 MB of the URI itself, as it stands in the request; the picture in it is a quarter smaller. */
const longestImageUri = 5 * 2 ** 20;

const isAddress = (hostname: string): boolean => /^[\d.]+$/.test(hostname) || hostname.startsWith('[');

const urlProblem = (uri: string): string | undefined => {
  if (!URL.canParse(uri)) return 'Invalid URL';
  const { protocol, hostname } = new URL(uri);
  if (protocol !== 'https:') return 'Only HTTPS URLs are allowed';
  if (isAddress(hostname) || !hostname.includes('.')) return 'URL must have a domain name, not an IP address';
  return uri.length > longestUrl ? `URL must be at most ${longestUrl} characters` : undefined;
};

const uriProblem = (uri: string): string | undefined => {
  if (uri.startsWith('runway://')) return undefined;
  if (!uri.startsWith('data:')) return urlProblem(uri);
  if (!/^data:image\/(png|jpe?g|webp);base64,/.test(uri)) return 'Data URI has an unsupported media type';
  return uri.length > longestImageUri ? 'Data URI must be at most 5 MB' : undefined;
};

export const imageUri = z.string().superRefine((uri, context) => {
  const message = uriProblem(uri);
  if (message !== undefined) context.addIssue({ code: 'custom', message });
});

type Frame = { uri: string; position: string };

const framesProblem = (frames: Frame[]): string | undefined => {
  const positions = frames.map(({ position }) => position);
  if (new Set(positions).size < positions.length) return 'Only one image per position is allowed';
  return positions.includes('first') ? undefined : 'An image at position "first" is required';
};

/** One image, or one for each end of the video. No model makes a video of its last frame alone. */
export const promptImage = (positions: readonly ('first' | 'last')[]): z.ZodType<string | Frame[]> =>
  z.union([
    imageUri,
    z
      .array(z.strictObject({ uri: imageUri, position: z.enum(positions) }))
      .min(1)
      .max(positions.length)
      .superRefine((frames, context) => {
        const message = framesProblem(frames);
        if (message !== undefined) context.addIssue({ code: 'custom', message });
      }),
  ]);

export const seed = z.int().min(0).max(4_294_967_295).optional();

export const contentModeration = z
  .strictObject({ publicFigureThreshold: z.enum(['auto', 'low']).optional() })
  .optional();
