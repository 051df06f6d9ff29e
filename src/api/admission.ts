import { admit } from '../domain/admission';
import { SureshotError, type Violation } from '../domain/failure';
import type { GenerationInput, GenerationRequest, MediaInput } from '../domain/generation';
import type { Model } from '../domain/model';
import {
  chooseCandidates,
  followSuccessor,
  idsOfMedium,
  inTheRunning,
  unmeasured,
  type Snapshot,
} from '../domain/routing';
import { cut } from '../domain/text';
import { readModelFigures } from '../stores/model-figures';
import { findPreferences } from '../stores/preferences';
import { peekTurn } from '../stores/round-robin';
import type { ApiDependencies } from './dependencies';
import type { NamedInput } from './media-input';
import type { NamedRequest, ParsedRequest } from './media-lookup';

/** Whoever narrows the choice has made it. */
const leavesChoice = ({ model, provider, routing }: ParsedRequest): boolean =>
  model === null && provider === null && routing.allow.length === 0;

/** A model that somebody wants where the request leaves it open. */
type Wish = { from: NonNullable<GenerationRequest['modelFrom']>; model: string; fallback?: string };

type Kept = Awaited<ReturnType<typeof findPreferences>>;

/** The user's before the tenant's before the operator's. */
const wishesOf = ({ user, tenant }: Kept, usual: Omit<Wish, 'from'> | undefined): Wish[] => [
  ...(user?.model ? [{ from: 'user' as const, model: user.model }] : []),
  ...(tenant?.model ? [{ from: 'tenant' as const, model: tenant.model }] : []),
  ...(usual ? [{ from: 'defaults' as const, ...usual }] : []),
];

const follow = (request: NamedRequest, { from, model, fallback }: Wish): NamedRequest => ({
  ...request,
  model,
  modelFrom: from,
  routing: { ...request.routing, allow: fallback === undefined ? [] : [fallback] },
});

/** Nobody has looked at the media yet: that they are there is all that counts. */
const unseen: MediaInput = { origin: { inline: true }, stored: null };

const outline = (input: NamedInput): GenerationInput => ({
  ...input,
  image: input.image && unseen,
  lastFrame: input.lastFrame && unseen,
  referenceImages: input.referenceImages.map(() => unseen),
  video: input.video && unseen,
});

/** Why no model of this name can do it; `null`: one can. */
const findHindrance = (dependencies: ApiDependencies, named: NamedRequest): string | null => {
  const snapshot = snapshotFor(dependencies, '');
  const request = followSuccessor({ ...named, input: outline(named.input) }, snapshot);
  const decision = chooseCandidates(request, snapshot);
  if (inTheRunning(decision).length > 0) return null;
  const reasons = decision.candidates.map(({ model, excluded }) => `${model}: ${excluded}`);
  return cut(reasons.join(' · '), 500) || 'there is no such model any more';
};

const owners = { user: 'the user', tenant: 'the tenant' } as const;

/**
 * A preference is a wish: one that cannot be followed is passed over, with a warning. What the operator set is an order, and
 * `auto` a choice of its own.
 */
const fillModel = (dependencies: ApiDependencies, request: NamedRequest, wishes: readonly Wish[]): NamedRequest => {
  const warnings: string[] = [];
  const told = (filled: NamedRequest): NamedRequest => (warnings.length === 0 ? filled : { ...filled, warnings });
  for (const wish of wishes) {
    const followed = follow(request, wish);
    if (wish.from === 'defaults' || wish.model === 'auto') return told(followed);
    const hindrance = findHindrance(dependencies, followed);
    if (hindrance === null) return told(followed);
    warnings.push(`${owners[wish.from]} prefers ${wish.model}, which was passed over. ${hindrance}`);
  }
  return told(request);
};

/**
 * What the request leaves open, as its user, its tenant and the operator have it, in this order; what they leave open too is
 * chosen.
 */
export const completeRequest = async (
  dependencies: ApiDependencies,
  tenantId: string,
  parsed: ParsedRequest,
): Promise<NamedRequest> => {
  const { routing: settings, database } = dependencies;
  const isOpen = leavesChoice(parsed);
  const { user, medium } = parsed;
  const kept: Kept =
    isOpen || parsed.routing.strategy === null
      ? await findPreferences(database, { tenantId, user, medium })
      : { user: null, tenant: null };
  const strategy = parsed.routing.strategy ?? kept.user?.strategy ?? kept.tenant?.strategy ?? settings.strategy;
  const request = { ...parsed, model: parsed.model ?? 'auto', routing: { ...parsed.routing, strategy } };
  return isOpen ? fillModel(dependencies, request, wishesOf(kept, settings.defaults[medium])) : request;
};

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

export const checkNames = (request: GenerationRequest, catalogue: readonly Model[]): void => {
  const violations = findUnknownNames(request, catalogue);
  if (violations.length > 0)
    throw new SureshotError('caller_invalid_request', 'the request names what there is not', { violations });
};

/** Enough to say who is in the running. */
const snapshotFor = ({ catalogue, configured, clock, routing }: ApiDependencies, seed: string): Snapshot => ({
  ...unmeasured,
  models: catalogue,
  configured,
  now: clock(),
  complexity: null,
  unknownPrices: routing.unknownPrices,
  seed,
});

/** Enough to say in which order they would be tried, but for what waits at the moment: that is the workers' to know. */
export const readSnapshot = async (
  dependencies: ApiDependencies,
  { seed, tenantId, request }: { seed: string; tenantId: string; request: GenerationRequest },
): Promise<Snapshot> => {
  const { database, catalogue, routing } = dependencies;
  const [figures, turn] = await Promise.all([
    readModelFigures(database, idsOfMedium(catalogue, request.medium)),
    // an estimate uses up nobody's turn
    request.routing.strategy === 'round_robin' ? peekTurn(database) : 0,
  ]);
  const snapshot = snapshotFor(dependencies, seed);
  return { ...snapshot, figures, turn, tenantId, experiments: routing.experiments ?? [] };
};

/** Refused here: what no configured model can do. Which one does it is decided by the workflow. */
export const admitRequest = (
  dependencies: ApiDependencies,
  { id, request: looked }: { id: string; request: GenerationRequest },
): GenerationRequest => {
  checkNames(looked, dependencies.catalogue);
  const snapshot = snapshotFor(dependencies, id);
  const request = followSuccessor(looked, snapshot);
  admit(request, snapshot);
  return request;
};
