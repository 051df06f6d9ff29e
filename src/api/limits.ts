import { Router, type RequestHandler } from 'express';
import { z } from 'zod';
import { SureshotError, type FailureCode, type Violation } from '../domain/failure';
import { limitKinds, readMost, rulesOf, type LimitKind, type LimitOverride, type Rule } from '../domain/limits';
import type { Model } from '../domain/model';
import { readGauges } from '../stores/gauges';
import {
  deleteOverride,
  readOverrides,
  setOverride,
  tellAmount,
  type LimitName,
  type LimitSource,
  type SetLimit,
} from '../stores/limit-overrides';
import { listProviderCredentials } from '../stores/provider-credentials';
import { readQueues } from '../stores/turns';
import { requireOperatorTenant, requireScope } from './authenticate';
import type { ApiDependencies } from './dependencies';
import { choice, money, nullableText, strict, text } from './fields';
import { refuseMethod } from './problem-details';
import { providerIds } from './provider-resource';
import { readJson } from './read-json';
import { parseBody, parseQuery } from './validation';

/** One limit of one key. `model` null: of all its work together. */
export type LimitRow = {
  provider: string;
  model: string | null;
  credential: string;
  kind: LimitKind;
  limit: number | string;
  used: number | string;
  /** How many attempts wait for this provider, or model, with any key. */
  waiting: number;
  resetsAt: string | null;
  pausedUntil: string | null;
  source: LimitSource;
};

const isSetFor = (rule: Rule, { credential, model, kind }: LimitOverride): boolean =>
  kind === rule.kind && model === rule.model && (credential === null || credential === rule.credential);

type Standing = {
  overrides: readonly SetLimit[];
  queues: Awaited<ReturnType<typeof readQueues>>;
  keys: Awaited<ReturnType<typeof listProviderCredentials>>;
};

const ofProvider = <Row extends { provider: string }>(rows: readonly Row[], provider: string): Row[] =>
  rows.filter((row) => row.provider === provider);

const waitingOf = (provider: string, model: string | null, { queues }: Standing): number =>
  ofProvider(queues, provider)
    .flatMap(({ waiting }) => waiting)
    .filter((line) => model === null || line.model === model)
    .reduce((sum, { count }) => sum + count, 0);

const pausedUntil = (provider: string, alias: string, { keys }: Standing): string | null => {
  const key = ofProvider(keys, provider).find((row) => row.alias === alias);
  return key?.isPaused === true ? (key.pausedUntil?.toISOString() ?? null) : null;
};

const readProviderRows = async (
  dependencies: ApiDependencies,
  provider: string,
  standing: Standing,
): Promise<LimitRow[]> => {
  const overrides = ofProvider(standing.overrides, provider);
  const { database, catalogue, aliases } = dependencies;
  const limits = dependencies.limitsOf(provider);
  const rules = (aliases.get(provider) ?? []).flatMap((alias) => rulesOf(alias, limits, overrides));
  const models = ofProvider(catalogue, provider);
  const workSecondsOf = (model: string | null): number =>
    Math.max(0, ...models.filter(({ id }) => model === null || id === model).map((row) => row.maximumSeconds));
  const gauges = await readGauges(database, { provider, rules }, workSecondsOf);
  return rules.map((rule) => {
    const { credential, model, kind, most } = rule;
    const gauge = gauges.find((row) => row.credential === credential && row.model === model && row.kind === kind);
    return {
      ...{ provider, model, credential, kind },
      limit: tellAmount(kind, most),
      used: tellAmount(kind, gauge?.used ?? 0),
      waiting: waitingOf(provider, model, standing),
      resetsAt: gauge?.freesAt?.toISOString() ?? null,
      pausedUntil: pausedUntil(provider, credential, standing),
      source: overrides.some((override) => isSetFor(rule, override)) ? 'run_time' : 'configuration',
    };
  });
};

/** What binds every key of these providers, and how far it is used. */
export const readLimits = async (
  dependencies: ApiDependencies,
  providers: readonly string[],
): Promise<{ rows: LimitRow[]; overrides: readonly SetLimit[] }> => {
  const { database } = dependencies;
  const [overrides, queues, keys] = await Promise.all([
    readOverrides(database),
    readQueues(database),
    listProviderCredentials(database),
  ]);
  const standing = { overrides, queues, keys };
  const rows = await Promise.all(providers.map((id) => readProviderRows(dependencies, id, standing)));
  return { rows: rows.flat(), overrides: overrides.filter(({ provider }) => providers.includes(provider)) };
};

const toResource = ({ provider, credential, model, kind, most, changedAt }: SetLimit): object => ({
  ...{ provider, credential, model, kind, limit: most === null ? null : tellAmount(kind, most) },
  changedAt: changedAt.toISOString(),
});

const provider = choice(providerIds as [string, ...string[]]);

