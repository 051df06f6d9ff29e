import { randomBytes } from 'node:crypto';
import { Router } from 'express';
import { ulid } from 'ulid';
import { z } from 'zod';
import { SureshotError } from '../domain/failure';
import { createApiKey, scopes } from '../stores/api-keys';
import { defaultTenantId } from '../stores/tenants';
import { principalOf, requireScope, type Principal } from './authenticate';
import type { ApiDependencies } from './dependencies';
import { strict } from './fields';
import { refuseMethod } from './problem-details';
import { readJson } from './read-json';
import { parseBody } from './validation';

/** 256 random bits, as a password manager and a scanner of leaked secrets can recognise them. */
const newKey = (): string => `sk_${randomBytes(32).toString('base64url')}`;

const schemaAt = (now: Date) =>
  strict({
    name: z.string().trim().min(1).max(100),
    tenant: z.string().min(1).max(64).nullish(),
    scopes: z.array(z.enum(scopes)).min(1).max(scopes.length),
    expiresAt: z.iso
      .datetime({ offset: true, error: 'must be a time such as 2030-01-31T12:00:00Z', abort: true })
      .refine((time) => new Date(time) > now, 'must be in the future')
      .nullish(),
  });

/** An admin of one tenant must not learn whether another exists. */
const tenantFor = ({ tenantId }: Principal, wanted: string | null | undefined): string => {
  const tenant = wanted ?? tenantId;
  if (tenant !== tenantId && tenantId !== defaultTenantId) throw unknownTenant();
  return tenant;
};

const unknownTenant = (): SureshotError =>
  new SureshotError('caller_not_found', 'there is no such tenant', {
    violations: [{ pointer: '/tenant', detail: 'is not the id of a tenant' }],
  });

export const createApiKeyRoutes = ({ database, clock }: ApiDependencies): Router => {
  const routes = Router();
  routes
    .route('/api-keys')
    .post(requireScope('admin'), readJson, async (request, response) => {
      const body = parseBody(schemaAt(clock()), request.body);
      const tenantId = tenantFor(principalOf(response), body.tenant);
      const expiresAt = body.expiresAt ? new Date(body.expiresAt) : null;
      const [id, key] = [`key_${ulid()}`, newKey()];
      const input = { id, tenantId, name: body.name, key, scopes: [...new Set(body.scopes)], expiresAt };
      const created = await createApiKey(database, input);
      if (created === 'tenant_missing') throw unknownTenant();
      const { name, scopes: granted } = input;
      response
        .status(201)
        .json({ id, key, prefix: created.prefix, name, tenant: tenantId, scopes: granted, expiresAt });
    })
    .all(refuseMethod('POST'));
  return routes;
};
