import { Router, type RequestHandler } from 'express';
import { ulid } from 'ulid';
import { z } from 'zod';
import { SureshotError } from '../domain/failure';
import { changeTenant, createTenant } from '../stores/tenants';
import { requireOperatorTenant, requireScope } from './authenticate';
import type { ApiDependencies } from './dependencies';
import { strict } from './fields';
import { refuseMethod } from './problem-details';
import { readJson } from './read-json';
import { parseBody } from './validation';

const name = z.string().trim().min(1).max(100);
/** Its share of scarce capacity, against the other tenants'. */
const weight = z.int().min(1).max(1000);

const tenantSchema = strict({ name, weight: weight.default(1) });

const changeSchema = strict({ name: name.exactOptional(), weight: weight.exactOptional() }).refine(
  (change) => Object.keys(change).length > 0,
  'must have name, weight or both',
);

const takenName = (): SureshotError =>
  new SureshotError('caller_conflict', 'there is a tenant of this name already', {
    violations: [{ pointer: '/name', detail: 'is taken' }],
  });

const answerCreate =
  ({ database }: ApiDependencies): RequestHandler =>
  async (request, response) => {
    const tenant = { id: `ten_${ulid()}`, ...parseBody(tenantSchema, request.body) };
    if ((await createTenant(database, tenant)) === 'name_taken') throw takenName();
    response.status(201).json(tenant);
  };

const answerChange =
  ({ database }: ApiDependencies): RequestHandler =>
  async (request, response) => {
    const change = parseBody(changeSchema, request.body);
    const changed = await changeTenant(database, String(request.params['id']), change);
    if (changed === 'missing') throw new SureshotError('caller_not_found', 'there is no such tenant');
    if (changed === 'name_taken') throw takenName();
    response.json(changed);
  };

export const createTenantRoutes = (dependencies: ApiDependencies): Router => {
  const routes = Router();
  // an admin of one tenant must not reach beyond it
  const guards = [requireScope('admin'), requireOperatorTenant, readJson];
  routes.route('/tenants').post(guards, answerCreate(dependencies)).all(refuseMethod('POST'));
  routes.route('/tenants/:id').patch(guards, answerChange(dependencies)).all(refuseMethod('PATCH'));
  return routes;
};
