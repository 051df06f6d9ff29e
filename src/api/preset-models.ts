import { Router, type RequestHandler } from 'express';
import { type z } from 'zod';
import { adaptInput } from '../domain/adapted-input';
import { blankInput, media } from '../domain/generation';
import type { Capabilities, Model } from '../domain/model';
import { scaleMoney, type Money } from '../domain/money';
import { estimateCost } from '../domain/pricing';
import { lifecycleStatus } from '../domain/routing';
import { requireScope } from './authenticate';
import type { ApiDependencies } from './dependencies';
import { choice, strict } from './fields';
import { refuseMethod } from './problem-details';
import { parseQuery } from './validation';

const tiers = { 1: 'draft', 2: 'standard', 3: 'premium' } as const;

const listDurations = ({ durationsSeconds }: Capabilities): readonly number[] => {
  if (durationsSeconds === undefined) return [];
  return 'default' in durationsSeconds
    ? [durationsSeconds.minimum, durationsSeconds.maximum]
    : [...durationsSeconds].sort((left, right) => left - right);
};

const listSizes = ({ sizes }: Capabilities): readonly string[] => {
  if (sizes === undefined) return [];
  return 'anyMultipleOf' in sizes ? [sizes.default, sizes.maximum] : sizes;
};

const starts = { text: 'text', image: 'an image', video: 'a video' } as const;

const describeModel = (model: Model): string => {
  const { from, resolutions = [] } = model.capabilities;
  const durations = listDurations(model.capabilities);
  const [shortest, longest] = [durations[0], durations.at(-1)];
  const length = shortest === longest ? `${longest} s` : `${shortest} to ${longest} s`;
  return [
    `${model.medium} from ${from.map((start) => starts[start]).join(' or ')}`,
    ...(longest === undefined ? [] : [length]),
    ...(resolutions.length === 0 ? [] : [resolutions.join(', ')]),
  ].join('; ');
};

/** Of one image, or one second of video, with everything left to the model. */
const unitCost = (model: Model): { costPerImage?: Money; costPerSecond?: Money } => {
  const input = adaptInput(model, blankInput);
  const cost = estimateCost(model, input);
  if (cost === null) return {};
  if (model.medium === 'image') return { costPerImage: cost };
  if (model.medium !== 'video' || input.durationSeconds === null) return {};
  return { costPerSecond: scaleMoney(cost, 1, input.durationSeconds) };
};

const isOffered = (model: Model, { configured, clock }: ApiDependencies): boolean =>
  configured.has(model.provider) && model.enabled !== false && lifecycleStatus(model, clock()) !== 'retired';

const toPreset = (model: Model, dependencies: ApiDependencies): object => ({
  id: model.id,
  name: model.id.slice(model.id.indexOf('/') + 1),
  provider: model.provider,
  description: describeModel(model),
  medium: model.medium,
  estimatedTime: model.typicalSeconds,
  ...unitCost(model),
  isAvailable: isOffered(model, dependencies),
  supportedSizes: listSizes(model.capabilities),
  durations: listDurations(model.capabilities),
  aspectRatios: model.capabilities.aspectRatios ?? [],
  audio: model.capabilities.audio === 'always' || model.capabilities.audio === 'optional',
  tier: tiers[model.qualityTier],
});

const querySchema = strict({ medium: choice(media).optional() }) satisfies z.ZodType;

const answerModels =
  (dependencies: ApiDependencies): RequestHandler =>
  (request, response) => {
    const { medium } = parseQuery(querySchema, request.query);
    const { catalogue, configured } = dependencies;
    const listed = catalogue.filter(
      (model) => configured.has(model.provider) && (medium ?? model.medium) === model.medium,
    );
    const models = listed.map((model) => toPreset(model, dependencies));
    const totalAvailable = listed.filter((model) => isOffered(model, dependencies)).length;
    response.json({ success: true, models, totalAvailable });
  };

/** The older systems' list of models: only of providers that have a key. */
export const createPresetModelRoutes = (dependencies: ApiDependencies): Router => {
  const routes = Router();
  routes.route('/models').get(requireScope('read'), answerModels(dependencies)).all(refuseMethod('GET'));
  return routes;
};
