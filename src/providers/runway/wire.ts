import type RunwayML from '@runwayml/sdk';
import { z } from 'zod';
import type { FailureCode } from '../../domain/failure';
import { noUsage, type GenerationInput } from '../../domain/generation';
import type { Model } from '../../domain/model';
import { scaleMoney, type Money } from '../../domain/money';
import { ProviderError, type Operation, type Outcome } from '../provider';
import { badResponse, readJson, refuseByStatus, type Refusal } from '../refusal';
import { toDataUri, withoutNulls } from '../request-values';
import { scrub } from '../scrub';
import type { Answer, Purpose } from '../transport';

export type Submission =
  { kind: 'text'; body: RunwayML.TextToVideoCreateParams } | { kind: 'image'; body: RunwayML.ImageToVideoCreateParams };

/** Runway wants pixels where we say shape and resolution. */
const ratios: Record<string, Record<string, string>> = {
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

const invalid = (message: string): ProviderError =>
  new ProviderError('caller_invalid_request', message, { accepted: 'no', scope: 'request' });

const toRatio = (model: Model, input: GenerationInput): string => {
  const shape = input.aspectRatio ?? '16:9';
  const resolution = input.resolution ?? '720p';
  const textShapes = input.image === null ? model.capabilities.aspectRatiosFromText : undefined;
  const ratio = textShapes?.includes(shape) === false ? undefined : ratios[resolution]?.[shape];
  if (ratio === undefined) throw invalid(`${model.id} makes no ${shape} in ${resolution} from this input`);
  return ratio;
};

export const toSubmission = (model: Model, input: GenerationInput): Submission => {
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
  // The SDK has one type a model; the catalogue's validation has done what they do.
  if (input.image === null) return { kind: 'text', body: common as unknown as RunwayML.TextToVideoCreateParams };
  const body = { ...common, promptImage: toDataUri(input.image) } as unknown as RunwayML.ImageToVideoCreateParams;
  return { kind: 'image', body };
};

/** @see https://docs.dev.runwayml.com/api/ and @runwayml/sdk 4.20.1, TextToVideoCreateResponse (2026-11-21) */
const acceptedSchema = z.object({ id: z.string().min(1) });

/** "Consumers should not expect updates more frequent than once every five seconds." */
const lookAgainMs = 5_000;

export const toAccepted = (body: unknown, input: GenerationInput): Outcome => {
  const parsed = acceptedSchema.safeParse(body);
  if (!parsed.success) throw badResponse('no task id');
  const operation: Operation = { id: parsed.data.id, seconds: input.durationSeconds };
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

const toSuccess = (task: Task, operation: Operation): Outcome => {
  if (!task.output || task.output.length === 0) throw badResponse('succeeded without output');
  const seconds = typeof operation['seconds'] === 'number' ? operation['seconds'] : null;
  return {
    state: 'succeeded',
    outputs: task.output.map((url) => ({ kind: 'url', url, contentType: null })),
    usage: { ...noUsage, seconds },
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

/** @see https://docs.dev.runwayml.com/errors/errors/ (2026-11-21) */
const errorSchema = z.object({ error: z.string() });

export const readRefusal = (answer: Answer, purpose: Purpose): Refusal => {
  const message = errorSchema.safeParse(readJson(answer.text)).data?.error ?? null;
  const refusal = refuseByStatus(answer, purpose, { message, notAccepted: [502, 503] });
  if (answer.status === 502) return { ...refusal, code: 'provider_overloaded' }; // documented load shedding
  if (answer.status === 400 && /credit/i.test(message ?? ''))
    return { ...refusal, code: 'provider_insufficient_funds', scope: 'credential' };
  return refusal;
};
