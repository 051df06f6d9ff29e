import type { RequestHandler, Response } from 'express';
import { SureshotError } from '../domain/failure';
import { findApiKey, type Scope } from '../stores/api-keys';
import type { ApiDependencies } from './dependencies';

/** Who asks. */
export type Principal = { tenantId: string; scopes: readonly Scope[] };

export const principalOf = (response: Response): Principal => response.locals['principal'] as Principal;

const refuse = (why: string): SureshotError =>
  new SureshotError('caller_unauthenticated', `${why}; send Authorization: Bearer <key>`);

/** Before anything of a request is read. */
export const authenticate =
  ({ database, clock }: ApiDependencies): RequestHandler =>
  async (request, response, next) => {
    const key = /^Bearer +(\S+) *$/i.exec(request.get('Authorization') ?? '')?.[1];
    if (key === undefined) throw refuse('no API key was sent');
    const found = await findApiKey(database, key);
    if (!found) throw refuse('the API key is not known');
    if (found.expiresAt !== null && found.expiresAt <= clock()) throw refuse('the API key has expired');
    response.locals['principal'] = { tenantId: found.tenantId, scopes: found.scopes } satisfies Principal;
    next();
  };

export const requireScope =
  (scope: Scope): RequestHandler =>
  (_request, response, next) => {
    const { scopes } = principalOf(response);
    if (!scopes.includes(scope) && !scopes.includes('admin'))
      throw new SureshotError('caller_forbidden', `this takes a key with the scope ${scope}`);
    next();
  };
