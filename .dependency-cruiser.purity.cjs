// Pass 2: what is reached at run time, however many imports away; imports of types are gone.
const { options } = require('./.dependency-cruiser.layers.cjs');

const reaches = (name, from, to) => ({ name, severity: 'error', from: { path: from }, to: { ...to, reachable: true } });

module.exports = {
  forbidden: [
    // no node built-in, zod, database, SDK or logger: the workflow sandbox has none, and a replay must not depend on one
    reaches('workflows-reach-only-domain-and-the-workflow-library', '^src/workflows/', {
      pathNot: ['^src/(workflows|domain)/', 'node_modules/@temporalio/(workflow|common)/'],
    }),
    reaches('domain-reaches-nothing', '^src/domain/', { pathNot: '^src/domain/' }),
    // the API never calls a provider
    reaches('api-reaches-no-provider', '^src/api/', {
      path: '^src/providers/([^/]+/(wire|index)|index|transport|download)\\.ts$',
    }),
  ],
  options: { ...options, tsPreCompilationDeps: false },
};
