import { loadProduction } from './production';
import { dieIfOrdered, ordersVariable } from './orders';

// The production API, compiled; it may have been ordered to die on either side of the commit of a request.
const composition = loadProduction<typeof import('../../src/dependencies')>('dependencies');
const { createApiDependencies } = composition;
const folder = process.env[ordersVariable] ?? '';

Object.assign(composition, {
  createApiDependencies: (...input: Parameters<typeof createApiDependencies>) => {
    const created = createApiDependencies(...input);
    const { dependencies } = created;
    const { newId, workflows } = dependencies;
    dependencies.newId = () => {
      dieIfOrdered(folder, 'accepting');
      return newId();
    };
    dependencies.workflows = {
      ...workflows,
      start: (generation) => {
        dieIfOrdered(folder, 'committed');
        workflows.start(generation);
      },
      cancel: (id) => {
        dieIfOrdered(folder, 'cancel-committed');
        return workflows.cancel(id);
      },
    };
    return created;
  },
});

loadProduction('server');
