// Pass 1: who may import whom, imports of types counted. The table stands in docs/architecture.md.
const npm = (...names) => names.map((name) => `node_modules/(@types/)?${name}/`);
const node = ['^(node:)?[a-z0-9_]+$', '^(node:)?[a-z0-9_]+/promises$'];
const domain = '^src/domain/';

/** Provider folder → the package of its SDK. Nobody else may import it. */
const sdks = {
  anthropic: '@anthropic-ai/sdk',
  cloudflare: 'cloudflare',
  elevenlabs: '@elevenlabs/elevenlabs-js',
  fal: '@fal-ai/client',
  google: '@google/genai',
  groq: 'groq-sdk',
  openai: 'openai',
  runway: '@runwayml/sdk',
};

const only = (name, from, allowed) => ({
  name: `${name}-imports-only-what-the-table-says`,
  severity: 'error',
  from: { path: from },
  to: { pathNot: [from, ...allowed].flat() },
});

const never = (name, from, to) => ({ name, severity: 'error', from, to });

module.exports = {
  forbidden: [
    only('domain', domain, []),
    only('a-provider', '^src/providers/([^/]+)/', [
      domain,
      '^src/providers/(callback-signatures|provider|recovery|refusal|request-values|scrub|transport)\\.ts$',
      ...npm('zod', ...Object.values(sdks)),
    ]),
    only('the-provider-contract', '^src/providers/[^/]+\\.ts$', [
      domain,
      '^src/providers/[^/]+/',
      ...npm('undici', 'ipaddr.js', 'zod'),
      ...node,
    ]),
    only('stores', '^src/stores/', [domain, ...npm('@prisma/[^/]+', 'pg', '@aws-sdk/[^/]+'), ...node]),
    only('workflows', '^src/workflows/', [
      domain,
      '^src/activities/index\\.ts$',
      '^src/stores/attempt-plan\\.ts$',
      ...npm('@temporalio/workflow'),
    ]),
    only('activities', '^src/activities/', [
      domain,
      '^src/providers/[^/]+\\.ts$',
      '^src/stores/',
      ...npm('@temporalio/activity', '@temporalio/common', 'pino', 'tinyld'),
      '^(node:)?timers/promises$',
    ]),
    only('api', '^src/api/', [
      domain,
      '^src/stores/',
      '^src/providers/catalogue\\.ts$',
      '^src/workflows/(messages|index)\\.ts$',
      ...npm('busboy', 'express', 'helmet', 'ipaddr.js', 'pino', 'pino-http', 'ulid', 'zod', '@temporalio/client'),
      ...node,
    ]),
    only('embedded', '^src/embedded/', ['^src/config\\.ts$', 'node_modules/', ...node]),
    only('emulator', '^src/emulator/', ['node_modules/', ...node]),
    only('cli', '^src/cli/', ['node_modules/', ...node]),
    only('doctor', '^src/doctor/', [
      '^src/cli/',
      '^src/providers/provider\\.ts$',
      '^src/workflows/messages\\.ts$',
      ...npm('pg', '@temporalio/client', '@temporalio/envconfig'),
      ...node,
    ]),
    only('console', '^src/console/', ['node_modules/', ...node]),

    never(
      'no-provider-knows-another',
      { path: '^src/providers/([^/]+)/' },
      { path: '^src/providers/[^/]+/', pathNot: '^src/providers/$1/' },
    ),
    never(
      'only-the-lists-name-providers',
      { path: '^src/', pathNot: '^src/providers/([^/]+/|(index|catalogue)\\.ts$)' },
      { path: '^src/providers/[^/]+/' },
    ),
    ...Object.entries(sdks).map(([provider, sdk]) =>
      never(
        `the-sdk-of-${provider}-stays-in-its-folder`,
        { path: '^src/', pathNot: `^src/providers/${provider}/` },
        { path: npm(sdk) },
      ),
    ),
    never(
      'workflows-know-activities-and-stores-as-types',
      { path: '^src/workflows/' },
      { path: '^src/(activities|stores)/', dependencyTypesNot: ['type-only'] },
    ),
    never(
      'api-knows-workflow-functions-as-types',
      { path: '^src/api/' },
      { path: '^src/workflows/index\\.ts$', dependencyTypesNot: ['type-only'] },
    ),
    never(
      'activities-know-the-logger-as-a-type',
      { path: '^src/activities/' },
      { path: npm('pino'), dependencyTypesNot: ['type-only'] },
    ),
    never(
      'nobody-imports-the-composition-level',
      { path: '^src/[^/]+/' },
      { path: '^src/[^/]+\\.ts$', pathNot: '^src/config\\.ts$' },
    ),
    never(
      'generated-code-stays-in-stores',
      { path: '^src/', pathNot: '^src/stores/' },
      { path: '^src/stores/generated/' },
    ),
    never('no-cycles', { path: '^src/', pathNot: '^src/stores/generated/' }, { circular: true }),
    never('no-orphans', { orphan: true, path: '^src/', pathNot: '^src/stores/generated/' }, {}),
    never('everything-resolves', { path: '^src/' }, { couldNotResolve: true }),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: ['node_modules', '^src/stores/generated'] },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['require', 'node', 'import', 'default', 'types'],
    },
  },
};
