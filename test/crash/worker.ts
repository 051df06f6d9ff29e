import { loadProduction } from './production';
import { dieIfOrdered, ordersVariable } from './orders';

// The production worker, compiled, with one thing changed: where it says how far it got, it may have been ordered to die.
const composition = loadProduction<typeof import('../../src/worker-dependencies')>('worker-dependencies');
const { createWorkerDependencies } = composition;
const folder = process.env[ordersVariable] ?? '';

Object.assign(composition, {
  createWorkerDependencies: (...input: Parameters<typeof createWorkerDependencies>) => {
    const created = createWorkerDependencies(...input);
    created.dependencies.reached = (boundary) => dieIfOrdered(folder, boundary);
    return created;
  },
});

loadProduction('worker');
