import type RunwayML from '@runwayml/sdk';
import { z } from 'zod';
import type { FailureCode } from '../../domain/failure';
import { noUsage, type Usage } from '../../domain/generation';
import type { Model } from '../../domain/model';
import { scaleMoney, type Money } from '../../domain/money';
import { ProviderError, type Media, type Operation, type Outcome, type ReadyInput } from '../provider';
import { badResponse, readJson, refuseByStatus, type Refusal } from '../refusal';
import { toDataUri, withoutNulls } from '../request-values';
import { scrub } from '../scrub';
import type { Answer, Purpose } from '../transport';

type Bodies = {
  text_to_video: RunwayML.TextToVideoCreateParams;
  image_to_video: RunwayML.ImageToVideoCreateParams;
  text_to_image: RunwayML.TextToImageCreateParams;
  text_to_speech: RunwayML.TextToSpeechCreateParams;
  sound_effect: RunwayML.SoundEffectCreateParams;
};

export type Submission = { [Kind in keyof Bodies]: { kind: Kind; body: Bodies[Kind] } }[keyof Bodies];

type Ratios = Record<string, Record<string, string>>;

/** Runway wants pixels where we say shape and resolution. */
const videoRatios: Ratios = {
  '720p': {
    '16:9': '1280:720',
    '9:16': '720:1280',
    '4:3': '1104:832',
    '3:4': '832:1104',
    '1:1': '960:960',
    '21:9': '1584:672',
  },
  '1080p': { '16:9': '1920:1080', '9:16': '1080:1920' },
};
const gen3Ratios: Ratios = { '720p': { '16:9': '1280:768', '9:16': '768:1280' } };
const imageRatios: Ratios = {
  '720p': {
    '16:9': '1280:720',
    '9:16': '720:1280',
    '4:3': '960:720',
    '3:4': '720:960',
    '1:1': '720:720',
    '21:9': '1680:720',
  },
  '1080p': {
    '16:9': '1920:1080',
    '9:16': '1080:1920',
    '4:3': '1440:1080',
    '3:4': '1080:1440',
    '1:1': '1080:1080',
    '21:9': '2112:912',
  },
};

const invalid = (message: string): ProviderError =>
  new ProviderError('caller_invalid_request', message, { accepted: 'no', scope: 'request' });

const ratiosOf = (model: Model): Ratios => {
  if (model.medium === 'image') return imageRatios;
  return model.providerModel === 'gen3a_turbo' ? gen3Ratios : videoRatios;
};

const toRatio = (model: Model, input: ReadyInput): string => {
  const shape = input.aspectRatio ?? '16:9';
  const resolution = input.resolution ?? '720p';
  const textShapes = input.image === null ? model.capabilities.aspectRatiosFromText : undefined;
  const ratio = textShapes?.includes(shape) === false ? undefined : ratiosOf(model)[resolution]?.[shape];
  if (ratio === undefined) throw invalid(`${model.id} makes no ${shape} in ${resolution} from this input`);
  return ratio;
};

const toUri = (media: Media): string => media.uri ?? toDataUri(media);

/** "Up to 5 MB" are those of the data URI as it stands in the body. */
const longestDataUri = 5_000_000;

export const isTooLarge = ({ bytes }: Media): boolean => bytes.byteLength * (4 / 3) + 100 > longestDataUri;

const toPromptImage = (image: Media, lastFrame: Media | null) =>
  lastFrame === null
    ? toUri(image)
    : [
        { uri: toUri(image), position: 'first' },
        { uri: toUri(lastFrame), position: 'last' },
      ];

// The SDK has one type a model, and none for a retired one; the catalogue's validation has done what they do.
const toVideo = (model: Model, input: ReadyInput): Submission => {
  const common = withoutNulls({
    model: model.providerModel,
    ratio: toRatio(model, input),
    promptText: input.prompt,
    duration: input.durationSeconds,
    // A model without the parameter refuses the field, whatever its value.
    audio: model.capabilities.audio === 'optional' ? input.audio : null,
    seed: input.seed,
    negativePrompt: input.negativePrompt,
  });
  if (input.image === null)
    return { kind: 'text_to_video', body: common as unknown as RunwayML.TextToVideoCreateParams };
  const body = { ...common, promptImage: toPromptImage(input.image, input.lastFrame) };
  return { kind: 'image_to_video', body: body as unknown as RunwayML.ImageToVideoCreateParams };
};

