import { jsonAnswer, type Answer } from '../answer';
import { queuePosition } from '../lanes';
import type { Call } from '../provider';
import { accept, fateOf, type Fate } from '../submit';
import type { Draft } from '../world';
import { linksOf } from './addresses';
import { pictureModels } from './pictures';
import type { FalModels, FalPlan } from './plan';
import { contentRefused, invalidInput, platformProblem } from './problems';
import { lifetimeOf, sizeReader } from './storage';
import { veoModels } from './veo';

const models: FalModels = { ...pictureModels, ...veoModels };

/** The safety checker of an image model blacks the picture and calls it a success. */
const withBlackImages = (plan: FalPlan, fate: Fate): Pick<Draft, 'outputs' | 'ending' | 'reason'> =>
  plan.medium === 'image' && fate.reason === 'filtered'
    ? { ...fate, ending: 'succeeded', outputs: plan.outputs.map((shape) => ({ ...shape, black: true })) }
    : { ...fate, outputs: plan.outputs };

const longestEcho = 2_000;

/** fal's request list shows the input; a data URI of megabytes is not worth remembering. */
const echoOf = (value: unknown): unknown => {
  if (typeof value === 'string') return value.length > longestEcho ? `${value.slice(0, longestEcho)}…` : value;
  if (Array.isArray(value)) return value.map(echoOf);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, echoOf(part)]));
};

type Wishes = {
  webhook: string | null;
  priority: string;
  /** fal starts a request anew after 503, 504 and lost connections, unless told not to. */
  noRetry: boolean;
  /** Until a runner has begun; null = however long it takes. */
  startTimeoutSeconds: number | null;
  lifetimeSeconds: number | null;
};

const headerOf = ({ headers }: Call, name: string): string | undefined => {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
};

/** @see https://docs.fal.ai/documentation/model-apis/common-parameters (read 2026-11-21) */
const readWishes = (call: Call): Wishes | Answer => {
  const priority = headerOf(call, 'x-fal-queue-priority') ?? 'normal';
  if (priority !== 'normal' && priority !== 'low') return platformProblem(400, 'Invalid X-Fal-Queue-Priority header');
  const timeout = headerOf(call, 'x-fal-request-timeout');
  const startTimeoutSeconds = timeout === undefined ? null : Number(timeout);
  if (startTimeoutSeconds !== null && !(startTimeoutSeconds > 0.1)) {
    return platformProblem(400, 'Invalid X-Fal-Request-Timeout header');
  }
  return {
    webhook: call.query.get('fal_webhook'),
    priority,
    noRetry: ['1', 'true', 'yes'].includes(headerOf(call, 'x-fal-no-retry')?.toLowerCase() ?? ''),
    startTimeoutSeconds,
    lifetimeSeconds: lifetimeOf(call.headers['x-fal-object-lifecycle-preference']),
  };
};

const enqueue = (call: Call, draft: Draft): Answer => {
  const operation = accept(call, draft, 'all');
  const answer = { status: 'IN_QUEUE', queue_position: queuePosition(call.world, operation), request_id: operation.id };
  return jsonAnswer(200, { ...answer, ...linksOf(call, operation) });
};

export const submit = (call: Call): Answer => {
  const endpoint = call.params['endpoint'] ?? '';
  const model = models[endpoint];
  if (model === undefined) return platformProblem(404, `Application "${endpoint.split('/')[1] ?? endpoint}" not found`);
  const wishes = readWishes(call);
  if ('status' in wishes) return wishes;
  const parsed = model.schema.safeParse(call.body);
  if (!parsed.success) return invalidInput(parsed.error, call.body);
  const plan = model.plan(parsed.data, sizeReader(call));
  const prompt = String(parsed.data['prompt']);
  const fate = fateOf(call, prompt);
  if (fate.reason === 'content') return contentRefused(prompt);
  return enqueue(call, {
    ...withBlackImages(plan, fate),
    model: endpoint,
    medium: plan.medium,
    prompt,
    priceUsd: plan.priceUsd,
    durationMs: plan.latencyMs,
    webhookUrls: wishes.webhook === null ? [] : [wishes.webhook],
    details: {
      ...wishes,
      input: echoOf(call.body),
      seed: plan.seed,
      syncMode: parsed.data['sync_mode'] === true,
    },
  });
};
