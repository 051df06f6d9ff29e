import { estimate, exclusionOf, isListed, isNamed, lifecycleStatus } from './exclusions';
import { assignGroup, variantOf, type Experiment } from './experiments';
import type { Candidate, Decision, GenerationRequest, Medium } from './generation';
import type { Model } from './model';
import { placeCandidates, type Trial } from './placement';
import type { Snapshot } from './snapshot';

export { estimate, isListed, lifecycleStatus, retirement } from './exclusions';
export { unmeasured, type Snapshot } from './snapshot';

/** Whoever asks for speech and names no task wants it spoken. */
const makesTask = ({ medium, capabilities }: Model, { input }: GenerationRequest): boolean =>
  medium !== 'speech' || (capabilities.speechTask ?? 'speech') === (input.task ?? 'speech');

/** Canonical ids: what is measured of a medium is measured of all its models at once. */
export const idsOfMedium = (models: readonly Model[], medium: Medium): string[] =>
  models.flatMap((model) => (model.medium === medium ? [model.id] : []));

const mayComeFrom = ({ provider }: Model, request: GenerationRequest): boolean =>
  request.provider === null || request.provider === provider;

/** The models a request names, before anything is ruled out. An exact id is one; `allow` adds its fallbacks. */
export const namedModels = (request: GenerationRequest, models: readonly Model[]): Model[] => {
  const ofMedium = models.filter((model) => model.medium === request.medium);
  const fromProvider = ofMedium.filter((model) => mayComeFrom(model, request));
  if (request.model === 'auto') {
    return fromProvider.filter(
      (model) => (model.automatic || request.provider === model.provider) && makesTask(model, request),
    );
  }
  const exact = fromProvider.filter((model) => isNamed(model, request.model));
  const fallbacks = ofMedium.filter((model) => isListed(model, request.routing.allow) && !exact.includes(model));
  return [...exact, ...fallbacks];
};

/** What the operator set for such requests is open to the operator's experiments; what a caller or user chose is not. */
const leavesModelOpen = ({ model, modelFrom }: GenerationRequest): boolean =>
  model === 'auto' || modelFrom === 'defaults';

/** Those of an experiment that could do this request: also ones that are offered to nobody else. */
const modelsOnTrial = (experiment: Experiment, request: GenerationRequest, snapshot: Snapshot): Model[] =>
  snapshot.models.filter(
    (model) =>
      model.medium === request.medium &&
      isNamed(model, experiment.model) &&
      mayComeFrom(model, request) &&
      makesTask(model, request) &&
      exclusionOf(model, request, snapshot) === null,
  );

const untried: Trial = { variant: null, models: [] };

/** Only what could have been in either group is counted in one: else the groups would differ in what they ask for. */
const trialOf = (request: GenerationRequest, snapshot: Snapshot): Trial => {
  if (!leavesModelOpen(request)) return untried;
  const { treated, controls } = assignGroup(snapshot.experiments, request, snapshot.tenantId);
  if (treated) {
    const models = modelsOnTrial(treated, request, snapshot);
    return models.length === 0 ? untried : { variant: variantOf(treated, 'treated'), models };
  }
  const compared = controls.filter((experiment) => modelsOnTrial(experiment, request, snapshot).length > 0);
  if (compared.length === 0) return untried;
  return { variant: compared.map((experiment) => variantOf(experiment, 'control')).join(','), models: [] };
};

const toExcluded = (model: Model, request: GenerationRequest, excluded: string): Candidate => ({
  model: model.id,
  provider: model.provider,
  estimatedCostUsd: estimate(model, request.input),
  estimatedSeconds: model.typicalSeconds,
  score: 0,
  reason: 'excluded',
  excluded,
});

const judge = (request: GenerationRequest, snapshot: Snapshot) => {
  const trial = trialOf(request, snapshot);
  const models = new Set([...trial.models, ...namedModels(request, snapshot.models)]);
  const judged = [...models].map((model) => ({ model, excluded: exclusionOf(model, request, snapshot) }));
  return { trial, judged, open: judged.filter(({ excluded }) => excluded === null).map(({ model }) => model) };
};

/** Who is in the running, in no order: that takes no figures and no capacity. */
export const runningModels = (request: GenerationRequest, snapshot: Snapshot): string[] =>
  judge(request, snapshot).open.map(({ id }) => id);

/** Filter, then order. Those in the running come first, in the order they will be tried; the others say why not. */
export const chooseCandidates = (request: GenerationRequest, snapshot: Snapshot): Decision => {
  const { trial, judged, open } = judge(request, snapshot);
  return {
    strategy: request.routing.strategy,
    variant: trial.variant,
    candidates: [
      ...placeCandidates(open, { request, snapshot, trial }),
      ...judged.flatMap(({ model, excluded }) => (excluded === null ? [] : [toExcluded(model, request, excluded)])),
    ],
  };
};

export const inTheRunning = (decision: Decision): Candidate[] =>
  decision.candidates.filter((candidate) => candidate.excluded === null);

/** With `allowSuccessor`, a retired exact model becomes the one its maker names. */
export const followSuccessor = (request: GenerationRequest, snapshot: Snapshot): GenerationRequest => {
  const named = snapshot.models.find((model) => isNamed(model, request.model) && model.medium === request.medium);
  const successor = named?.lifecycle.successor;
  const retired = named !== undefined && lifecycleStatus(named, snapshot.now) === 'retired';
  return retired && request.allowSuccessor && successor !== undefined ? { ...request, model: successor } : request;
};
