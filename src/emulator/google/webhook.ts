import { sign } from 'node:crypto';
import { jsonAnswer, type Answer } from '../answer';
import { endsAtMs, stateOf, type Operation } from '../operations';
import type { Announcer, Call, Message } from '../provider';
import { publicKeySet, type SigningKeys } from '../signing-keys';
import { doublingDelays } from '../webhooks';
import type { World } from '../world';
import { fileUri } from './files';
import { failureOf } from './interactions';
import { webhookMetadataOf } from './webhook-config';

/** Retried for 24 hours with exponential backoff, an answer wanted within "a few seconds": the numbers are guesses. */
const retryDelaysMs = doublingDelays(14, 24 * 60 * 60 * 1000);
const timeoutMs = 10_000;

type Event = { type: string; data: Record<string, unknown> };

const interactionEvent = ({ id, reason }: Operation, state: string): Event | undefined => {
  if (state === 'succeeded') return { type: 'interaction.completed', data: { id } };
  if (state === 'canceled') return { type: 'interaction.cancelled', data: { id } };
  const { code, message } = failureOf(reason);
  return { type: 'interaction.failed', data: { id, error_code: code, error_message: message } };
};

/** The catalogue has no event for a video that was not made: only a look at the operation finds a failed one. */
const videoEvent = ({ id }: Operation, origin: string): Event => ({
  type: 'video.generated',
  data: { id, output_file_uri: fileUri({ origin }, id, 0), file_name: `files/${id}0` },
});

const isInteraction = ({ details }: Operation): boolean => details['fileId'] !== undefined;

const eventOf = (operation: Operation, state: string, origin: string): Event | undefined => {
  if (isInteraction(operation)) return interactionEvent(operation, state);
  return state === 'succeeded' ? videoEvent(operation, origin) : undefined;
};

const valuesOf = (value: unknown): Record<string, unknown> => Object(value) as Record<string, unknown>;

/**
 * The envelope of https://ai.google.dev/gemini-api/docs/webhooks (of 2026-07-30). That the metadata comes back is
 * documented, its place is not: here it stands beside `data`.
 */
const write = (world: World, operation: Operation, origin: string): unknown => {
  const event = eventOf(operation, stateOf(operation, world.clock()), origin);
  const metadata = webhookMetadataOf(operation.details['webhookConfig']);
  if (event === undefined) return undefined;
  return {
    type: event.type,
    version: 'v1',
    timestamp: `${new Date(endsAtMs(operation) ?? world.clock()).toISOString().slice(0, 19)}Z`,
    data: event.data,
    ...(metadata === undefined || metadata === null ? {} : { user_metadata: metadata }),
  };
};

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

const tokenLifeSeconds = 300;

/**
 * An address given with a request is told with a JWT (RS256, key by `kid`) where Standard Webhooks has its HMAC. The
 * documents read the event out of the token and leave the audience open; here it is the address itself.
 */
const signMessage = (keys: Pick<SigningKeys, 'of'>, message: Message): Record<string, string> => {
  const { id, key } = keys.of('google', 'rsa');
  const issuedAt = Math.floor(message.atMs / 1000);
  const claims = {
    aud: message.url,
    iat: issuedAt,
    exp: issuedAt + tokenLifeSeconds,
    ...valuesOf(JSON.parse(message.body)),
  };
  const head = `${encode({ alg: 'RS256', typ: 'JWT', kid: id })}.${encode(claims)}`;
  return {
    'webhook-id': message.id,
    'webhook-timestamp': String(issuedAt),
    'webhook-signature': `${head}.${sign('sha256', Buffer.from(head), key).toString('base64url')}`,
  };
};

export const announcer: Announcer = { retryDelaysMs, timeoutMs, write, sign: signMessage };

export const showKeys = ({ world }: Call): Answer =>
  jsonAnswer(200, publicKeySet(world.keys.of('google', 'rsa'), 'RS256'), { 'cache-control': 'public, max-age=3600' });