const toImage = (model: Model, input: ReadyInput): Submission => {
  // By its tag a prompt can speak of an image: "@image1".
  const references = input.referenceImages.map((media, index) => ({ uri: toUri(media), tag: `image${index + 1}` }));
  const body = withoutNulls({
    model: model.providerModel,
    promptText: input.prompt ?? '',
    ratio: toRatio(model, input),
    referenceImages: references.length === 0 ? null : references,
    seed: input.seed,
  });
  return { kind: 'text_to_image', body: body as unknown as RunwayML.TextToImageCreateParams };
};

const noSettings = { stability: null, similarityBoost: null, style: null, useSpeakerBoost: null, speed: null };

const toSpeech = (model: Model, input: ReadyInput): Submission => {
  const body = withoutNulls({
    model: model.providerModel,
    promptText: input.prompt ?? '',
    voice: { type: 'runway-preset', presetId: input.voice ?? model.capabilities.voices?.[0] },
    seed: input.seed,
    ...(input.voiceSettings ?? noSettings),
  });
  return { kind: 'text_to_speech', body: body as unknown as RunwayML.TextToSpeechCreateParams };
};

const toSound = (model: Model, input: ReadyInput): Submission => {
  const { providerModel } = model;
  const body = withoutNulls({ model: providerModel, promptText: input.prompt ?? '', duration: input.durationSeconds });
  return { kind: 'sound_effect', body: body as unknown as RunwayML.SoundEffectCreateParams };
};

const makers: Record<string, (model: Model, input: ReadyInput) => Submission> = {
  video: toVideo,
  text_to_image: toImage,
  text_to_speech: toSpeech,
  sound_effect: toSound,
};

export const toSubmission = (model: Model, input: ReadyInput): Submission =>
  (makers[model.api ?? 'video'] ?? toVideo)(model, input);

const extensions: Record<string, string> = { 'image/png': 'png', 'image/jpeg': 'jpg', 'image/webp': 'webp' };

export const toFile = ({ bytes, contentType }: Media): File =>
  new File([new Uint8Array(bytes)], `input.${extensions[contentType] ?? 'bin'}`, { type: contentType });

/** @see @runwayml/sdk 4.20.1, UploadCreateEphemeralResponse (2026-11-21) */
const uploadSchema = z.object({ uri: z.string().regex(/^runway:/) });

export const toUploaded = (body: unknown, media: Media): Media => {
  const parsed = uploadSchema.safeParse(body);
  if (!parsed.success) throw badResponse('no address of the upload');
  return { ...media, uri: parsed.data.uri };
};

/** @see https://docs.dev.runwayml.com/api/ and @runwayml/sdk 4.20.1, TextToVideoCreateResponse (2026-11-21) */
const acceptedSchema = z.object({ id: z.string().min(1) });

/** "Consumers should not expect updates more frequent than once every five seconds." */
const lookAgainMs = 5_000;

/** A task does not tell how much of what it made: what was asked for is kept with the handle. */
const countAsked = ({ medium, api }: Model, input: ReadyInput): Partial<Usage> => {
  if (medium === 'image') return { images: input.count };
  return api === 'text_to_speech' ? { characters: input.prompt?.length ?? 0 } : { seconds: input.durationSeconds };
};

export const toAccepted = (body: unknown, model: Model, input: ReadyInput): Outcome => {
  const parsed = acceptedSchema.safeParse(body);
  if (!parsed.success) throw badResponse('no task id');
  const operation: Operation = { id: parsed.data.id, ...countAsked(model, input) };
  return { state: 'pending', operation, retryAfterMs: lookAgainMs };
};

