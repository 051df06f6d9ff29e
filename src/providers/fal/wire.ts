import { z } from 'zod';
import type { FailureCode } from '../../domain/failure';
import { noUsage, type GenerationInput } from '../../domain/generation';
import type { Model } from '../../domain/model';
import type { Call, Media, Operation, Outcome, ReadyInput } from '../provider';
import { badResponse, readJson, refuseByStatus, type Refusal } from '../refusal';
import { toDataUri, withoutNulls } from '../request-values';
import { scrub } from '../scrub';
import type { Answer, Purpose } from '../transport';

export type Submission = { endpoint: string; input: Record<string, unknown> };

/** Larger ones are brought to fal's storage first; no limit of a request's body is documented. */
const longestInline = 4_000_000;

export const isTooLarge = ({ bytes }: Media): boolean => bytes.byteLength > longestInline;

const toUrl = (media: Media): string => media.uri ?? toDataUri(media);
const toUrlOrNull = (media: Media | null): string | null => media && toUrl(media);

/** The first frame's field has another name where there is a last one. */
const toFrames = ({ image, lastFrame }: ReadyInput) =>
  lastFrame === null
    ? { image_url: toUrlOrNull(image) }
    : { first_frame_url: toUrlOrNull(image), last_frame_url: toUrl(lastFrame) };

const toVideoInput = (input: ReadyInput): Record<string, unknown> =>
  withoutNulls({
    prompt: input.prompt ?? '',
    ...toFrames(input),
    image_urls: input.referenceImages.length === 0 ? null : input.referenceImages.map(toUrl),
    aspect_ratio: input.aspectRatio,
    duration: input.durationSeconds === null ? null : `${input.durationSeconds}s`,
    resolution: input.resolution,
    generate_audio: input.audio,
    seed: input.seed,
    negative_prompt: input.negativePrompt,
  });

const toImageSize = (size: string): { width: number; height: number } => {
  const [width = 0, height = 0] = size.split('x').map(Number);
  return { width, height };
};

/** The same wish has two names: `output_format` in flux, `format` in fast-sdxl. */
const toImageInput = (model: Model, input: ReadyInput): Record<string, unknown> =>
  withoutNulls({
    prompt: input.prompt ?? '',
    negative_prompt: input.negativePrompt,
    image_url: toUrlOrNull(input.image),
    image_size: input.size === null ? null : toImageSize(input.size),
    aspect_ratio: input.aspectRatio,
    num_images: input.count,
    seed: input.seed,
    [model.api === 'sdxl' ? 'format' : 'output_format']: input.format,
  });

const framePaths = ['image-to-video', 'first-last-frame-to-video'] as const;

const hasFramePaths = ({ medium, api }: Model): boolean => medium === 'video' && api !== 'veo-references';

/** By what the input holds, at hand or not. */
export const toEndpoint = (model: Model, { image, lastFrame }: GenerationInput<unknown>): string =>
  hasFramePaths(model) && image !== null
    ? `${model.providerModel}/${framePaths[lastFrame === null ? 0 : 1]}`
    : model.providerModel;

/** Wherever work of the model may have gone. */
export const toEndpoints = (model: Model): string[] => [
  model.providerModel,
  ...(hasFramePaths(model) ? framePaths.map((path) => `${model.providerModel}/${path}`) : []),
];

/**
 * Of 31 bits, as every endpoint takes them. What a request was given is all that fal's list of requests shows of it,
 * so this is the mark it is found by. FNV-1a, stirred once more: traces differ in their last letters only.
 */
export const toSeed = (trace: string): number => {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(trace)) hash = Math.imul(hash ^ byte, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) & 0x7fffffff;
};

/** Whether the model's endpoints take every seed that `toSeed` draws. */
export const takesOwnSeed = ({ capabilities }: Model): boolean => (capabilities.seed?.maximum ?? 0) >= 0x7fffffff;

/** Whether the seed is ours to choose: the caller named none. */
export const hasOwnSeed = (model: Model, { seed }: GenerationInput<unknown>): boolean =>
  seed === null && takesOwnSeed(model);

export const toSubmission = (model: Model, input: ReadyInput, trace: string): Submission => {
  const seeded = hasOwnSeed(model, input) ? { ...input, seed: toSeed(trace) } : input;
  const body = model.medium === 'video' ? toVideoInput(seeded) : toImageInput(model, seeded);
  return { endpoint: toEndpoint(model, input), input: body };
};

/** Else fal itself runs the work up to ten more times. */
const runOnce = { 'x-fal-no-retry': '1' };

