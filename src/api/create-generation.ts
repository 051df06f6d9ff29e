import { createHash } from 'node:crypto';
import type { Request, RequestHandler, Response } from 'express';
import { SureshotError } from '../domain/failure';
import { isTerminal } from '../domain/generation';
import { checkRoom } from '../stores/admission';
import {
  createGeneration,
  findByIdempotencyKey,
  findGeneration,
  type GenerationRow,
  type NewGeneration,
} from '../stores/generations';
import { admitRequest, completeRequest } from './admission';
import { principalOf, type Principal } from './authenticate';
import { canonicalJson } from './canonical-json';
import type { ApiDependencies } from './dependencies';
import { pathOf, toGenerationResource } from './generation-resource';
import { lookUpMedia, type InlineMedia, type ParsedRequest } from './media-lookup';
import { letGoOfBody } from './read-json';
import { generationSchema } from './schemas';
import { parseBody } from './validation';
import { readUntilTerminal, readWaitSeconds } from './wait';

/** Of the body as it came: defaults may change from one version to the next, a kept key must not notice. */
export const hashBody = (body: unknown): string => createHash('sha256').update(canonicalJson(body)).digest('hex');

export const readIdempotencyKey = (request: Request): string | null => {
  const key = request.get('Idempotency-Key');
  if (key === undefined) return null;
  if (/^[\x21-\x7e]{1,255}$/.test(key)) return key;
  throw new SureshotError('caller_malformed', 'Idempotency-Key must be 1 to 255 visible ASCII characters');
};

const whenDisconnected = (response: Response): AbortSignal => {
  const disconnect = new AbortController();
  response.once('close', () => disconnect.abort());
  return disconnect.signal;
};

const answer = (response: Response, row: GenerationRow, temporalUiUrl: string | null): void => {
  const status = isTerminal(row.status) ? 200 : 202;
  response.status(status).location(pathOf(row.id)).json(toGenerationResource(row, temporalUiUrl));
};

type Accepting = Pick<Principal, 'tenantId' | 'weight'> & {
  parsed: ParsedRequest;
  requestHash: string;
  idempotencyKey: string | null;
};
export type Accepted = { id: string; created: boolean };

const discard = ({ blobs }: ApiDependencies, inline: readonly InlineMedia[]): Promise<unknown> =>
  Promise.allSettled(inline.map(({ key }) => blobs.remove(key)));

/** The bytes first, then the row: what was accepted can be sent. Bytes of a row that there will not be go again. */
export const keepWithMedia = async (
  dependencies: ApiDependencies,
  inline: readonly InlineMedia[],
  insert: () => Promise<Accepted>,
): Promise<Accepted> => {
  let begun = false;
  try {
    for (const { key, bytes } of inline) await dependencies.blobs.write(key, bytes);
    begun = true;
    const accepted = await insert();
    if (!accepted.created) await discard(dependencies, inline);
    return accepted;
  } catch (error) {
    // of any other error of the insert nobody knows whether the row was committed
    if (!begun || error instanceof SureshotError) await discard(dependencies, inline);
    throw error;
  }
};

/** A known key is answered before anything else is asked: its model may have been retired since. */
const accept = async (
  dependencies: ApiDependencies,
  { tenantId, weight, parsed, requestHash, idempotencyKey }: Accepting,
): Promise<Accepted> => {
  const { database, newId, workflows, queuedPerTenant } = dependencies;
  const key = idempotencyKey === null ? null : { tenantId, idempotencyKey, requestHash };
  const earlier = key && (await findByIdempotencyKey(database, key));
  if (earlier !== null) return { id: earlier, created: false };
  const id = newId();
  const named = await completeRequest(dependencies, tenantId, parsed);
  const { request: looked, inline } = await lookUpMedia(dependencies, { tenantId, generationId: id }, named);
  const request = admitRequest(dependencies, { id, request: looked });
  // before its media are stored in vain
  if (inline.length > 0) await checkRoom(database, { tenantId, most: queuedPerTenant });
  const generation: NewGeneration = { id, tenantId, request, requestHash, idempotencyKey, queuedPerTenant };
  const accepted = await keepWithMedia(dependencies, inline, () => createGeneration(database, generation));
  if (accepted.created)
    workflows.start({ id: accepted.id, tenantId, weight, medium: request.medium, priority: request.priority });
  return accepted;
};

/** Of a refusal that is about how much the tenant has out: how much it may have. Fields of the IETF's draft. */
export const tellLimit =
  ({ queuedPerTenant }: ApiDependencies, response: Response) =>
  (error: unknown): never => {
    if (error instanceof SureshotError && error.code === 'policy_rate_limited') {
      response.set('RateLimit-Policy', `"queued";q=${queuedPerTenant}`);
      response.set('RateLimit', `"queued";r=0;t=${error.retryAfterSeconds ?? 0}`);
    }
    throw error;
  };

const readAndAccept = (dependencies: ApiDependencies, request: Request, principal: Principal): Promise<Accepted> => {
  const idempotencyKey = readIdempotencyKey(request);
  const parsed = parseBody(generationSchema, request.body);
  const requestHash = hashBody(request.body);
  letGoOfBody(request);
  const { tenantId, weight } = principal;
  return accept(dependencies, { tenantId, weight, parsed, requestHash, idempotencyKey });
};

export const answerCreate =
  (dependencies: ApiDependencies): RequestHandler =>
  async (request, response) => {
    const { database, temporalUiUrl } = dependencies;
    const principal = principalOf(response);
    const { tenantId } = principal;
    const limited = tellLimit(dependencies, response);
    const { id, created } = await readAndAccept(dependencies, request, principal).catch(limited);
    if (!created) response.set('Idempotency-Replayed', 'true');

    const seconds = readWaitSeconds(request.get('Prefer'));
    if (seconds !== null) response.set('Preference-Applied', `wait=${seconds}`);
    const signal = whenDisconnected(response);
    const read = () => findGeneration(database, tenantId, id);
    const row = await readUntilTerminal(read, { seconds: seconds ?? 0, signal });
    if (signal.aborted) return;
    if (!row) throw new SureshotError('system_internal', 'the generation was accepted but is not there');
    answer(response, row, temporalUiUrl);
  };
