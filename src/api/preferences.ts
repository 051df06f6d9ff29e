import { Router, type Request, type RequestHandler } from 'express';
import { isNamed, lifecycleStatus, retirement } from '../domain/exclusions';
import { SureshotError, type Violation } from '../domain/failure';
import { media, strategies, type Medium } from '../domain/generation';
import {
  changePreferences,
  listPreferences,
  type Owner,
  type Preference,
  type PreferenceChange,
} from '../stores/preferences';
import { principalOf, requireScope } from './authenticate';
import type { ApiDependencies } from './dependencies';
import { choice, strict, text } from './fields';
import { refuseMethod } from './problem-details';
import { readJson } from './read-json';
import { parseBody, parseQuery } from './validation';

/** As the user of a generation. */
const ownerSchema = strict({ user: text(256).nullable().default(null) });

const entry = strict({
  model: text(200).nullable().optional(),
  strategy: choice(strategies).nullable().optional(),
})
  .nullable()
  .optional();

const preferencesSchema = strict({ video: entry, image: entry, speech: entry, text: entry });

const nothing: Preference = { model: null, strategy: null };

const readOwner = (request: Request, tenantId: string): Owner => ({
  tenantId,
  user: parseQuery(ownerSchema, request.query).user,
});

/** What no request could be served with is refused while there is somebody to tell. */
const findUnusableModel = ({ catalogue, clock }: ApiDependencies, medium: Medium, name: string): Violation | null => {
  if (name === 'auto') return null;
  const pointer = `/${medium}/model`;
  const named = catalogue.filter((model) => model.medium === medium && isNamed(model, name));
  const [first] = named;
  if (!first)
    return { pointer, detail: `is no ${medium} model: must be auto, null, a family or an id of GET /v1/models` };
  const isRetired = named.every((model) => lifecycleStatus(model, clock()) === 'retired');
  return isRetired ? { pointer, detail: `was ${retirement(first)}` } : null;
};

const checkModels = (dependencies: ApiDependencies, changes: ReadonlyMap<Medium, PreferenceChange>): void => {
  const violations = [...changes].flatMap(([medium, change]) => {
    const model = change?.model ?? null;
    return (model === null ? null : findUnusableModel(dependencies, medium, model)) ?? [];
  });
  if (violations.length > 0)
    throw new SureshotError('caller_invalid_request', 'the preferences name models that cannot be used', {
      violations,
    });
};

const describe = async ({ database }: ApiDependencies, owner: Owner): Promise<object> => {
  const kept = await listPreferences(database, owner);
  return Object.fromEntries(media.map((medium) => [medium, kept.get(medium) ?? nothing]));
};

const answerRead =
  (dependencies: ApiDependencies): RequestHandler =>
  async (request, response) => {
    response.json(await describe(dependencies, readOwner(request, principalOf(response).tenantId)));
  };

const answerChange =
  (dependencies: ApiDependencies): RequestHandler =>
  async (request, response) => {
    const { tenantId, scopes } = principalOf(response);
    const owner = readOwner(request, tenantId);
    // what holds for the whole tenant is not for each of its services to change
    if (owner.user === null && !scopes.includes('admin'))
      throw new SureshotError(
        'caller_forbidden',
        'the preferences of the whole tenant take a key with the scope admin',
      );
    const body = parseBody(preferencesSchema, request.body);
    const changes = new Map(
      media.flatMap((medium): [Medium, PreferenceChange][] => {
        const change = body[medium];
        return change === undefined ? [] : [[medium, change]];
      }),
    );
    checkModels(dependencies, changes);
    await changePreferences(dependencies.database, owner, changes);
    response.json(await describe(dependencies, owner));
  };

export const createPreferenceRoutes = (dependencies: ApiDependencies): Router => {
  const routes = Router();
  routes
    .route('/preferences')
    .get(requireScope('read'), answerRead(dependencies))
    .put(requireScope('submit'), readJson, answerChange(dependencies))
    .all(refuseMethod('GET, PUT'));
  return routes;
};
