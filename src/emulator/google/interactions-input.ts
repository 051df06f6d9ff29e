import { z } from 'zod';
import type { Answer } from '../answer';
import { jsonOf } from './message';
import { interactionProblem } from './problems';

const ignored = z.unknown().optional();

const media = { data: z.base64().optional(), uri: z.string().optional(), resolution: ignored };

/** @see https://ai.google.dev/api/interactions-api, read from the types of @google/genai 2.32.0 */
const contentSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text'), text: z.string(), annotations: ignored }),
  z.strictObject({ type: z.literal('image'), mime_type: z.string().optional(), ...media }),
  z.strictObject({ type: z.literal('audio'), mime_type: z.string().optional(), ...media }),
  z.strictObject({ type: z.literal('document'), mime_type: z.string().optional(), ...media }),
  z.strictObject({
    type: z.literal('video'),
    mime_type: z.string().optional(),
    name: z.string().optional(),
    processing: ignored,
    ...media,
  }),
]);

const stepSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('user_input'), content: z.array(contentSchema).optional() }),
  z.looseObject({ type: z.literal('model_output'), content: z.array(contentSchema).optional() }),
  z.looseObject({ type: z.literal('thought') }),
]);

type Content = z.infer<typeof contentSchema>;

const contents: z.ZodType<Content[]> = z.array(contentSchema).min(1);

/** A string, a block, blocks, or the steps of a conversation: all of them blocks of the user in the end. */
const inputSchema = z.unknown().transform((given, context): Content[] => {
  if (typeof given === 'string') return [{ type: 'text', text: given }];
  const items: unknown[] = Array.isArray(given) ? (given as unknown[]) : [given];
  const isSteps = items.some((item) => ['user_input', 'model_output', 'thought'].includes(typeOf(item)));
  const parsed = isSteps ? z.array(stepSchema).min(1).safeParse(items) : contents.safeParse(items);
  if (!parsed.success) {
    context.issues.push(...(parsed.error.issues as typeof context.issues));
    return z.NEVER;
  }
  return parsed.data.flatMap((item) =>
    item.type === 'user_input'
      ? (item.content ?? [])
      : item.type === 'model_output' || item.type === 'thought'
        ? []
        : [item],
  );
});

const typeOf = (item: unknown): string => String((Object(item) as Record<string, unknown>)['type']);

const durationSchema = z
  .string()
  .regex(/^\d+(\.\d+)?s$/, 'must be a number of seconds that ends in "s"')
  .refine((text) => parseFloat(text) >= 3 && parseFloat(text) <= 10, 'must be between 3s and 10s');

const videoFormat = z.strictObject({
  type: z.literal('video'),
  aspect_ratio: z.enum(['16:9', '9:16']).default('16:9'),
  resolution: z.enum(['360p', '720p', '1080p', '4k']).default('720p'),
  duration: durationSchema.default('10s'),
  delivery: z.enum(['inline', 'uri']).default('inline'),
});

const tasks = ['text_to_video', 'image_to_video', 'reference_to_video', 'edit', 'extend', 'upscale'] as const;

const generationConfig = z.strictObject({
  video_config: z.strictObject({ task: z.enum(tasks).optional() }).optional(),
  max_output_tokens: z.int().optional(),
  seed: z.int().optional(),
  stop_sequences: z.array(z.string()).optional(),
  temperature: z.number().optional(),
  top_p: z.number().optional(),
  thinking_level: z.string().optional(),
  thinking_summaries: ignored,
  tool_choice: ignored,
  image_config: ignored,
  speech_config: ignored,
  transcription_config: ignored,
});

/** Lower case letters of any alphabet, digits, dashes; a key starts with a letter. */
const labelKey = z.string().regex(/^\p{L}[\p{L}\p{N}_-]{0,62}$/u, 'is not a label key');
const labelValue = z.string().regex(/^[\p{L}\p{N}_-]{0,63}$/u, 'is not a label value');
const lowerCase = (text: string): boolean => text === text.toLowerCase();

