import { z } from 'zod';
import type { Model } from '../../domain/model';
import { isTimely, receivedAt, type SigningKey } from '../callback-signatures';
import type { Callback, Operation } from '../provider';
import { readJson } from '../refusal';

/** @see https://ai.google.dev/gemini-api/docs/webhooks, envelope and catalogue of events (2026-11-21) */
const bodySchema = z.object({ type: z.string(), data: z.object({ id: z.string() }) });

type Body = z.infer<typeof bodySchema>;

/** Whether `id` is the operation's name or the end of it is not told. */
const toVeoOperation = ({ type, data }: Body, { providerModel }: Model): Operation | null => {
  const name = /^(?:models\/[\w.-]+\/)?(?:operations\/)?([\w-]+)$/.exec(data.id);
  if (!type.startsWith('video.') || name === null) return null;
  return { id: data.id.startsWith('models/') ? data.id : `models/${providerModel}/operations/${name[1]}` };
};

const toInteractionOperation = ({ type, data }: Body): Operation | null => {
  const name = /^(?:interactions\/)?([\w-]+)$/.exec(data.id);
  return type.startsWith('interaction.') && name?.[1] !== undefined ? { id: name[1] } : null;
};

const readOperation = (model: Model, { body }: Callback): Operation | null => {
  const parsed = bodySchema.safeParse(readJson(body)).data;
  if (parsed === undefined) return null;
  return model.api === 'veo' ? toVeoOperation(parsed, model) : toInteractionOperation(parsed);
};

const headerSchema = z.object({ alg: z.literal('RS256'), kid: z.string().min(1) });
const claimsSchema = z.object({ iat: z.number().nullish(), exp: z.number().nullish() });

const leewayMs = 300_000;

const readPart = (part: string | undefined): unknown => readJson(Buffer.from(part ?? '', 'base64url').toString('utf8'));

const isValid = ({ exp, iat }: z.infer<typeof claimsSchema>, atMs: number): boolean =>
  atMs <= (exp ?? Infinity) * 1_000 + leewayMs && atMs >= (iat ?? 0) * 1_000 - leewayMs;

/** A token that was valid when the message came. */
const readToken = (callback: Callback): ((key: SigningKey) => boolean) | null => {
  const [header, claims, signature, ...more] = (callback.headers['webhook-signature'] ?? '').split('.');
  const { kid } = headerSchema.safeParse(readPart(header)).data ?? {};
  const told = claimsSchema.safeParse(readPart(claims)).data;
  if (kid === undefined || told === undefined || signature === undefined || more.length > 0) return null;
  if (!isValid(told, receivedAt(callback))) return null;
  return (key) => key.id === kid && key.signed(`${header}.${claims}`, Buffer.from(signature, 'base64url'));
};

export type Announcement = { operation: Operation; isSignedBy: (key: SigningKey) => boolean };

/**
 * Messages to an address named in the request carry a token signed by Google. It proves who calls, not what: that it
 * covers the body is not documented, and whom it should name as its audience cannot be chosen. Which work is meant
 * therefore rests on our address, which nobody else knows; the message is a hint to look. `null`: not Google's.
 */
export const readAnnouncement = (model: Model, callback: Callback): Announcement | null => {
  const operation = readOperation(model, callback);
  const isSignedBy = readToken(callback);
  if (operation === null || isSignedBy === null) return null;
  return isTimely(callback, callback.headers['webhook-timestamp']) ? { operation, isSignedBy } : null;
};
