import { Router, type Request, type RequestHandler, type Response } from 'express';
import { z } from 'zod';
import { SureshotError } from '../domain/failure';
import { limitKinds, type LimitKind } from '../domain/limits';
import { parseMoney } from '../domain/money';
import { providerDashboards } from '../providers/catalogue';
import { readGauges } from '../stores/gauges';
import {
  addApiKey,
  adjustKey,
  defaultKeyPriority,
  defaultKeyWeight,
  findKeyConflict,
  listProviderCredentials,
  removeApiKey,
  setEnabled,
  type KeyConflict,
  type ProviderCredentialRow,
} from '../stores/provider-credentials';
import { defaultTenantId } from '../stores/tenants';
import { principalOf, requireScope } from './authenticate';
import type { ApiDependencies } from './dependencies';
import { strict } from './fields';
import { refuseMethod } from './problem-details';
import { readJson } from './read-json';
import { parseBody } from './validation';

const priority = z.int().min(0).max(1_000_000);
const weight = z.number().min(0).max(1_000_000);

const keySchema = strict({
  // as in P_API_KEYS
  alias: z
    .string()
    .regex(
      /^[A-Za-z][\w-]{0,31}$/,
      'must begin with a letter and have up to 32 letters, digits, dashes and underscores',
    ),
  key: z
    .string()
    .regex(/^[\x21-\x7e]{1,1000}$/, 'must be a key as its provider shows it: up to 1000 characters, no blanks'),
  priority: priority.default(defaultKeyPriority),
  weight: weight.default(defaultKeyWeight),
});

const changeSchema = strict({ priority: priority.exactOptional(), weight: weight.exactOptional() }).refine(
  (change) => Object.keys(change).length > 0,
  { error: 'must have priority, weight or both', when: ({ issues }) => issues.length === 0 },
);

type Place = { provider: string; alias: string };

const providerOf = (request: Request): string => {
  const provider = String(request.params['id']);
  if (Object.hasOwn(providerDashboards, provider)) return provider;
  throw new SureshotError('caller_not_found', 'there is no such provider');
};

const placeOf = (request: Request): Place => ({
  provider: providerOf(request),
  alias: String(request.params['alias']),
});

/** Keys serve all tenants: what one of them may not decide for the others. */
const requireOperator: RequestHandler = (_request, response, next) => {
  if (principalOf(response).tenantId !== defaultTenantId)
    throw new SureshotError('caller_forbidden', 'this takes a key of the tenant default');
  next();
};

type Usage = { requestsLastMinute: number; requestsLastDay: number; jobsInFlight: number; spendThisMonthUsd: string };

const noUsage: Usage = { requestsLastMinute: 0, requestsLastDay: 0, jobsInFlight: 0, spendThisMonthUsd: '0' };

const counted: readonly LimitKind[] = limitKinds.filter((kind) => kind !== 'tokens_per_minute');

/** Counted like the limits, whether or not there is one. */
const readUsages = async (
  { database, catalogue }: ApiDependencies,
  provider: string,
  aliases: readonly string[],
): Promise<(alias: string) => Usage> => {
  const rules = aliases.flatMap((credential) => counted.map((kind) => ({ credential, model: null, kind, most: 0 })));
  const own = catalogue.filter((model) => model.provider === provider);
  const longestSeconds = Math.max(0, ...own.map(({ maximumSeconds }) => maximumSeconds));
  const gauges = await readGauges(database, { provider, rules }, () => longestSeconds);
  return (alias) => {
    const used = (kind: LimitKind): number =>
      gauges.find((gauge) => gauge.credential === alias && gauge.kind === kind)?.used ?? 0;
    return {
      requestsLastMinute: used('requests_per_minute'),
      requestsLastDay: used('requests_per_day'),
      jobsInFlight: used('jobs_in_flight'),
      spendThisMonthUsd: parseMoney(used('spend_per_month')),
    };
  };
};

const statusOf = ({ disabledBy, isPaused }: ProviderCredentialRow): 'active' | 'paused' | 'disabled' =>
  disabledBy !== null ? 'disabled' : isPaused ? 'paused' : 'active';

const toResource = (row: ProviderCredentialRow, usage: Usage): object => ({
  alias: row.alias,
  source: row.source,
  status: statusOf(row),
  disabledBy: row.disabledBy,
  priority: row.priority,
  weight: row.weight,
  failures: row.failures,
  pausedUntil: row.isPaused ? row.pausedUntil : null,
  lastError: row.lastErrorCode === null ? null : { code: row.lastErrorCode, at: row.lastErrorAt },
  lastUsedAt: row.lastUsedAt,
  usage,
});

/** Of a key of the environment that no worker has started with yet. */
const unannounced = (alias: string): object => ({
  ...{ alias, source: 'environment', status: 'active', disabledBy: null },
  ...{ priority: defaultKeyPriority, weight: defaultKeyWeight, failures: 0, pausedUntil: null },
  ...{ lastError: null, lastUsedAt: null, usage: noUsage },
});

const answerList =
  (dependencies: ApiDependencies): RequestHandler =>
  async (request, response) => {
    const provider = providerOf(request);
    const rows = await listProviderCredentials(dependencies.database, provider);
    const usageOf = await readUsages(
      dependencies,
      provider,
      rows.map(({ alias }) => alias),
    );
    const own = dependencies.keys.environment.get(provider) ?? [];
    const waiting = own.filter((alias) => !rows.some((row) => row.alias === alias));
    response.json({
      data: [...rows.map((row) => toResource(row, usageOf(row.alias))), ...waiting.map(unannounced)],
    });
  };

