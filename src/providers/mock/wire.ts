import { z } from 'zod';
import type { FailureCode } from '../../domain/failure';
import { noUsage } from '../../domain/generation';
import type { Model } from '../../domain/model';
import type { Found, Media, Operation, Outcome, Output, ReadyInput } from '../provider';
import { badResponse, readJson, refuseByStatus, type Refusal } from '../refusal';
import { toDataUri, withoutNulls } from '../request-values';
import { scrub } from '../scrub';
import type { Answer, Purpose } from '../transport';

/** The mock provider's documentation is this folder and the emulator's mock; agreed on 2026-11-21. */

/** Mock wants words, also where others make do with an image. */
const toPrompt = ({ prompt, messages }: ReadyInput): string => prompt || messages.at(-1)?.content || 'without words';

const toDataUriOrNull = (media: Media | null): string | null => media && toDataUri(media);

const toSides = ({ size }: ReadyInput) => {
  const [width = null, height = null] = (size?.split('x') ?? []).map(Number);
  return { width, height };
};

/** `POST /v1/operations`. The trace is what `GET /v1/operations?trace=` finds it by. */
export const toSubmission = (model: Model, input: ReadyInput, trace: string) => ({
  model: model.providerModel,
  prompt: toPrompt(input),
  trace,
  input: withoutNulls({
    task: input.task,
    negativePrompt: input.negativePrompt,
    image: toDataUriOrNull(input.image),
    lastFrame: toDataUriOrNull(input.lastFrame),
    referenceImages: input.referenceImages.length === 0 ? null : input.referenceImages.map(toDataUri),
    video: toDataUriOrNull(input.video),
    durationSeconds: input.durationSeconds,
    aspectRatio: input.aspectRatio,
    resolution: input.resolution,
    ...toSides(input),
    quality: input.quality,
    count: input.count,
    audio: input.audio,
    seed: input.seed,
    voice: input.voice,
    voiceSettings: input.voiceSettings === null ? null : withoutNulls(input.voiceSettings),
    format: input.format,
    system: input.system,
    messages: input.messages.length === 0 ? null : input.messages,
    schema: input.schema,
    maxTokens: input.maxTokens,
    temperature: input.temperature,
  }),
});

const outputSchema = z.union([
  z.object({ url: z.url(), contentType: z.string().nullish() }),
  z.object({ text: z.string() }),
]);

const count = z.number().nullable().default(null);

const operationSchema = z.object({
  id: z.string().min(1),
  status: z.enum(['running', 'succeeded', 'failed', 'canceled']),
  progress: z.number().min(0).max(100).nullish(),
  outputs: z.array(outputSchema).nullish(),
  error: z.object({ code: z.string().nullish(), message: z.string().nullish() }).nullish(),
  usage: z
    .object({ inputTokens: count, outputTokens: count, characters: count, seconds: count, images: count })
    .nullish(),
});

const listSchema = z.object({ data: z.array(z.object({ id: z.string().min(1) })) });

const cancelSchema = z.object({ status: z.string() });

const errorSchema = z.object({ error: z.object({ code: z.string(), message: z.string().nullish() }) });

const toOutput = (output: z.infer<typeof outputSchema>): Output =>
  'text' in output
    ? { kind: 'text', text: output.text }
    : { kind: 'url', url: output.url, contentType: output.contentType ?? null };

const failureCodes: Record<string, FailureCode> = {
  content_rejected: 'provider_content_rejected',
  invalid: 'caller_invalid_request',
};

type Work = z.infer<typeof operationSchema>;

const toSuccess = ({ id, outputs, usage }: Work): Outcome => {
  if (!outputs || outputs.length === 0) throw badResponse('succeeded without outputs');
  const told = { outputs: outputs.map(toOutput), usage: usage ?? noUsage, warnings: [] };
  return { state: 'succeeded', ...told, operation: { id } };
};

const toFailure = ({ error }: Work): Outcome => ({
  state: 'failed',
  code: failureCodes[error?.code ?? ''] ?? 'provider_failed',
  message: scrub(error?.message ?? 'the provider gave no reason'),
});

/** The answer of a submit and of a look are the same. */
export const toOutcome = (body: unknown): Outcome => {
  const parsed = operationSchema.safeParse(body);
  if (!parsed.success) throw badResponse('not an operation');
  const work = parsed.data;
  switch (work.status) {
    case 'running':
      return { state: 'pending', operation: { id: work.id }, progress: work.progress ?? 0 };
    case 'succeeded':
      return toSuccess(work);
    case 'failed':
      return toFailure(work);
    case 'canceled':
      return { state: 'canceled' };
  }
};

/** The listing is complete and immediate, so nothing in it means nothing was accepted. */
export const toFound = (body: unknown): Operation | 'absent' => {
  const parsed = listSchema.safeParse(body);
  if (!parsed.success) throw badResponse('not a list of operations');
  const [operation] = parsed.data.data;
  return operation === undefined ? 'absent' : { id: operation.id };
};

const markedSchema = z.object({ data: z.array(z.object({ id: z.string().min(1), trace: z.string().nullish() })) });

/** `GET /v1/operations?since=` lists all work of the key, whatever its model. */
export const toAllFound = (body: unknown, traces: readonly string[]): Found[] => {
  const parsed = markedSchema.safeParse(body);
  if (!parsed.success) throw badResponse('not a list of operations');
  return parsed.data.data.flatMap(({ id, trace }) =>
    trace && traces.includes(trace) ? [{ trace, operation: { id } }] : [],
  );
};

export const toCancellation = (body: unknown): 'confirmed' | 'requested' | 'too_late' => {
  const parsed = cancelSchema.safeParse(body);
  if (!parsed.success) throw badResponse('not the answer of a cancel');
  if (parsed.data.status === 'canceled') return 'confirmed';
  return parsed.data.status === 'running' ? 'requested' : 'too_late';
};

export const readRefusal = (answer: Answer, purpose: Purpose): Refusal => {
  const error = errorSchema.safeParse(readJson(answer.text)).data?.error;
  const refusal = refuseByStatus(answer, purpose, { message: error?.message ?? null, notAccepted: [503] });
  return error?.code === 'content_rejected' ? { ...refusal, code: 'provider_content_rejected' } : refusal;
};
