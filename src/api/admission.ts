import { admit } from '../domain/admission';
import { SureshotError, type Violation } from '../domain/failure';
import type { GenerationRequest } from '../domain/generation';
import type { Model } from '../domain/model';
import { followSuccessor, type Snapshot } from '../domain/routing';
import type { ApiDependencies } from './dependencies';
import type { NamedRequest, ParsedRequest } from './media-lookup';

/** Whoever narrows the choice has made it. */
const leavesChoice = ({ model, provider, routing }: ParsedRequest): boolean =>
  model === null && provider === null && routing.allow.length === 0;

/** What the request leaves open, as the operator has it; what the operator leaves open too is chosen. */
export const completeRequest = ({ routing: settings }: ApiDependencies, parsed: ParsedRequest): NamedRequest => {
  const usual = leavesChoice(parsed) ? settings.defaults[parsed.medium] : undefined;
  const { allow, strategy } = parsed.routing;
  return {
    ...parsed,
    model: parsed.model ?? usual?.model ?? 'auto',
    routing: {
      ...parsed.routing,
      strategy: strategy ?? settings.strategy,
      allow: usual?.fallback === undefined ? allow : [usual.fallback],
    },
  };
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

export const snapshotFor = ({ catalogue, configured, clock, routing }: ApiDependencies, seed: string): Snapshot => ({
  models: catalogue,
  configured,
  now: clock(),
  complexity: null,
  unknownPrices: routing.unknownPrices,
  seed,
});

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
