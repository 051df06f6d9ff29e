import type { FailureCode } from '../domain/failure';
import type { Model } from '../domain/model';
import { judgeHealth, type Evidence, type Health } from '../domain/provider-health';
import { providerDashboards } from '../providers/catalogue';
import { listBreakers } from '../stores/breakers';
import { listHealthChecks, type HealthCheck } from '../stores/health-checks';
import { listProviderCredentials } from '../stores/provider-credentials';
import {
  readLastErrors,
  readProviderStatistics,
  readRecentTraffic,
  type LastError,
  type ProviderStatistics,
} from '../stores/provider-statistics';
import { readQueues } from '../stores/turns';
import type { ApiDependencies } from './dependencies';

type Breaker = Awaited<ReturnType<typeof listBreakers>>[number];
type Credential = Awaited<ReturnType<typeof listProviderCredentials>>[number];
type Queue = Awaited<ReturnType<typeof readQueues>>[number];

type ErrorView = { code: FailureCode; at: string };

type Figures = {
  latencyMs: { p50: number | null; p95: number | null; ewma: number | null };
  successRate: number | null;
  retrySuccessRate: number | null;
};

type ModelView = Figures & {
  id: string;
  enabled: boolean;
  breaker: Breaker['state'];
  lastError: (ErrorView & { credential: string }) | null;
};

export type KeyView = {
  alias: string;
  status: 'active' | 'paused' | 'disabled';
  cooldownUntil: string | null;
  disabledBy: string | null;
  lastError: ErrorView | null;
  lastUsedAt: string | null;
};

type HealthView = Omit<Health, 'checkedAt'> & {
  checkedAt: string | null;
  /** The last call that was made only to see how it is. */
  check: {
    at: string;
    credential: string;
    ok: boolean;
    code: FailureCode | null;
    latencyMs: number;
    failures: number;
  } | null;
};

export type ProviderResource = Figures & {
  id: string;
  configured: boolean;
  enabled: boolean;
  paused: boolean;
  pause: { since: string; waiting: 'wait' | 'reroute' } | null;
  /** The worst of all of them. */
  breaker: Breaker['state'];
  /** Those that are not closed. */
  breakers: {
    model: string;
    credential: string;
    state: Breaker['state'];
    openUntil: string | null;
    openings: number;
    changedAt: string;
  }[];
  health: HealthView;
  dashboardUrl: string | null;
  credentials: KeyView[];
  lastError: (ErrorView & { model: string; credential: string }) | null;
  models: ModelView[];
};

type Traffic = Awaited<ReturnType<typeof readRecentTraffic>>[number];

/** All that is kept of providers, read at once. Each list may have rows of others. */
type Records = {
  statistics: readonly ProviderStatistics[];
  lastErrors: readonly LastError[];
  breakers: readonly Breaker[];
  keys: readonly Credential[];
  queues: readonly Queue[];
  traffic: readonly Traffic[];
  checks: readonly HealthCheck[];
};

const readRecords = async ({ database }: ApiDependencies): Promise<Records> => {
  const [statistics, lastErrors, breakers, keys, queues, traffic, checks] = await Promise.all([
    readProviderStatistics(database),
    readLastErrors(database),
    listBreakers(database),
    listProviderCredentials(database),
    readQueues(database),
    readRecentTraffic(database),
    listHealthChecks(database),
  ]);
  return { statistics, lastErrors, breakers, keys, queues, traffic, checks };
};

const recordsOf = (records: Records, provider: string): Records => {
  const own = <Row extends { provider: string }>(rows: readonly Row[]): Row[] =>
    rows.filter((row) => row.provider === provider);
  return {
    statistics: own(records.statistics),
    lastErrors: own(records.lastErrors),
    breakers: own(records.breakers),
    keys: own(records.keys),
    queues: own(records.queues),
    traffic: own(records.traffic),
    checks: own(records.checks),
  };
};

const tellTime = (time: Date | null): string | null => time?.toISOString() ?? null;

const tellError = ({ code, at }: { code: FailureCode; at: Date }): ErrorView => ({ code, at: at.toISOString() });

const badness = ['closed', 'half_open', 'open'] as const satisfies readonly Breaker['state'][];

const worstOf = (breakers: readonly Breaker[]): Breaker['state'] =>
  badness[Math.max(0, ...breakers.map(({ state }) => badness.indexOf(state)))] ?? 'closed';

type Seen = Omit<ProviderStatistics, 'provider' | 'model'>;

const nothingSeen: Seen = { p50Ms: null, p95Ms: null, ewmaMs: null, successRate: null, retrySuccessRate: null };

const figuresOf = ({ p50Ms, p95Ms, ewmaMs, successRate, retrySuccessRate }: Seen = nothingSeen): Figures => ({
  latencyMs: { p50: p50Ms, p95: p95Ms, ewma: ewmaMs },
  successRate,
  retrySuccessRate,
});

