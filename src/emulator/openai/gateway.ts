import type { Answer } from '../answer';
import type { Call, Route } from '../provider';
import { problem } from './problems';

/*
 * A gateway in front of OpenAI, as Vercel's AI Gateway and Cloudflare's compat endpoint are one: base URL
 * `/openai/v1/gateway`, the same JSON routes below it, and models with a prefix ("openai/gpt-4o-mini"), which are booked
 * without it. On the plain routes the prefix is taken off too when `cf-aig-authorization` shows that Cloudflare's
 * gateway is meant. Either way the ledger's notes and the notes of the request say so.
 */
const prefix = 'openai/';
const path = '/gateway';

type NamedBody = Record<string, unknown> & { model: string };

const namedBody = ({ body }: Call): NamedBody | undefined => {
  const isNamed = typeof body === 'object' && body !== null && 'model' in body && typeof body.model === 'string';
  return isNamed ? (body as NamedBody) : undefined;
};

const isHeaded = ({ headers }: Call): boolean => headers['cf-aig-authorization'] !== undefined;

/** Done before anything else looks at the body: a fault is matched with OpenAI's own name of the model. */
const unwrap = (call: Call): void => {
  const body = namedBody(call);
  if (body === undefined || !body.model.startsWith(prefix)) return;
  call.body = { ...body, model: body.model.slice(prefix.length) };
  call.notes.push(`through a gateway as ${body.model}`);
};

const unknownProvider = (model: string): Answer =>
  problem(400, {
    message: `Invalid provider: '${model}' must start with the name of one, as in 'openai/gpt-4o-mini'.`,
    param: 'model',
    code: 'invalid_value',
  });

const withPrefix = (route: Route): Route => ({
  ...route,
  path: `${path}${route.path}`,
  describe: (call) => {
    unwrap(call);
    return route.describe?.(call) ?? {};
  },
  handle: (call) => {
    const body = namedBody(call);
    return body === undefined || call.notes.length > 0 ? route.handle(call) : unknownProvider(body.model);
  },
});

const withHeader = (route: Route): Route => ({
  ...route,
  describe: (call) => {
    if (isHeaded(call)) unwrap(call);
    return route.describe?.(call) ?? {};
  },
});

export const withGateway = (routes: Route[]): Route[] => [
  ...routes.map(withHeader),
  ...routes.filter(({ kind }) => kind === 'submit').map(withPrefix),
];
