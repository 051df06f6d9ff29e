import type { z } from 'zod';
import { emptyAnswer, jsonAnswer, textAnswer, type Answer } from './answer';
import { artifactUrl } from './artifacts';
import { withdraw } from './lanes';
import { chargeUsd, isOver, progressOf, stateOf, type Operation } from './operations';
import type { Call, EmulatedProvider, Route } from './provider';
import { creditsOf, runwayBodies, runwayModels, type RunwayBody } from './runway-models';
import { accept, fateOf, findOwn, ownOperations, type Fate } from './submit';
import { changeOperation } from './world';

const creditUsd = 0.01;
const apiVersion = '2024-11-06';
const dayMs = 86_400_000;

const problem = (status: number, error: string, more: Record<string, unknown> = {}): Answer =>
  jsonAnswer(status, { error, ...more });

const checkVersion = ({ headers }: Call): Answer | undefined => {
  const version = headers['x-runway-version'];
  if (version === apiVersion) return undefined;
  return problem(
    400,
    version === undefined
      ? 'The X-Runway-Version header is required.'
      : `The API version ${String(version)} is not supported.`,
  );
};

/** Every route but the artifacts needs the version header. */
const versioned =
  (handle: (call: Call) => Answer) =>
  (call: Call): Answer =>
    checkVersion(call) ?? handle(call);

const invalidBody = (error: z.ZodError): Answer => {
  const issues = error.issues.map(({ code, message, path }) => ({ code, message, path }));
  const docUrl = 'https://docs.dev.runwayml.com/api';
  const first = issues[0];
  return problem(400, `Validation of body failed: ${first?.path.join('.') ?? ''} ${first?.message ?? ''}`, {
    issues,
    docUrl,
  });
};

/** Refused content is a failed task here, not a refused request; it ends early and is charged. */
const fates = (fate: Fate): Fate & { chargedOnFailure: boolean; durationMs: number } => ({
  ...fate,
  chargedOnFailure: fate.reason === 'content' || fate.reason === 'filtered',
  durationMs: fate.reason === 'content' ? 3_000 : 40_000,
});

const submit =
  (kind: keyof typeof runwayBodies) =>
  (call: Call): Answer => {
    const parsed = runwayBodies[kind].safeParse(call.body);
    if (!parsed.success) return invalidBody(parsed.error);
    const body: RunwayBody = parsed.data;
    const prompt = body.promptText ?? '';
    const credits = creditsOf(body);
    const [width = 1280, height = 720] = body.ratio.split(':').map(Number);
    const operation = accept(
      call,
      {
        ...fates(fateOf(call, prompt)),
        model: body.model,
        medium: 'video',
        prompt,
        priceUsd: credits * creditUsd,
        outputs: [{ contentType: 'video/mp4', width, height, seconds: body.duration ?? 5 }],
      },
      body.model,
    );
    return jsonAnswer(200, { id: operation.id, estimatedCost: { credits } });
  };

const failures = {
  content: ['Your prompt was flagged by content moderation.', 'SAFETY.INPUT.TEXT'],
  filtered: ['The generated output was flagged by content moderation.', 'SAFETY.OUTPUT.VIDEO'],
  internal: ['An unexpected error occurred.', 'INTERNAL.BAD_OUTPUT.CODE01'],
} as const;

const creditsCharged = (call: Call, operation: Operation): { credits: number } => ({
  credits: Math.round(chargeUsd(operation, call.world.clock()) / creditUsd),
});

const urlLifeMs = 24 * 60 * 60 * 1000;

const show = (call: Call, operation: Operation): Record<string, unknown> => {
  const nowMs = call.world.clock();
  const state = stateOf(operation, nowMs);
  const estimatedCost = { credits: Math.round(operation.priceUsd / creditUsd) };
  if (state === 'waiting') return { status: 'THROTTLED', estimatedCost };
  const progress = progressOf(operation, nowMs);
  if (state === 'running') {
    return progress < 0.1 ? { status: 'PENDING', estimatedCost } : { status: 'RUNNING', estimatedCost, progress };
  }
  const cost = creditsCharged(call, operation);
  if (state === 'canceled') return { status: 'CANCELLED', cost };
  if (state === 'succeeded') {
    const output = [artifactUrl(call, operation, { index: 0, expiresAtMs: nowMs + urlLifeMs })];
    return { status: 'SUCCEEDED', cost, output };
  }
  const [failure, failureCode] = failures[operation.reason ?? 'internal'];
  return { status: 'FAILED', cost, failure, failureCode };
};

