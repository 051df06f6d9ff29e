import type { RequestHandler, Response } from 'express';
import { SureshotError } from '../domain/failure';
import { findApiKey, type Scope } from '../stores/api-keys';
import { defaultTenantId } from '../stores/tenants';
import type { ApiDependencies } from './dependencies';

/** Who asks. */
export type Principal = {
  tenantId: string;
  /** The tenant's share of what is scarce. */
  weight: number;
  scopes: readonly Scope[];
};

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
    const { tenantId, weight, scopes } = found;
    response.locals['principal'] = { tenantId, weight, scopes } satisfies Principal;
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

/** What one tenant may not decide for the others: providers and limits serve all of them. */
export const requireOperatorTenant: RequestHandler = (_request, response, next) => {
  if (principalOf(response).tenantId !== defaultTenantId)
    throw new SureshotError('caller_forbidden', 'this takes a key of the tenant default');
  next();
};
