import express, { type Request, type RequestHandler, type Response, Router } from 'express';
import { SureshotError } from '../domain/failure';
import { storable } from '../domain/text';
import { findFollower, recordCallback } from '../stores/provider-callbacks';
import { readCallbackToken, type CallbackAddress } from './callback-token';
import type { ApiDependencies } from './dependencies';
import { refuseMethod, refuseUnknownRoute } from './problem-details';

const highestBytes = 1024 * 1024;

/** What a signature may stand in or be over, and what tells whose message it is. Nothing of proxies, cookies or keys. */
const keptHeaders = /^((x-fal-)?webhook-.+|content-type|user-agent)$/;

/** Signatures are judged later by their age: from outside nobody can set it, being no kept header. */
const receivedHeader = 'x-sureshot-received-at';

const headersOf = (request: Request, receivedAt: Date): Record<string, string> => {
  const kept = Object.entries(request.headers).filter(([name]) => keptHeaders.test(name));
  const texts = kept.map(([name, value]) => [name, storable([value ?? []].flat().join(', '))]);
  return { ...Object.fromEntries(texts), [receivedHeader]: receivedAt.toISOString() } as Record<string, string>;
};

type Place = { provider: string; token: string };

const addressOf = (response: Response): CallbackAddress => response.locals['address'] as CallbackAddress;

/** Before anything of the body is read or the database is asked: strangers cost nothing, and learn nothing. */
const recognize =
  ({ secret }: ApiDependencies): RequestHandler =>
  (request, response, next) => {
    const { provider, token } = request.params as Place;
    const address = readCallbackToken(secret, { provider, token });
    response.locals['address'] = address;
    if (address === null) refuseUnknownRoute(request, response, next);
    else next();
  };

const parseBody = express.raw({ limit: highestBytes, type: () => true });

const readBody: RequestHandler = (request, response, next) => {
  parseBody(request, response, (error?: unknown) => {
    const isTooLarge = (error as { status?: number } | undefined)?.status === 413;
    next(isTooLarge ? new SureshotError('caller_payload_too_large', 'a callback has at most 1 MB') : error);
  });
};

/** Only kept: what it says is looked at by the attempt itself. What is not kept is not to be sent again either. */
const answerCallback =
  ({ database, workflows, clock }: ApiDependencies): RequestHandler =>
  async (request, response) => {
    const { provider, ...key } = addressOf(response);
    const body = Buffer.isBuffer(request.body) ? request.body.toString('utf8') : '';
    const headers = headersOf(request, clock());
    const kept = await recordCallback(database, { provider, ...key }, { headers, body });
    // a repetition is told of too: the process that kept the first one may have died before it told
    const follower = kept === 'kept' || kept === 'repeated' ? await findFollower(database, key) : null;
    response.set('Cache-Control', 'no-store').json({});
    if (follower) void workflows.callBack({ generationId: follower.generationId, number: follower.number });
  };

/** What providers announce by themselves. The address is the key: who knows it was told by us, through the provider. */
export const createProviderCallbackRoutes = (dependencies: ApiDependencies): Router => {
  const routes = Router();
  routes
    .route('/webhooks/providers/:provider/:token')
    .post(recognize(dependencies), readBody, answerCallback(dependencies))
    .all(refuseMethod('POST'));
  return routes;
};