const listSchema = strict({ provider: provider.optional() });

const answerList =
  (dependencies: ApiDependencies): RequestHandler =>
  async (request, response) => {
    const { provider: only } = parseQuery(listSchema, request.query);
    const { rows, overrides } = await readLimits(dependencies, only === undefined ? providerIds : [only]);
    response.json({ data: rows, overrides: overrides.map(toResource) });
  };

const kind = choice(limitKinds);
const highestCount = 1_000_000_000;
const count = z.int().min(1).max(highestCount);
const countRule = `must be a whole number from 1 to ${highestCount}, or null for no limit`;
const moneyRule = 'must be an amount of USD with up to eight places, such as "20.5", or null for no limit';

type Wanted = { kind: LimitKind; limit: string | number | null };

const isFitting = (wanted: Wanted): boolean =>
  wanted.limit === null || (wanted.kind === 'spend_per_month' ? money : count).safeParse(wanted.limit).success;

const putSchema = strict({
  provider,
  credential: nullableText(64),
  model: nullableText(200),
  kind,
  limit: z.union([z.string(), z.number()], { error: countRule }).nullable(),
}).refine(isFitting, {
  path: ['limit'],
  error: ({ input }) => ((input as Wanted).kind === 'spend_per_month' ? moneyRule : countRule),
});

const deleteSchema = strict({
  provider,
  credential: text(64).nullable().default(null),
  model: text(200).nullable().default(null),
  kind,
});

const findModels = (models: readonly Model[], name: string): Model[] => {
  const own = models.filter(({ id, providerModel }) => id === name || providerModel === name);
  return own.length > 0 ? own : models.filter(({ family }) => family === name);
};

const complainOfKey = ({ aliases }: ApiDependencies, { provider: id, credential }: LimitName): Violation[] => {
  const known = aliases.get(id) ?? [];
  if (credential === null || known.includes(credential)) return [];
  return [{ pointer: '/credential', detail: `must be null or one of ${known.join(', ')}` }];
};

/** A family that the provider sells several models of is not one of them. */
const complainOfModel = (models: readonly Model[], meant: readonly Model[]): Violation[] => {
  if (meant.length === 1) return [];
  const ids = (meant.length === 0 ? models : meant).map(({ id }) => id);
  return [{ pointer: '/model', detail: `must be null or one of ${ids.join(', ')}` }];
};

/** Names what there is, the model by its canonical id. `code`: of what is said of names that there are not. */
const resolveName = (dependencies: ApiDependencies, wanted: LimitName, code: FailureCode): LimitName => {
  const models = ofProvider(dependencies.catalogue, wanted.provider);
  const meant = wanted.model === null ? [] : findModels(models, wanted.model);
  const violations = [
    ...complainOfKey(dependencies, wanted),
    ...(wanted.model === null ? [] : complainOfModel(models, meant)),
  ];
  if (violations.length > 0) throw new SureshotError(code, 'the limit names what there is not', { violations });
  return { ...wanted, model: meant[0]?.id ?? null };
};

const findOverride = async ({ database }: ApiDependencies, name: LimitName): Promise<SetLimit | undefined> => {
  const overrides = await readOverrides(database, name.provider);
  return overrides.find(
    ({ credential, model, kind: of }) => credential === name.credential && model === name.model && of === name.kind,
  );
};

const answerSet =
  (dependencies: ApiDependencies): RequestHandler =>
  async (request, response) => {
    const { limit, ...wanted } = parseBody(putSchema, request.body);
    const name = resolveName(dependencies, wanted, 'caller_invalid_request');
    const override = { ...name, most: readMost(name.kind, limit) };
    if (await setOverride(dependencies.database, override))
      dependencies.logger.info({ ...override }, 'a limit was set at run time');
    const set = await findOverride(dependencies, name);
    response.json(toResource(set ?? { ...override, changedAt: dependencies.clock() }));
  };

/** Also of a key or model that has gone since; of what never was there is said what there is. */
const answerReset =
  (dependencies: ApiDependencies): RequestHandler =>
  async (request, response) => {
    const wanted = parseQuery(deleteSchema, request.query);
    const wasSet = await findOverride(dependencies, wanted);
    const name = wasSet ? wanted : resolveName(dependencies, wanted, 'caller_malformed');
    if (await deleteOverride(dependencies.database, name))
      dependencies.logger.info({ ...name }, 'a limit is as configured again');
    response.status(204).end();
  };

export const createLimitRoutes = (dependencies: ApiDependencies): Router => {
  const routes = Router();
  const operate = requireScope('operate');
  routes
    .route('/limits')
    .get(operate, answerList(dependencies))
    .put(operate, requireOperatorTenant, readJson, answerSet(dependencies))
    .delete(operate, requireOperatorTenant, answerReset(dependencies))
    .all(refuseMethod('GET, PUT, DELETE'));
  return routes;
};
