import { Router } from 'express';
import { ulid } from 'ulid';
import { z } from 'zod';
import { SureshotError } from '../domain/failure';
import { createTenant, defaultTenantId } from '../stores/tenants';
import { principalOf, requireScope } from './authenticate';
import type { ApiDependencies } from './dependencies';
import { strict } from './fields';
import { refuseMethod } from './problem-details';
import { readJson } from './read-json';
import { parseBody } from './validation';

const tenantSchema = strict({
  name: z.string().trim().min(1).max(100),
  weight: z.int().min(1).max(1000).default(1),
});

export const createTenantRoutes = ({ database }: ApiDependencies): Router => {
  const routes = Router();
  routes
    .route('/tenants')
    .post(requireScope('admin'), readJson, async (request, response) => {
      // an admin of one tenant must not reach beyond it
      if (principalOf(response).tenantId !== defaultTenantId)
        throw new SureshotError('caller_forbidden', 'this takes an admin key of the tenant default');
      const { name, weight } = parseBody(tenantSchema, request.body);
      const id = `ten_${ulid()}`;
      if ((await createTenant(database, { id, name, weight })) === 'name_taken')
        throw new SureshotError('caller_conflict', `there is a tenant of the name ${name} already`, {
          violations: [{ pointer: '/name', detail: 'is taken' }],
        });
      response.status(201).json({ id, name, weight });
    })
    .all(refuseMethod('POST'));
  return routes;
};