/** A week: an outage of ours must not outlast the result. */
export const toDelivery = ({ webhookUrl, priority }: Call) => ({
  headers: runOnce,
  storageSettings: { expiresIn: '7d' as const },
  priority: priority === 'low' ? ('low' as const) : ('normal' as const),
  ...(webhookUrl !== undefined && { webhookUrl }),
});

const fileUrlSchema = z.url();

export const toUploaded = (url: unknown, media: Media): Media => {
  const parsed = fileUrlSchema.safeParse(url);
  if (!parsed.success) throw badResponse('no address of the upload');
  return { ...media, uri: parsed.data };
};

/** @see https://fal.ai/docs/inference-api/queue/submit (2026-11-21) */
const acceptedSchema = z.object({ request_id: z.string().min(1) });

/** The result does not say how long a video is: what was asked for is kept with the handle. */
export const toAccepted = (body: unknown, submission: Submission, input: ReadyInput): Outcome => {
  const parsed = acceptedSchema.safeParse(body);
  if (!parsed.success) throw badResponse('no request_id');
  const operation: Operation = {
    id: parsed.data.request_id,
    endpoint: submission.endpoint,
    seconds: input.durationSeconds,
  };
  return { state: 'pending', operation };
};

export const endpointOf = (model: Model, operation: Operation): string =>
  typeof operation['endpoint'] === 'string' ? operation['endpoint'] : model.providerModel;

/** @see https://fal.ai/docs/inference-api/queue/status (2026-11-21) */
const statusSchema = z.object({
  status: z.enum(['IN_QUEUE', 'IN_PROGRESS', 'COMPLETED']),
  error: z.string().nullish(),
  error_type: z.string().nullish(),
});

export type Look =
  | { state: 'pending'; progress: number }
  | { state: 'canceled' }
  /** `error` where the work failed: the only terminal status is COMPLETED, also for failures and cancels. */
  | { state: 'completed'; error: string | null };

export const toLook = (body: unknown): Look => {
  const parsed = statusSchema.safeParse(body);
  if (!parsed.success) throw badResponse('no status');
  const { status, error, error_type: errorType } = parsed.data;
  if (status !== 'COMPLETED') return { state: 'pending', progress: status === 'IN_QUEUE' ? 0 : 50 };
  if (/cancel/i.test(errorType ?? '')) return { state: 'canceled' };
  return { state: 'completed', error: error ?? errorType ?? null };
};

const fileSchema = z.object({ url: z.string().min(1), content_type: z.string().nullish() });

/** @see https://fal.ai/models/fal-ai/veo3.1/llms.txt (2026-11-21) */
const videoSchema = z.object({ video: fileSchema });

/** @see @fal-ai/client 1.10.1, types of fal-ai/flux/dev and fal-ai/fast-sdxl (2026-11-21) */
const imagesSchema = z.object({
  images: z.array(fileSchema).min(1),
  has_nsfw_concepts: z.array(z.boolean()).nullish(),
});

const toUrlOutput = (file: z.infer<typeof fileSchema>) =>
  ({ kind: 'url', url: file.url, contentType: file.content_type ?? null }) as const;

const toVideos = (data: unknown, operation: Operation): Outcome => {
  const parsed = videoSchema.safeParse(data);
  if (!parsed.success) throw badResponse('no video');
  const seconds = typeof operation['seconds'] === 'number' ? operation['seconds'] : null;
  return {
    state: 'succeeded',
    outputs: [toUrlOutput(parsed.data.video)],
    usage: { ...noUsage, seconds },
    warnings: [],
  };
};

/** The safety checker does not refuse: it blackens the image and flags it. */
const toImages = (data: unknown): Outcome => {
  const parsed = imagesSchema.safeParse(data);
  if (!parsed.success) throw badResponse('no images');
  const { images, has_nsfw_concepts: flags } = parsed.data;
  const clean = images.filter((_image, index) => flags?.[index] !== true);
  const message = 'the safety checker blackened every image';
  if (clean.length === 0) return { state: 'failed', code: 'provider_content_rejected', message };
  const removed = images.length - clean.length;
  return {
    state: 'succeeded',
    outputs: clean.map(toUrlOutput),
    usage: { ...noUsage, images: images.length },
    warnings: removed === 0 ? [] : [`${removed} of ${images.length} images were withheld by the safety checker`],
  };
};

export const toResult = (model: Model, operation: Operation, data: unknown): Outcome =>
  model.medium === 'video' ? toVideos(data, operation) : toImages(data);

