import type { Interactions } from '@google/genai';
import { z } from 'zod';
import { noUsage } from '../../domain/generation';
import type { Model } from '../../domain/model';
import type { Call, Media, Operation, Outcome, Output, ReadyInput } from '../provider';
import { badResponse } from '../refusal';
import { toBase64, withoutNulls } from '../request-values';
import { scrub } from '../scrub';
import { toFile } from './files';
import { invalid, isBlockingCode, soundsRejected } from './problems';

type InteractionRequest = Interactions.CreateModelInteractionParamsNonStreaming;

const toContent = (media: Media) => ({ type: 'image', data: toBase64(media), mime_type: media.contentType }) as const;

const toInput = ({ image, referenceImages, prompt }: ReadyInput): NonNullable<InteractionRequest['input']> => {
  const media = [...(image === null ? [] : [image]), ...referenceImages].map(toContent);
  return [...media, ...(prompt === null || prompt === '' ? [] : [{ type: 'text', text: prompt } as const])];
};

const toTask = (model: Model, { image, referenceImages }: ReadyInput) => {
  if (image !== null && referenceImages.length > 0)
    throw invalid(`${model.id} takes a first frame or reference images, not both`);
  if (image !== null) return 'image_to_video';
  return referenceImages.length > 0 ? 'reference_to_video' : 'text_to_video';
};

/** "Label values can be no longer than 63 characters and can only contain lowercase letters, digits, _ and -." */
const toLabel = (trace: string): string =>
  trace
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]/g, '-')
    .slice(0, 63);

export const toInteraction = (model: Model, input: ReadyInput, { trace, webhookUrl }: Call): InteractionRequest => ({
  model: model.providerModel,
  input: toInput(input),
  background: true,
  // What runs in the background can only be asked for where it is kept.
  store: true,
  response_format: withoutNulls({
    type: 'video' as const,
    // Inline it ends at 4 MB.
    delivery: 'uri' as const,
    aspect_ratio: input.aspectRatio,
    resolution: input.resolution,
    duration: input.durationSeconds === null ? null : `${input.durationSeconds}s`,
  }),
  generation_config: { video_config: { task: toTask(model, input) } },
  labels: { trace: toLabel(trace) },
  ...(webhookUrl !== undefined && { webhook_config: { uris: [webhookUrl], user_metadata: { trace } } }),
});

const problemSchema = z.object({ code: z.union([z.string(), z.number()]).nullish(), message: z.string().nullish() });

/** @see https://ai.google.dev/api/interactions-api and @google/genai 2.32.0, Interaction (2026-11-21) */
const interactionSchema = z.object({
  id: z.string().min(1),
  status: z.enum([
    'queued',
    'in_progress',
    'completed',
    'failed',
    'cancelled',
    'incomplete',
    'requires_action',
    'requires_continuation',
    'budget_exceeded',
  ]),
  steps: z
    .array(
      z.object({
        type: z.string(),
        content: z
          .array(
            z.object({
              type: z.string(),
              uri: z.url().nullish(),
              data: z.base64().nullish(),
              mime_type: z.string().nullish(),
            }),
          )
          .nullish(),
      }),
    )
    .nullish(),
  error: problemSchema.nullish(),
  errors: z.array(problemSchema).nullish(),
  usage: z
    .object({
      total_input_tokens: z.number().nullish(),
      total_output_tokens: z.number().nullish(),
      output_tokens_by_modality: z.array(z.object({ modality: z.string(), tokens: z.number() })).nullish(),
    })
    .nullish(),
});

type Interaction = z.infer<typeof interactionSchema>;

const parse = (body: unknown): Interaction => {
  const parsed = interactionSchema.safeParse(body);
  if (!parsed.success) throw badResponse('not an interaction');
  return parsed.data;
};

const toOutputs = ({ steps }: Interaction, call: Call): Output[] =>
  (steps ?? [])
    .filter(({ type }) => type === 'model_output')
    .flatMap(({ content }) => content ?? [])
    .filter(({ type }) => type === 'video')
    .flatMap(({ uri, data, mime_type: contentType }): Output[] => {
      if (uri) return [toFile(uri, call)];
      return data
        ? [{ kind: 'bytes', bytes: Buffer.from(data, 'base64'), contentType: contentType ?? 'video/mp4' }]
        : [];
    });

const madeVideo = ({ usage }: Interaction): boolean =>
  usage?.output_tokens_by_modality?.some(({ modality, tokens }) => /^video$/i.test(modality) && tokens > 0) === true;

const toEnd = (interaction: Interaction, operation: Operation, call: Call): Outcome => {
  const outputs = toOutputs(interaction, call);
  if (outputs.length > 0) {
    const seconds = typeof operation['seconds'] === 'number' ? operation['seconds'] : null;
    const { total_input_tokens: inputTokens = null, total_output_tokens: outputTokens = null } =
      interaction.usage ?? {};
    return { state: 'succeeded', outputs, usage: { ...noUsage, seconds, inputTokens, outputTokens }, warnings: [] };
  }
  if (madeVideo(interaction)) throw badResponse('a video was made but is not in the answer');
  // Seen of the live API: the model declines in words, and calls it completed.
  return { state: 'failed', code: 'provider_content_rejected', message: 'the model answered without a video' };
};

const toFailure = ({ status, error, errors }: Interaction): Outcome => {
  const { code, message } = errors?.[0] ?? error ?? {};
  const told = [typeof code === 'string' ? code : null, message].filter(Boolean).join(': ');
  const isRejection = (typeof code === 'string' && isBlockingCode(code)) || soundsRejected(message ?? '');
  return {
    state: 'failed',
    code: isRejection ? 'provider_content_rejected' : 'provider_failed',
    message: scrub(told === '' ? `the interaction ended as ${status}` : told),
  };
};

export const toInteractionOutcome = (body: unknown, operation: Operation, call: Call): Outcome => {
  const interaction = parse(body);
  switch (interaction.status) {
    case 'queued':
    case 'in_progress':
      return { state: 'pending', operation };
    case 'completed':
      return toEnd(interaction, operation, call);
    case 'cancelled':
      return { state: 'canceled' };
    default:
      return toFailure(interaction);
  }
};

/** The answer to the submit: usually still queued, whatever it is. */
export const toInteractionAccepted = (body: unknown, input: ReadyInput, call: Call): Outcome =>
  toInteractionOutcome(body, { id: parse(body).id, seconds: input.durationSeconds }, call);

export const toCancellation = (body: unknown): 'confirmed' | 'requested' | 'too_late' => {
  const { status } = parse(body);
  if (status === 'cancelled') return 'confirmed';
  return status === 'queued' || status === 'in_progress' ? 'requested' : 'too_late';
};