const bodySchema = z.strictObject({
  model: z.string(),
  input: inputSchema,
  background: z.boolean().default(false),
  store: z.boolean().default(true),
  stream: z.boolean().default(false),
  response_format: z.union([videoFormat, z.array(videoFormat).length(1)]).optional(),
  response_modalities: z.array(z.string()).optional(),
  response_mime_type: z.string().optional(),
  generation_config: generationConfig.optional(),
  previous_interaction_id: z.string().optional(),
  system_instruction: z.string().optional(),
  safety_settings: ignored,
  service_tier: z.string().optional(),
  tools: ignored,
  environment: ignored,
  cached_content: ignored,
  continuation_token: ignored,
  labels: z.record(labelKey.refine(lowerCase), labelValue.refine(lowerCase)).optional(),
  webhook_config: z
    .strictObject({
      uris: z.array(z.url()).optional(),
      user_metadata: z.record(z.string(), z.unknown()).optional(),
    })
    .optional(),
});

type Body = z.infer<typeof bodySchema>;

export type VideoFormat = z.infer<typeof videoFormat>;

export type InteractionRequest = Body & { video: VideoFormat; prompt: string };

const pathOf = (path: PropertyKey[]): string =>
  path
    .map((part, index) => (typeof part === 'number' ? `[${part}]` : `${index === 0 ? '' : '.'}${String(part)}`))
    .join('');

/** The first thing that is wrong; in a union, what is wrong with the branch that was meant. */
const firstIssue = (
  issues: z.core.$ZodIssue[],
  path: PropertyKey[] = [],
): { issue: z.core.$ZodIssue; path: PropertyKey[] } | undefined => {
  const issue = issues[0];
  if (issue === undefined) return undefined;
  const here = [...path, ...issue.path];
  if (issue.code === 'invalid_union') {
    const branch =
      issue.errors.find((errors) => errors.every(({ code }) => code !== 'invalid_type')) ?? issue.errors[0];
    return firstIssue(branch ?? [], here) ?? { issue, path: here };
  }
  return { issue, path: here };
};

const refuse = (error: z.ZodError): Answer => {
  const first = firstIssue(error.issues);
  if (first === undefined) return interactionProblem(400, 'invalid_request', 'Request contains an invalid argument.');
  const { issue, path } = first;
  if (issue.code === 'unrecognized_keys') {
    const name = pathOf([...path, issue.keys[0] ?? '']);
    return interactionProblem(400, 'parameter_unknown', `Unknown parameter '${name}'.`);
  }
  return interactionProblem(400, 'invalid_request', `Invalid value at '${pathOf(path)}': ${issue.message}`);
};

const checkTask = ({ input, generation_config, previous_interaction_id }: Body): string | undefined => {
  const task = generation_config?.video_config?.task;
  const kinds = input.map(({ type }) => type as string);
  const hasVideo = kinds.includes('video') || previous_interaction_id !== undefined;
  if (task === 'image_to_video' && !kinds.includes('image')) return 'Task image_to_video needs an image.';
  return ['edit', 'extend', 'upscale'].includes(task ?? '') && !hasVideo ? `Task ${task} needs a video.` : undefined;
};

const checkTogether = (body: Body): string | undefined => {
  if (body.background && !body.store) return 'Background interactions need store to be true.';
  if (body.input.length === 0) return 'The input must not be empty.';
  const bare = body.input.find((item) => item.type !== 'text' && item.data === undefined && item.uri === undefined);
  return bare === undefined ? checkTask(body) : `Content of type ${bare.type} needs data or a uri.`;
};

const promptOf = (input: Content[]): string =>
  input
    .map((item) => (item.type === 'text' ? item.text : ''))
    .join(' ')
    .trim();

/** Leniently, for faults are matched before anything is validated. */
export const describeInput = (given: unknown): string => {
  const { input } = Object(jsonOf(given)) as Record<string, unknown>;
  const parsed = inputSchema.safeParse(input);
  return parsed.success ? promptOf(parsed.data) : '';
};

export const readInteraction = (given: unknown): InteractionRequest | Answer => {
  const parsed = bodySchema.safeParse(jsonOf(given));
  if (!parsed.success) return refuse(parsed.error);
  const body = parsed.data;
  const wrong = checkTogether(body);
  if (wrong !== undefined) return interactionProblem(400, 'invalid_request', wrong);
  const video = [body.response_format].flat()[0] ?? videoFormat.parse({ type: 'video' });
  return { ...body, video, prompt: promptOf(body.input) };
};