/** Model errors have a list, infrastructure errors a string. @see https://fal.ai/docs/documentation/model-apis/errors (2026-11-21) */
const errorSchema = z.object({
  detail: z.union([z.string(), z.array(z.object({ msg: z.string().nullish(), type: z.string().nullish() }))]),
  error_type: z.string().nullish(),
});

type ErrorBody = { message: string; verdict: FailureCode | undefined };

/** Of the types of a model's error, those its status misleads about. Everything else is a wrong field. */
const verdicts: Record<string, FailureCode> = {
  content_policy_violation: 'provider_content_rejected',
  no_media_generated: 'provider_failed',
  downstream_service_error: 'provider_failed',
  downstream_service_unavailable: 'provider_failed',
  generation_timeout: 'provider_failed',
  internal_server_error: 'provider_failed',
};

const readError = (text: string): ErrorBody | null => {
  const parsed = errorSchema.safeParse(readJson(text));
  if (!parsed.success) return null;
  const { detail } = parsed.data;
  if (typeof detail === 'string') return { message: detail, verdict: undefined };
  return {
    message: detail.map((item) => item.msg ?? item.type ?? '').join('; '),
    verdict: detail.map((item) => verdicts[item.type ?? '']).find((code) => code !== undefined),
  };
};

type Verdict = Partial<Pick<Refusal, 'code' | 'scope' | 'message'>>;

/** The storage's own address is not fal's API: what it refuses says nothing about our key. */
const uploadRefused: Verdict = { code: 'provider_server_error', scope: 'provider', message: 'the upload was refused' };

const judge = (status: number, purpose: Purpose, error: ErrorBody | null): Verdict => {
  if (error === null) return purpose === 'stage' ? uploadRefused : {};
  if (error.verdict === 'provider_content_rejected') return { code: error.verdict };
  return status === 403 && /balance|locked/i.test(error.message) ? { code: 'provider_insufficient_funds' } : {};
};

export const readRefusal = (answer: Answer, purpose: Purpose): Refusal => {
  const error = readError(answer.text);
  // Not billed is documented of fal's own 5xx only; a proxy's page in front of it proves nothing.
  const refusal = refuseByStatus(answer, purpose, {
    message: error?.message ?? null,
    notAccepted: error === null ? [] : [500, 503],
  });
  return { ...refusal, ...judge(answer.status, purpose, error) };
};

/** A 404 with a body of fal's own, not of something in front of it. */
export const isOwnNotFound = (answer: Answer | null): boolean =>
  answer !== null && answer.status === 404 && readError(answer.text) !== null;

/**
 * Does a refused result speak of the work, or of our access to it? 5xx do so only where the status said it failed:
 * else they are fal's own trouble of the moment.
 */
const isVerdict = (status: number, lookError: string | null): boolean =>
  status === 400 || status === 422 || (status >= 500 && lookError !== null);

/**
 * Failed work answers with its own error status where the result would be; `lookError` is what the status said of it.
 * `null`: the answer is no verdict on the work, look again.
 */
export const toFailure = (answer: Answer, lookError: string | null): Outcome | null => {
  if (!isVerdict(answer.status, lookError)) return null;
  const error: ErrorBody = readError(answer.text) ?? {
    message: lookError ?? 'the provider gave no reason',
    verdict: undefined,
  };
  const message = scrub(error.message);
  if (error.verdict === 'provider_content_rejected' || answer.status < 500)
    return { state: 'failed', code: error.verdict ?? 'caller_invalid_request', message };
  // "You are never charged for server errors": https://docs.fal.ai/documentation/model-apis/pricing
  return { state: 'failed', code: 'provider_failed', message, chargedUsd: '0' };
};

/** 200: taken out of the queue; 202: asked of a runner; 400: it had ended. */
export const toCancellation = (status: number): 'confirmed' | 'requested' | 'too_late' =>
  status === 400 ? 'too_late' : status === 202 ? 'requested' : 'confirmed';

const hostPrefixes: Record<string, string> = { 'queue.fal.run': '', 'rest.fal.ai': '/rest', 'api.fal.ai': '/platform' };

/** fal's SDK has no base URL: its hosts become folders below ours. Where an upload goes is left as it was told. */
export const redirectHosts =
  (baseUrl: string | null) =>
  (url: URL): URL => {
    const prefix = hostPrefixes[url.hostname];
    return baseUrl === null || prefix === undefined
      ? url
      : new URL(`${baseUrl.replace(/\/$/, '')}${prefix}${url.pathname}${url.search}`);
  };
