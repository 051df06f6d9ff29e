import { z } from 'zod';
import { jsonAnswer, type Answer } from '../answer';
import { serveOutput } from '../artifacts';
import { readImageSize } from '../image-size';
import { isShut } from '../lifecycle';
import { endsAtMs, isOver, progressOf, stateOf, type Operation } from '../operations';
import type { Call } from '../provider';
import { accept, fateOf, findOwn, ownOperations } from '../submit';
import { changeOperation } from '../world';
import { readForm, type Form } from './form';
import { pageOf } from './pages';
import { invalidInput, invalidValue, modelRetired, multipartExpected, problem, unauthorized } from './problems';

const plainSizes = ['720x1280', '1280x720'];
const proSizes = [...plainSizes, '1024x1792', '1792x1024'];

const bodySchema = z.strictObject({
  prompt: z.string().min(1).max(32_000),
  model: z.enum(['sora-2', 'sora-2-pro']).default('sora-2'),
  seconds: z.enum(['4', '8', '12']).default('4'),
  size: z.enum(proSizes as [string]).default('720x1280'),
  'input_reference[image_url]': z.string().optional(),
});

type Body = z.infer<typeof bodySchema>;

export const videoModels = ['sora-2', 'sora-2-pro'] as const;
/** The whole API ended on this day: what exists can still be fetched, nothing new be made. */
export const videosShutOn = '2026-09-24';

/** USD a second. */
const rateOf = ({ model, size }: Body): number => {
  if (model === 'sora-2') return 0.1;
  return plainSizes.includes(size) ? 0.3 : 0.5;
};

const sizeOf = (size: string): { width: number; height: number } => {
  const [width = 720, height = 1280] = size.split('x').map(Number);
  return { width, height };
};

/** The picture to begin with has to have the video's size. */
const checkReference = (form: Form, { width, height }: { width: number; height: number }): Answer | undefined => {
  const reference = form.files.find(({ name }) => name === 'input_reference');
  const found = reference === undefined ? undefined : readImageSize(reference.bytes);
  return found === undefined || (found.width === width && found.height === height)
    ? undefined
    : problem(400, {
        message: 'Inpaint image must match the requested width and height',
        param: 'input_reference',
        code: 'invalid_value',
      });
};

const unix = (timeMs: number): number => Math.floor(timeMs / 1000);
const contentLifeMs = 3_600_000;

const errorOf = ({ reason }: Operation): { code: string; message: string } =>
  reason === 'internal'
    ? { code: 'internal_error', message: 'The video could not be made.' }
    : { code: 'moderation_blocked', message: 'Your request was blocked by our moderation system.' };

const statusOf = (operation: Operation, nowMs: number): string => {
  const state = stateOf(operation, nowMs);
  if (state === 'succeeded') return 'completed';
  if (state === 'failed') return 'failed';
  return progressOf(operation, nowMs) < 0.1 ? 'queued' : 'in_progress';
};

const show = (call: Call, operation: Operation): Record<string, unknown> => {
  const nowMs = call.world.clock();
  const endMs = isOver(operation, nowMs) ? endsAtMs(operation) : null;
  const status = statusOf(operation, nowMs);
  return {
    id: operation.id,
    object: 'video',
    created_at: unix(operation.submittedAtMs),
    status,
    completed_at: endMs === null ? null : unix(endMs),
    expires_at: status === 'completed' && endMs !== null ? unix(endMs + contentLifeMs) : null,
    error: status === 'failed' ? errorOf(operation) : null,
    model: operation.model,
    progress: Math.floor(progressOf(operation, nowMs) * 100),
    prompt: operation.prompt,
    remixed_from_video_id: null,
    seconds: operation.details['seconds'],
    size: operation.details['size'],
  };
};

/** However fast it will be: nothing is done in the answer to its creation. */
const begun = { status: 'queued', progress: 0, completed_at: null, expires_at: null, error: null };

