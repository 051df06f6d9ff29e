import { Router, type Request, type RequestHandler } from 'express';
import { z } from 'zod';
import { failures, SureshotError, type FailureCode } from '../domain/failure';
import { listProviderEvents } from '../stores/provider-events';
import { requireScope } from './authenticate';
import type { ApiDependencies } from './dependencies';
import { nullableText, pageLimit, strict } from './fields';
import { refuseMethod } from './problem-details';
import { isProvider, readProviders } from './provider-resource';
import { readOptionalJson } from './read-json';
import { parseBody, parseQuery } from './validation';

/** The one in the path. */
export const providerOf = (request: Request): string => {
  const provider = String(request.params['id']);
  if (!isProvider(provider)) throw new SureshotError('caller_not_found', 'there is no such provider');
  return provider;
};

const answerList =
  (dependencies: ApiDependencies): RequestHandler =>
  async (_request, response) => {
    response.json({ data: await readProviders(dependencies) });
  };

const eventsSchema = strict({
  limit: pageLimit,
  after: z
    .string()
    .regex(/^\d{1,18}$/, 'must be the id of an event, or 0')
    .optional(),
}) satisfies z.ZodType;

/** In order. Without `after` the latest ones; with it the next ones, none of which is left out. */
const answerEvents =
  ({ database }: ApiDependencies): RequestHandler =>
  async (request, response) => {
    const provider = providerOf(request);
    const { after, limit } = parseQuery(eventsSchema, request.query);
    const isPaging = after !== undefined;
    const found = await listProviderEvents(database, {
      ...{ provider, limit: isPaging ? limit + 1 : limit },
      ...(isPaging && { after }),
    });
    const page = found.slice(0, limit);
    const nextCursor = page.at(-1)?.id ?? after ?? '0';
    response.json({ data: page, hasMore: found.length > limit, nextCursor });
  };

const testSchema = strict({ credential: nullableText(64) });

/** The one named, or the first. */
const chooseCredential = ({ aliases }: ApiDependencies, provider: string, wanted: string | null): string => {
  const known = aliases.get(provider) ?? [];
  const [first] = known;
  if (first === undefined) throw new SureshotError('policy_no_capacity', `no key for ${provider} is configured`);
  if (wanted === null || known.includes(wanted)) return wanted ?? first;
  throw new SureshotError('caller_invalid_request', `${provider} has no key of this name`, {
    violations: [{ pointer: '/credential', detail: `must be null or one of ${known.join(', ')}` }],
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
    const provider = providerOf(request);
    const { credential: wanted } = parseBody(testSchema, request.body ?? {});
    const credential = chooseCredential(dependencies, provider, wanted);
    const { code, latencyMs, model } = await dependencies.workflows.probe(provider, credential);
    const error = code && { code, message: messages[code] ?? 'the call failed', retryable: failures[code].retryable };
    response.json({ provider, credential, ok: code === null, latencyMs, model, error });
  };

export const createProviderRoutes = (dependencies: ApiDependencies): Router => {
  const routes = Router();
  const operate = requireScope('operate');
  routes.route('/providers').get(operate, answerList(dependencies)).all(refuseMethod('GET'));
  routes
    .route('/providers/:id/test')
    .post(operate, readOptionalJson, answerTest(dependencies))
    .all(refuseMethod('POST'));
  routes.route('/providers/:id/events').get(operate, answerEvents(dependencies)).all(refuseMethod('GET'));
  return routes;
};
