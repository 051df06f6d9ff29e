import type {
  GenerateVideosConfig,
  GenerateVideosParameters,
  Image,
  VideoGenerationReferenceType,
} from '@google/genai';
import { z } from 'zod';
import type { FailureCode } from '../../domain/failure';
import { noUsage } from '../../domain/generation';
import type { Model } from '../../domain/model';
import type { Call, Media, Operation, Outcome, Output, ReadyInput } from '../provider';
import { badResponse } from '../refusal';
import { toBase64, withoutNulls } from '../request-values';
import { scrub } from '../scrub';
import { toFile } from './files';
import { invalid, soundsRejected } from './problems';

const toImage = (media: Media): Image => ({ imageBytes: toBase64(media), mimeType: media.contentType });

const toReferences = ({ referenceImages }: ReadyInput): NonNullable<GenerateVideosConfig['referenceImages']> | null =>
  referenceImages.length === 0
    ? null
    : referenceImages.map((media) => ({
        image: toImage(media),
        // an enum of the SDK, which is not loaded here
        referenceType: 'ASSET' as VideoGenerationReferenceType,
      }));

/** The SDK refuses `generateAudio` and `seed` for this API, whatever their values. */
const toConfig = (input: ReadyInput, { webhookUrl, trace }: Call): GenerateVideosConfig =>
  withoutNulls({
    numberOfVideos: input.count,
    durationSeconds: input.durationSeconds,
    aspectRatio: input.aspectRatio,
    resolution: input.resolution,
    negativePrompt: input.negativePrompt,
    lastFrame: input.lastFrame === null ? null : toImage(input.lastFrame),
    referenceImages: toReferences(input),
    webhookConfig: webhookUrl === undefined ? null : { uris: [webhookUrl], userMetadata: { trace } },
  });

export const toVeoRequest = (model: Model, input: ReadyInput, call: Call): GenerateVideosParameters => {
  if (input.image !== null && input.referenceImages.length > 0)
    throw invalid(`${model.id} takes a first frame or reference images, not both`);
  const source = withoutNulls({
    prompt: input.prompt,
    image: input.image === null ? null : toImage(input.image),
  });
  return { model: model.providerModel, source, config: toConfig(input, call) };
};

/** As the SDK hands it over: @google/genai 2.32.0, GenerateVideosOperation (2026-11-21) */
const acceptedSchema = z.object({ name: z.string().min(1) });

export const toVeoAccepted = (body: unknown, input: ReadyInput): Outcome => {
  const parsed = acceptedSchema.safeParse(body);
  if (!parsed.success) throw badResponse('no operation name');
  return { state: 'pending', operation: { id: parsed.data.name, seconds: input.durationSeconds } };
};

/** @see https://ai.google.dev/gemini-api/docs/video (2026-11-21), as the SDK hands it over */
const operationSchema = z.object({
  name: z.string().min(1),
  done: z.boolean().nullish(),
  error: z.object({ code: z.number().nullish(), message: z.string().nullish() }).nullish(),
  response: z
    .object({
      generatedVideos: z
        .array(
          z.object({
            video: z.object({ uri: z.url().nullish(), videoBytes: z.base64().min(1).nullish() }),
          }),
        )
        .nullish(),
      raiMediaFilteredCount: z.number().nullish(),
      raiMediaFilteredReasons: z.array(z.string()).nullish(),
    })
    .nullish(),
});

type VeoOperation = z.infer<typeof operationSchema>;
type VeoResponse = NonNullable<VeoOperation['response']>;

/** google.rpc's codes, which are not HTTP's. @see https://grpc.io/docs/guides/status-codes (2026-11-21) */
const failureCodes: Record<number, FailureCode> = {
  3: 'caller_invalid_request',
  4: 'provider_timeout',
  7: 'provider_auth',
  8: 'provider_rate_limited',
  14: 'provider_overloaded',
  16: 'provider_auth',
};

const canceledCode = 1;

const toFailure = ({ code, message }: NonNullable<VeoOperation['error']>): Outcome => {
  if (code === canceledCode) return { state: 'canceled' };
  const words = message ?? `google.rpc code ${code ?? 'unknown'} without a reason`;
  if (soundsRejected(words)) return { state: 'failed', code: 'provider_content_rejected', message: scrub(words) };
  return { state: 'failed', code: failureCodes[code ?? 0] ?? 'provider_failed', message: scrub(words) };
};

const toOutputs = ({ generatedVideos }: VeoResponse, call: Call): Output[] =>
  (generatedVideos ?? []).flatMap(({ video: { uri, videoBytes } }): Output[] => {
    if (uri) return [toFile(uri, call)];
    return videoBytes ? [{ kind: 'bytes', bytes: Buffer.from(videoBytes, 'base64'), contentType: 'video/mp4' }] : [];
  });

/** "You will not be charged if your video is blocked from generating." */
const toRejection = ({ raiMediaFilteredReasons }: VeoResponse): Outcome => ({
  state: 'failed',
  code: 'provider_content_rejected',
  message: scrub(raiMediaFilteredReasons?.join(' ') || 'the video was filtered out'),
  chargedUsd: '0',
});

const toEnd = (response: VeoResponse, operation: Operation, call: Call): Outcome => {
  const outputs = toOutputs(response, call);
  const filtered = response.raiMediaFilteredCount ?? 0;
  if (outputs.length === 0 && filtered > 0) return toRejection(response);
  if (outputs.length === 0) throw badResponse('done without a video');
  const seconds = typeof operation['seconds'] === 'number' ? operation['seconds'] : null;
  return {
    state: 'succeeded',
    outputs,
    usage: { ...noUsage, seconds: seconds === null ? null : seconds * outputs.length },
    warnings: filtered > 0 ? [`${filtered} of the videos were filtered out`] : [],
  };
};

export const toVeoOutcome = (body: unknown, operation: Operation, call: Call): Outcome => {
  const parsed = operationSchema.safeParse(body);
  if (!parsed.success) throw badResponse('not an operation');
  const { done, error, response } = parsed.data;
  if (done !== true) return { state: 'pending', operation };
  return error ? toFailure(error) : toEnd(response ?? {}, operation, call);
};
