import { emptyAnswer, jsonAnswer, type Answer } from '../answer';
import { artifactUrl } from '../artifacts';
import { withdraw } from '../lanes';
import { isOver, progressOf, stateOf, type Medium, type Operation } from '../operations';
import type { Call } from '../provider';
import { findOwn } from '../submit';
import { changeOperation } from '../world';
import { creditsCharged, creditUsd } from './organization';
import { missing } from './problems';

const outputNames: Record<Medium, string> = { video: 'VIDEO', image: 'IMAGE', speech: 'AUDIO', text: 'TEXT' };

const failureOf = ({ reason, medium }: Operation): { failure: string; failureCode: string } => {
  if (reason === 'content') {
    return { failure: 'Your prompt was flagged by content moderation.', failureCode: 'SAFETY.INPUT.TEXT' };
  }
  return reason === 'filtered'
    ? {
        failure: 'The generated output was flagged by content moderation.',
        failureCode: `SAFETY.OUTPUT.${outputNames[medium]}`,
      }
    : { failure: 'An unexpected error occurred.', failureCode: 'INTERNAL.BAD_OUTPUT.CODE01' };
};

/** 24 to 48 hours in real life; looking again signs anew. */
const urlLifeMs = 86_400_000;

const show = (call: Call, operation: Operation): Record<string, unknown> => {
  const nowMs = call.world.clock();
  const state = stateOf(operation, nowMs);
  const estimatedCost = { credits: Math.round(operation.priceUsd / creditUsd) };
  if (state === 'waiting') return { status: 'THROTTLED', estimatedCost };
  const progress = progressOf(operation, nowMs);
  if (state === 'running') {
    return progress < 0.1 ? { status: 'PENDING', estimatedCost } : { status: 'RUNNING', estimatedCost, progress };
  }
  const cost = { credits: creditsCharged(call, operation) };
  if (state === 'canceled') return { status: 'CANCELLED', cost };
  if (state === 'failed') return { status: 'FAILED', cost, ...failureOf(operation) };
  const output = operation.outputs.map((_, index) =>
    artifactUrl(call, operation, { index, expiresAtMs: nowMs + urlLifeMs }),
  );
  return { status: 'SUCCEEDED', cost, output };
};

export const findTask = (call: Call): Operation | undefined => findOwn(call, call.params['id'] ?? '');

const pollEveryMs = 5_000;

/** Runway asks for at most one look in five seconds; a faster client is noted, not refused. */
const notePace = (call: Call, operation: Operation): void => {
  const nowMs = call.world.clock();
  const lastMs = Number(operation.details['polledAtMs'] ?? 0);
  if (nowMs - lastMs < pollEveryMs) call.notes.push('polled within 5 s of the last look');
  operation.details['polledAtMs'] = nowMs;
};

export const pollTask = (call: Call): Answer => {
  const operation = findTask(call);
  if (operation === undefined || operation.deletedAtMs !== null) return missing;
  notePace(call, operation);
  const createdAt = new Date(operation.submittedAtMs).toISOString();
  return jsonAnswer(200, { id: operation.id, createdAt, ...show(call, operation) });
};

/** Cancels what is active; deletes the output of what is finished. Neither can be fetched afterwards. */
export const removeTask = (call: Call): Answer => {
  const operation = findTask(call);
  if (operation === undefined || operation.deletedAtMs !== null) return missing;
  const nowMs = call.world.clock();
  const isActive = !isOver(operation, nowMs);
  if (isActive) withdraw(call.world, operation);
  changeOperation(call.world, operation, { deletedAtMs: nowMs, ...(isActive ? { canceledAtMs: nowMs } : {}) });
  return emptyAnswer(204);
};
