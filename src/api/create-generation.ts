import { createHash } from 'node:crypto';
import type { Request, RequestHandler, Response } from 'express';
import { SureshotError, type Violation } from '../domain/failure';
import { isTerminal, type GenerationRequest } from '../domain/generation';
import type { Model } from '../domain/model';
import { admit, followSuccessor } from '../domain/routing';
import { createGeneration, findByIdempotencyKey, findGeneration, type GenerationRow } from '../stores/generations';
import { principalOf } from './authenticate';
import { canonicalJson } from './canonical-json';
import type { ApiDependencies } from './dependencies';
import { pathOf, toGenerationResource } from './generation-resource';
import { generationSchema } from './schemas';
import { parseBody } from './validation';
import { readUntilTerminal, readWaitSeconds } from './wait';

/** A typing error in `deny` would let through what it names. */
const findUnknownNames = ({ provider, routing }: GenerationRequest, catalogue: readonly Model[]): Violation[] => {
  const providers = new Set(catalogue.map((model) => model.provider));
  const known = new Set([
    ...providers,
    ...catalogue.flatMap(({ id, providerModel, family }) => [id, providerModel, family]),
  ]);
  const unknownIn = (list: 'allow' | 'deny'): Violation[] =>
    routing[list].flatMap((name, index) =>
      known.has(name) ? [] : [{ pointer: `/routing/${list}/${index}`, detail: 'is not a model, family or provider' }],
    );
  const detail = `must be one of ${[...providers].join(', ')}`;
  const unknownProvider = provider === null || providers.has(provider) ? [] : [{ pointer: '/provider', detail }];
  return [...unknownProvider, ...unknownIn('allow'), ...unknownIn('deny')];
};

/** Refused here: what no configured model can do. Which one does it is decided by the workflow. */
const admitRequest = (
  { catalogue, configured, clock }: ApiDependencies,
  parsed: GenerationRequest,
): GenerationRequest => {
  const violations = findUnknownNames(parsed, catalogue);
  if (violations.length > 0)
    throw new SureshotError('caller_invalid_request', 'the request names what there is not', { violations });
  const snapshot = { models: catalogue, configured, now: clock(), complexity: null };
  const request = followSuccessor(parsed, snapshot);
  admit(request, snapshot);
  return request;
};

/** Of the body as it came: defaults may change from one version to the next, a kept key must not notice. */
const hashBody = (body: unknown): string => createHash('sha256').update(canonicalJson(body)).digest('hex');

const readIdempotencyKey = (request: Request): string | null => {
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

type Accepting = { tenantId: string; parsed: GenerationRequest; requestHash: string; idempotencyKey: string | null };

/** A known key is answered before anything else is asked: its model may have been retired since. */
const accept = async (
  dependencies: ApiDependencies,
  accepting: Accepting,
): Promise<{ id: string; created: boolean }> => {
  const { database, newId, workflows } = dependencies;
  const { tenantId, parsed, requestHash, idempotencyKey } = accepting;
  const key = idempotencyKey === null ? null : { tenantId, idempotencyKey, requestHash };
  const earlier = key && (await findByIdempotencyKey(database, key));
  if (earlier !== null) return { id: earlier, created: false };
  const request = admitRequest(dependencies, parsed);
  const accepted = await createGeneration(database, { id: newId(), tenantId, request, requestHash, idempotencyKey });
  if (accepted.created) workflows.start({ id: accepted.id, tenantId, medium: request.medium });
  return accepted;
};

export const answerCreate =
  (dependencies: ApiDependencies): RequestHandler =>
  async (request, response) => {
    const { database, temporalUiUrl } = dependencies;
    const { tenantId } = principalOf(response);
    const idempotencyKey = readIdempotencyKey(request);
    const parsed = parseBody(generationSchema, request.body);
    const requestHash = hashBody(request.body);
    const { id, created } = await accept(dependencies, { tenantId, parsed, requestHash, idempotencyKey });
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