const find = (call: Call): Operation | undefined => findOwn(call, call.params['id'] ?? '');

const missing = problem(404, 'Not found');
const pollEveryMs = 5_000;

/** Runway asks for at most one look in five seconds; a faster client is noted, not refused. */
const notePace = (call: Call, operation: Operation): void => {
  const nowMs = call.world.clock();
  const lastMs = Number(operation.details['polledAtMs'] ?? 0);
  if (nowMs - lastMs < pollEveryMs) call.notes.push('polled within 5 s of the last look');
  operation.details['polledAtMs'] = nowMs;
};

const poll = (call: Call): Answer => {
  const operation = find(call);
  if (operation === undefined || operation.deletedAtMs !== null) return missing;
  notePace(call, operation);
  const createdAt = new Date(operation.submittedAtMs).toISOString();
  return jsonAnswer(200, { id: operation.id, createdAt, ...show(call, operation) });
};

/** Cancels what is active; deletes the output of what is finished. Neither can be fetched afterwards. */
const remove = (call: Call): Answer => {
  const operation = find(call);
  if (operation === undefined || operation.deletedAtMs !== null) return missing;
  const nowMs = call.world.clock();
  const isActive = !isOver(operation, nowMs);
  if (isActive) withdraw(call.world, operation);
  changeOperation(call.world, operation, { deletedAtMs: nowMs, ...(isActive ? { canceledAtMs: nowMs } : {}) });
  return emptyAnswer(204);
};

const showOrganization = (call: Call): Answer => {
  const nowMs = call.world.clock();
  const own = ownOperations(call);
  const spent = own.reduce((sum, operation) => sum + creditsCharged(call, operation).credits, 0);
  const limits = call.world.settings.limits['runway'];
  const perModel = (value: (model: string) => unknown): Record<string, unknown> =>
    Object.fromEntries(runwayModels.map((model) => [model, value(model)]));
  const dailyGenerations = (model: string): number =>
    own.filter((operation) => operation.model === model && operation.submittedAtMs > nowMs - dayMs).length;
  return jsonAnswer(200, {
    creditBalance: 1_000_000 - spent,
    tier: {
      maxMonthlyCreditSpend: 100_000,
      models: perModel(() => ({
        maxConcurrentGenerations: limits?.concurrent ?? null,
        maxDailyGenerations: limits?.requestsPerDay ?? null,
      })),
    },
    usage: { models: perModel((model) => ({ dailyGenerations: dailyGenerations(model) })) },
  });
};

const describeSubmit: Route['describe'] = ({ body }) => {
  const { model, promptText } = Object(body) as Record<string, unknown>;
  return { model: String(model), prompt: typeof promptText === 'string' ? promptText : '' };
};

const describeTask: Route['describe'] = (call) => ({ operation: find(call) });

export const runway: EmulatedProvider = {
  id: 'runway',
  prefix: '/runway',
  overLimit: 'queue',
  readKey: ({ authorization }) => /^Bearer (.+)$/.exec(authorization ?? '')?.[1],
  routes: [
    {
      method: 'post',
      path: '/v1/text_to_video',
      kind: 'submit',
      describe: describeSubmit,
      handle: versioned(submit('text_to_video')),
    },
    {
      method: 'post',
      path: '/v1/image_to_video',
      kind: 'submit',
      describe: describeSubmit,
      handle: versioned(submit('image_to_video')),
    },
    { method: 'get', path: '/v1/tasks/:id', kind: 'poll', describe: describeTask, handle: versioned(poll) },
    { method: 'delete', path: '/v1/tasks/:id', kind: 'cancel', describe: describeTask, handle: versioned(remove) },
    { method: 'get', path: '/v1/organization', kind: 'other', handle: versioned(showOrganization) },
  ],
  unauthorized: () => problem(401, 'The API key is missing or not valid.'),
  exhausted: () => problem(400, 'You do not have enough credits to run this task.'),
  fail: ({ status, retryAfterSeconds, scope }) => {
    const headers: Record<string, string> =
      retryAfterSeconds === undefined || scope !== undefined
        ? {}
        : { 'retry-after': String(Math.ceil(retryAfterSeconds)) };
    const text = status === 429 ? 'You have reached the daily generation limit for this model.' : `Emulated ${status}.`;
    return jsonAnswer(status, { error: text }, headers);
  },
  notFound: () => missing,
  malformed: (reason) => problem(400, `The body is not valid JSON: ${reason}`),
  artifactExpired: () =>
    textAnswer(
      403,
      '<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>Access denied</Message></Error>',
      {
        'content-type': 'application/xml',
      },
    ),
};