/** @see @runwayml/sdk 4.20.1, TaskRetrieveResponse (2026-11-21) */
const taskSchema = z.object({
  status: z.enum(['PENDING', 'THROTTLED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED']),
  progress: z.number().nullish(),
  output: z.array(z.string().min(1)).nullish(),
  failure: z.string().nullish(),
  failureCode: z.string().nullish(),
  cost: z.object({ credits: z.number().nonnegative() }).nullish(),
});

type Task = z.infer<typeof taskSchema>;

const parseTask = (body: unknown): Task => {
  const parsed = taskSchema.safeParse(body);
  if (!parsed.success) throw badResponse('not a task');
  return parsed.data;
};

/** @see https://docs.dev.runwayml.com/errors/task-failures/ (2026-11-21) */
const toFailureCode = (failureCode: string): FailureCode => {
  if (failureCode.startsWith('SAFETY.')) return 'provider_content_rejected';
  if (failureCode.startsWith('INPUT_PREPROCESSING.') || failureCode === 'ASSET.INVALID')
    return 'caller_invalid_request';
  return 'provider_failed';
};

const creditUsd = '0.01';

/** A terminal task tells the real charge, 0 where it was refunded. */
const toCharge = (task: Task): { chargedUsd?: Money } =>
  task.cost ? { chargedUsd: scaleMoney(creditUsd, task.cost.credits) } : {};

const asked = z.number().nullish().catch(null);
const askedSchema = z.object({ seconds: asked, characters: asked, images: asked });

const toSuccess = (task: Task, operation: Operation): Outcome => {
  if (!task.output || task.output.length === 0) throw badResponse('succeeded without output');
  const { seconds = null, characters = null, images = null } = askedSchema.parse(operation);
  return {
    state: 'succeeded',
    outputs: task.output.map((url) => ({ kind: 'url', url, contentType: null })),
    usage: { ...noUsage, seconds, characters, images },
    warnings: [],
    ...toCharge(task),
  };
};

export const toOutcome = (body: unknown, operation: Operation): Outcome => {
  const task = parseTask(body);
  switch (task.status) {
    case 'SUCCEEDED':
      return toSuccess(task, operation);
    case 'FAILED':
      return {
        state: 'failed',
        code: toFailureCode(task.failureCode ?? ''),
        message: scrub(`${task.failureCode ?? 'no failure code'}: ${task.failure ?? 'the provider gave no reason'}`),
        ...toCharge(task),
      };
    case 'CANCELLED':
      return { state: 'canceled', ...toCharge(task) };
    default: {
      const progress = Math.round(Math.min(1, Math.max(0, task.progress ?? 0)) * 100);
      return { state: 'pending', operation, progress, retryAfterMs: lookAgainMs };
    }
  }
};

/** @see @runwayml/sdk 4.20.1, OrganizationRetrieveResponse (2026-11-21) */
const organizationSchema = z.object({ creditBalance: z.number() });

/** Only a body of Runway's own proves the key: a proxy's page does not. */
export const checkOrganization = (body: unknown): void => {
  if (!organizationSchema.safeParse(body).success) throw badResponse('not an organization');
};

/** @see https://docs.dev.runwayml.com/errors/errors/ (2026-11-21) */
const errorSchema = z.object({ error: z.string() });

export const readRefusal = (answer: Answer, purpose: Purpose): Refusal => {
  const message = errorSchema.safeParse(readJson(answer.text)).data?.error ?? null;
  const refusal = refuseByStatus(answer, purpose, { message, notAccepted: [502, 503] });
  // The address an upload goes to is not Runway's: what it refuses says nothing about our key.
  if (purpose === 'stage' && message === null)
    return { ...refusal, code: 'provider_server_error', scope: 'provider', message: 'the upload was refused' };
  if (answer.status === 502) return { ...refusal, code: 'provider_overloaded' }; // documented load shedding
  if (answer.status === 400 && /credit/i.test(message ?? ''))
    return { ...refusal, code: 'provider_insufficient_funds', scope: 'credential' };
  return refusal;
};