const missingKey = ({ keys }: ApiDependencies, { provider, alias }: Place): SureshotError =>
  keys.environment.get(provider)?.includes(alias) === true
    ? new SureshotError('caller_conflict', `no worker has started with ${alias} yet; ask again when one has`)
    : new SureshotError('caller_not_found', `${provider} has no key of this name`);

const sendOne = async (dependencies: ApiDependencies, place: Place, response: Response): Promise<void> => {
  const rows = await listProviderCredentials(dependencies.database, place.provider);
  const row = rows.find(({ alias }) => alias === place.alias);
  if (!row) throw missingKey(dependencies, place);
  const usageOf = await readUsages(dependencies, place.provider, [row.alias]);
  response.json(toResource(row, usageOf(row.alias)));
};

const answerOne =
  (dependencies: ApiDependencies): RequestHandler =>
  (request, response) =>
    sendOne(dependencies, placeOf(request), response);

const inTheWay = ({ of, alias, source }: KeyConflict): SureshotError => {
  const owner = source === 'environment' ? 'the environment has' : 'there is already';
  return of === 'alias'
    ? new SureshotError('caller_conflict', `${owner} a key of the name ${alias}`, {
        violations: [{ pointer: '/alias', detail: 'is taken' }],
      })
    : new SureshotError('caller_conflict', `${owner} this key, under the name ${alias}`, {
        violations: [{ pointer: '/key', detail: `is the one of ${alias}` }],
      });
};

const answerAdd =
  (dependencies: ApiDependencies): RequestHandler =>
  async (request, response) => {
    const { database, keys, logger } = dependencies;
    const provider = providerOf(request);
    const { key: secret, alias, ...preference } = parseBody(keySchema, request.body);
    const missing = keys.findMissing(provider);
    if (missing !== null)
      throw new SureshotError('caller_conflict', `keys of ${provider} need ${missing}, which is not set`);
    if (keys.environment.get(provider)?.includes(alias) === true)
      throw inTheWay({ of: 'alias', alias, source: 'environment' });
    const key = { provider, alias, print: keys.printOf(secret), ...preference };
    const known = await findKeyConflict(database, key);
    if (known) throw inTheWay(known);
    // before the row: whoever sees that can open it
    await keys.keep(provider, { alias, secret });
    const conflict = await addApiKey(database, key);
    if (conflict) throw inTheWay(conflict);
    logger.info({ provider, credential: alias }, 'a key was added');
    await keys.refresh();
    response.status(201).location(`/v1/providers/${provider}/credentials/${alias}`);
    await sendOne(dependencies, { provider, alias }, response);
  };

const answerChange =
  (dependencies: ApiDependencies): RequestHandler =>
  async (request, response) => {
    const place = placeOf(request);
    const change = parseBody(changeSchema, request.body);
    if (!(await adjustKey(dependencies.database, place, change))) throw missingKey(dependencies, place);
    await sendOne(dependencies, place, response);
  };

const answerSwitch =
  (dependencies: ApiDependencies, enabled: boolean): RequestHandler =>
  async (request, response) => {
    const place = placeOf(request);
    if (!(await setEnabled(dependencies.database, place, enabled))) throw missingKey(dependencies, place);
    dependencies.logger.info({ provider: place.provider, credential: place.alias, enabled }, 'a key was switched');
    await sendOne(dependencies, place, response);
  };

const answerRemove =
  (dependencies: ApiDependencies): RequestHandler =>
  async (request, response) => {
    const { provider, alias } = placeOf(request);
    const { database, keys, logger } = dependencies;
    const removed = await removeApiKey(database, provider, alias);
    if (removed === 'unknown') throw missingKey(dependencies, { provider, alias });
    if (removed === 'environment')
      throw new SureshotError(
        'caller_conflict',
        `${alias} is a key of the environment: take it out there (${provider.toUpperCase()}_API_KEYS or the variable that has it) and restart API and workers, or disable it here`,
      );
    logger.info({ provider, credential: alias }, 'a key was removed');
    await keys.refresh();
    response.status(204).end();
  };

export const createProviderCredentialRoutes = (dependencies: ApiDependencies): Router => {
  const routes = Router();
  const [operate, admin] = [requireScope('operate'), requireScope('admin')];
  const place = '/providers/:id/credentials/:alias';
  routes
    .route('/providers/:id/credentials')
    .get(operate, answerList(dependencies))
    .post(admin, requireOperator, readJson, answerAdd(dependencies))
    .all(refuseMethod('GET, POST'));
  routes
    .route(place)
    .get(operate, answerOne(dependencies))
    .patch(operate, requireOperator, readJson, answerChange(dependencies))
    .delete(admin, requireOperator, answerRemove(dependencies))
    .all(refuseMethod('GET, PATCH, DELETE'));
  for (const [verb, enabled] of [
    ['enable', true],
    ['disable', false],
  ] as const)
    routes
      .route(`${place}/${verb}`)
      .post(operate, requireOperator, answerSwitch(dependencies, enabled))
      .all(refuseMethod('POST'));
  return routes;
};
