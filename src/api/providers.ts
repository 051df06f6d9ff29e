import { Router, type RequestHandler } from 'express';
import { failures, SureshotError, type FailureCode } from '../domain/failure';
import { providerDashboards } from '../providers/catalogue';
import { readLastErrors, readProviderStatistics } from '../stores/provider-statistics';
import { requireScope } from './authenticate';
import type { ApiDependencies } from './dependencies';
import { nullableText, strict } from './fields';
import { refuseMethod } from './problem-details';
import { readOptionalJson } from './read-json';
import { parseBody } from './validation';

const aliasesOf = ({ aliases }: ApiDependencies, provider: string): readonly string[] => aliases.get(provider) ?? [];

const answerList =
  (dependencies: ApiDependencies): RequestHandler =>
  async (_request, response) => {
    const { database, catalogue, configured } = dependencies;
    const [statistics, lastErrors] = await Promise.all([readProviderStatistics(database), readLastErrors(database)]);
    const data = Object.entries(providerDashboards).map(([id, dashboardUrl]) => {
      const seen = statistics.find(({ provider }) => provider === id);
      return {
        id,
        configured: configured.has(id),
        // nobody can pause a provider yet, and there is no breaker and no health check: unknown is not healthy
        paused: false,
        breaker: null,
        health: null,
        enabled: catalogue.some((model) => model.provider === id && model.enabled !== false),
        dashboardUrl,
        credentials: aliasesOf(dependencies, id).map((alias) => {
          const error = lastErrors.find(({ provider, credential }) => provider === id && credential === alias);
          return {
            alias,
            status: 'active',
            cooldownUntil: null,
            lastError: error ? { code: error.code, at: error.at.toISOString() } : null,
          };
        }),
        latencyMs: { p50: seen?.p50Ms ?? null, p95: seen?.p95Ms ?? null },
        successRate: seen?.successRate ?? null,
      };
    });
    response.json({ data });
  };

const testSchema = strict({ credential: nullableText(64) });

/** The one named, or the first. */
const chooseCredential = (dependencies: ApiDependencies, provider: string, wanted: string | null): string => {
  const aliases = aliasesOf(dependencies, provider);
  const [first] = aliases;
  if (first === undefined) throw new SureshotError('policy_no_capacity', `no key for ${provider} is configured`);
  if (wanted === null || aliases.includes(wanted)) return wanted ?? first;
  throw new SureshotError('caller_invalid_request', `${provider} has no key of this name`, {
    violations: [{ pointer: '/credential', detail: `must be null or one of ${aliases.join(', ')}` }],
  });
};

/** The provider's words stay in the worker's log: they may quote what only operators may see. */
const messages: Partial<Record<FailureCode, string>> = {
  provider_auth: 'the provider refused the key',
  provider_insufficient_funds: 'the account has no credit left',
  provider_rate_limited: 'the provider asks to slow down',
  provider_overloaded: 'the provider is overloaded',
  provider_timeout: 'the provider did not answer in time',
  provider_server_error: 'the provider could not be reached or failed',
  provider_bad_response: 'the answer is not what the provider documents',
};

const answerTest =
  (dependencies: ApiDependencies): RequestHandler =>
  async (request, response) => {
    const provider = String(request.params['id']);
    if (!Object.hasOwn(providerDashboards, provider))
      throw new SureshotError('caller_not_found', 'there is no such provider');
    const { credential: wanted } = parseBody(testSchema, request.body ?? {});
    const credential = chooseCredential(dependencies, provider, wanted);
    const { code, latencyMs, model } = await dependencies.workflows.probe(provider, credential);
    const error = code && { code, message: messages[code] ?? 'the call failed', retryable: failures[code].retryable };
    response.json({ provider, credential, ok: code === null, latencyMs, model, error });
  };

export const createProviderRoutes = (dependencies: ApiDependencies): Router => {
  const routes = Router();
  routes.route('/providers').get(requireScope('operate'), answerList(dependencies)).all(refuseMethod('GET'));
  routes
    .route('/providers/:id/test')
    .post(requireScope('operate'), readOptionalJson, answerTest(dependencies))
    .all(refuseMethod('POST'));
  return routes;
};
