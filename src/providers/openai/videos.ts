import type OpenAI from 'openai';
import { z } from 'zod';
import { noUsage } from '../../domain/generation';
import type { Model } from '../../domain/model';
import type { Outcome, ReadyInput } from '../provider';
import { badResponse } from '../refusal';
import { withoutNulls } from '../request-values';
import { scrub } from '../scrub';
import { toFile } from './images';

type VideoRequest = OpenAI.Videos.VideoCreateParams;

export const toVideoRequest = (model: Model, input: ReadyInput): VideoRequest =>
  withoutNulls({
    model: model.providerModel,
    prompt: input.prompt ?? '',
    seconds: input.durationSeconds === null ? null : String(input.durationSeconds),
    size: input.size,
    input_reference: input.image === null ? null : toFile(input.image, 'image'),
  }) as VideoRequest;

/** @see openai 6.49.0, Video (2026-11-21) */
const videoSchema = z.object({
  id: z.string().min(1),
  status: z.enum(['queued', 'in_progress', 'completed', 'failed']),
  progress: z.number().min(0).max(100).nullish(),
  seconds: z.coerce.number().nullish(),
  error: z.object({ code: z.string().nullish(), message: z.string().nullish() }).nullish(),
});

const rejections: readonly string[] = ['moderation_blocked', 'content_policy_violation'];

type Video = z.infer<typeof videoSchema>;

const toFailure = ({ error }: Video): Outcome => ({
  state: 'failed',
  code: rejections.includes(error?.code ?? '') ? 'provider_content_rejected' : 'provider_failed',
  message: scrub(error?.message ?? 'the provider gave no reason'),
});

/** The answer of a submit and of a look are the same. The file is behind the key that made it. */
export const toVideoOutcome = (body: unknown, baseUrl: string): Outcome => {
  const parsed = videoSchema.safeParse(body);
  if (!parsed.success) throw badResponse('not a video');
  const video = parsed.data;
  if (video.status === 'failed') return toFailure(video);
  if (video.status !== 'completed')
    return { state: 'pending', operation: { id: video.id }, progress: video.progress ?? 0 };
  return {
    state: 'succeeded',
    outputs: [
      {
        kind: 'url',
        url: `${baseUrl.replace(/\/$/, '')}/videos/${encodeURIComponent(video.id)}/content`,
        contentType: 'video/mp4',
        credentialHeader: { name: 'authorization', scheme: 'Bearer' },
      },
    ],
    usage: { ...noUsage, seconds: video.seconds ?? null },
    warnings: [],
  };
};