const enqueue = (call: Call, body: Body): Answer => {
  const { width, height } = sizeOf(body.size);
  const seconds = Number(body.seconds);
  const operation = accept(call, {
    ...fateOf(call, body.prompt),
    id: `video_${crypto.randomUUID().replaceAll('-', '')}`,
    model: body.model,
    medium: 'video',
    prompt: body.prompt,
    priceUsd: seconds * rateOf(body),
    durationMs: 60_000,
    outputs: [
      { contentType: 'video/mp4', width, height, seconds },
      { contentType: 'image/webp', width, height },
      { contentType: 'image/jpeg', width, height },
    ],
    details: { seconds: body.seconds, size: body.size },
  });
  return jsonAnswer(200, { ...show(call, operation), ...begun });
};

export const createVideo = (call: Call): Answer => {
  const form = readForm(call);
  if (form === undefined) return multipartExpected;
  const parsed = bodySchema.safeParse(form.fields);
  if (!parsed.success) return invalidInput(parsed.error);
  const { model, size } = parsed.data;
  if (isShut(call.world, videosShutOn)) return modelRetired(model);
  if (model === 'sora-2' && !plainSizes.includes(size)) {
    return invalidValue('size', `'${size}'. Supported values are: ${plainSizes.join(', ')}.`);
  }
  return checkReference(form, sizeOf(size)) ?? enqueue(call, parsed.data);
};

export const findVideo = (call: Call): Operation | undefined => {
  const operation = findOwn(call, call.params['id'] ?? '');
  return operation?.medium === 'video' && operation.deletedAtMs === null ? operation : undefined;
};

const missing = ({ params }: Call): Answer =>
  problem(404, { message: `Video with id '${params['id'] ?? ''}' not found.`, param: 'id', code: 'not_found' });

export const showVideo = (call: Call): Answer => {
  const operation = findVideo(call);
  return operation === undefined ? missing(call) : jsonAnswer(200, show(call, operation));
};

/** Newest first unless asked otherwise: with the prompt in every item, the recovery door. */
export const listVideos = (call: Call): Answer => {
  const found = ownOperations(call).filter(({ medium, deletedAtMs }) => medium === 'video' && deletedAtMs === null);
  return pageOf(call, call.query.get('order') === 'asc' ? found : found.reverse(), (operation) =>
    show(call, operation),
  );
};

export const deleteVideo = (call: Call): Answer => {
  const operation = findVideo(call);
  if (operation === undefined) return missing(call);
  const nowMs = call.world.clock();
  if (!isOver(operation, nowMs)) return problem(400, { message: 'Only a completed or failed video can be deleted.' });
  changeOperation(call.world, operation, { deletedAtMs: nowMs });
  return jsonAnswer(200, { id: operation.id, deleted: true, object: 'video.deleted' });
};

const variants = ['video', 'thumbnail', 'spritesheet'];

const hasExpired = (call: Call, operation: Operation): boolean =>
  call.fault?.kind === 'artifact_expired' || (endsAtMs(operation) ?? Infinity) + contentLifeMs < call.world.clock();

/** Faults see it as an artifact, but unlike one it wants a key. */
export const serveVideo = (call: Call): Answer => {
  if (call.key === '' || call.key.includes('invalid')) return unauthorized(call.key || undefined);
  const operation = findVideo(call);
  if (operation === undefined) return missing(call);
  const index = variants.indexOf(call.query.get('variant') ?? 'video');
  if (index < 0) return invalidValue('variant', `Supported values are: ${variants.join(', ')}.`);
  if (stateOf(operation, call.world.clock()) !== 'succeeded') {
    return problem(400, { message: 'Video is not ready yet, use GET /v1/videos/{video_id} to check status.' });
  }
  call.touched = operation;
  if (hasExpired(call, operation)) return problem(404, { message: 'The content of this video has expired.' });
  return serveOutput(call, operation, index);
};
