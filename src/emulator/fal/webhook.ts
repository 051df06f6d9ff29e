import { createHash, sign } from 'node:crypto';
import { jsonAnswer, wholeBody, type Answer } from '../answer';
import { stateOf, type Operation } from '../operations';
import type { Announcer, Call, Message } from '../provider';
import { publicKeySet, type SigningKeys } from '../signing-keys';
import { doublingDelays } from '../webhooks';
import type { World } from '../world';
import { failLateStart, resultOf } from './requests';

/** The documents promise ten retries within two hours, and 15 seconds for an answer; the spacing is a guess. */
const retryDelaysMs = doublingDelays(10, 2 * 60 * 60 * 1000);
const timeoutMs = 15_000;

/**
 * A request that was taken off the queue has been processed by nobody, and fal announces what was processed. (Not
 * documented either way.)
 */
const write = (world: World, operation: Operation, origin: string): unknown => {
  if (stateOf(operation, world.clock()) === 'canceled' && operation.startedAtMs === null) return undefined;
  const answer = resultOf({ world, origin }, operation);
  const isFine = answer.status === 200;
  return {
    request_id: operation.id,
    // Differs only after fal has tried a request again by itself.
    gateway_request_id: operation.id,
    status: isFine ? 'OK' : 'ERROR',
    ...(isFine ? {} : { error: `Invalid status code: ${answer.status}` }),
    payload: JSON.parse(wholeBody(answer).toString()) as unknown,
  };
};

/** An account's id tells nothing about its keys. */
const userOf = ({ credential }: Operation): string => credential.replace('key_', 'user_');

/** @see https://fal.ai/docs/documentation/model-apis/inference/webhooks (read 2026-11-21) */
const signMessage = (keys: Pick<SigningKeys, 'of'>, { operation, body, atMs }: Message): Record<string, string> => {
  const timestamp = String(Math.floor(atMs / 1000));
  const digest = createHash('sha256').update(body).digest('hex');
  const lines = [operation.id, userOf(operation), timestamp, digest];
  return {
    'x-fal-webhook-request-id': operation.id,
    'x-fal-webhook-user-id': userOf(operation),
    'x-fal-webhook-timestamp': timestamp,
    'x-fal-webhook-signature': sign(null, Buffer.from(lines.join('\n')), keys.of('fal', 'ed25519').key).toString('hex'),
  };
};

export const announcer: Announcer = {
  retryDelaysMs,
  timeoutMs,
  bringUpToDate: failLateStart,
  write,
  sign: signMessage,
};

export const showKeys = ({ world }: Call): Answer =>
  jsonAnswer(200, publicKeySet(world.keys.of('fal', 'ed25519'), 'EdDSA'), { 'cache-control': 'public, max-age=86400' });