const describeModel = ({ id, enabled }: Model, { statistics, breakers, lastErrors }: Records): ModelView => {
  const error = lastErrors.find(({ model }) => model === id);
  return {
    id,
    enabled: enabled !== false,
    breaker: worstOf(breakers.filter(({ model }) => model === id)),
    ...figuresOf(statistics.find(({ model }) => model === id)),
    lastError: error ? { ...tellError(error), credential: error.credential } : null,
  };
};

const newest = (errors: readonly ({ code: FailureCode; at: Date } | null | undefined)[]): ErrorView | null => {
  const known = errors.flatMap((error) => error ?? []).sort((left, right) => right.at.getTime() - left.at.getTime());
  return known[0] ? tellError(known[0]) : null;
};

const errorOfKey = (key: Credential | undefined): { code: FailureCode; at: Date } | null =>
  key?.lastErrorCode && key.lastErrorAt ? { code: key.lastErrorCode as FailureCode, at: key.lastErrorAt } : null;

const statusOf = (key: Credential | undefined): KeyView['status'] => {
  if (key === undefined) return 'active';
  return key.disabledBy !== null ? 'disabled' : key.isPaused ? 'paused' : 'active';
};

const describeKey = (alias: string, { keys, lastErrors }: Records): KeyView => {
  const key = keys.find((row) => row.alias === alias);
  return {
    alias,
    status: statusOf(key),
    cooldownUntil: key?.isPaused === true ? tellTime(key.pausedUntil) : null,
    disabledBy: key?.disabledBy ?? null,
    lastError: newest([errorOfKey(key), lastErrors.find(({ credential }) => credential === alias)]),
    lastUsedAt: tellTime(key?.lastUsedAt ?? null),
  };
};

const describeCheck = (check: HealthCheck | undefined): HealthView['check'] => {
  if (check === undefined) return null;
  const { at, credential, code, latencyMs, failures } = check;
  return { at: at.toISOString(), credential, ok: code === null, code, latencyMs, failures };
};

const countKeys = (credentials: readonly KeyView[]): Evidence['keys'] => {
  if (credentials.length === 0) return null;
  const usable = credentials.filter(({ status }) => status !== 'disabled');
  return { usable: usable.length, paused: usable.filter(({ status }) => status === 'paused').length };
};

const describeHealth = (credentials: readonly KeyView[], { traffic, checks, breakers }: Records): HealthView => {
  const [check] = checks;
  const { status, reason, checkedAt } = judgeHealth({
    keys: countKeys(credentials),
    isBroken: worstOf(breakers) !== 'closed',
    traffic: traffic[0] ?? null,
    check: check ?? null,
  });
  return { status, reason, checkedAt: tellTime(checkedAt), check: describeCheck(check) };
};

const describePause = (queue: Queue | undefined): ProviderResource['pause'] =>
  queue?.pausedAt ? { since: queue.pausedAt.toISOString(), waiting: queue.pausedWork ?? 'wait' } : null;

const describeBreakers = (breakers: readonly Breaker[]): ProviderResource['breakers'] =>
  breakers
    .filter(({ state }) => state !== 'closed')
    .map(({ model, credential, state, openUntil, openings, changedAt }) => ({
      ...{ model, credential, state, openUntil: tellTime(openUntil), openings, changedAt: changedAt.toISOString() },
    }));

const describeProvider = (
  { catalogue, configured, aliases }: ApiDependencies,
  id: string,
  records: Records,
): ProviderResource => {
  const { statistics, breakers, lastErrors, queues } = records;
  const models = catalogue.filter(({ provider }) => provider === id);
  const credentials = (aliases.get(id) ?? []).map((alias) => describeKey(alias, records));
  const [error] = lastErrors;
  const pause = describePause(queues[0]);
  return {
    id,
    configured: configured.has(id),
    enabled: models.some(({ enabled }) => enabled !== false),
    paused: pause !== null,
    pause,
    breaker: worstOf(breakers),
    breakers: describeBreakers(breakers),
    health: describeHealth(credentials, records),
    dashboardUrl: providerDashboards[id] ?? null,
    credentials,
    ...figuresOf(statistics.find(({ model }) => model === null)),
    lastError: error ? { ...tellError(error), model: error.model, credential: error.credential } : null,
    models: models.map((model) => describeModel(model, records)),
  };
};

export const isProvider = (id: string): boolean => Object.hasOwn(providerDashboards, id);

export const providerIds: readonly string[] = Object.keys(providerDashboards);

/** Every provider, the ones without a key too. */
export const readProviders = async (dependencies: ApiDependencies): Promise<ProviderResource[]> => {
  const records = await readRecords(dependencies);
  return providerIds.map((id) => describeProvider(dependencies, id, recordsOf(records, id)));
};
