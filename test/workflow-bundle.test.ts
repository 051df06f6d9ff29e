import { readFileSync } from 'node:fs';
import path from 'node:path';

const project = path.join(__dirname, '..');
/** Built by `pretest`; what every worker of a release runs. */
const bundle = readFileSync(path.join(project, 'dist', 'workflow-bundle.js'), 'utf8');

/** A file of each package that workflows must not reach, and a string that gives it away. */
const foreign: readonly (readonly [name: string, file: string, trace: string])[] = [
  ['zod', 'v4/core/core.cjs', '_zod'],
  ['@prisma/client', 'runtime/client.js', 'PrismaClientKnownRequestError'],
  ['@prisma/adapter-pg', 'dist/index.js', 'PrismaPgAdapter'],
  ['pg', 'lib/client.js', 'SASLInitialResponse'],
  ['express', 'lib/application.js', 'x-powered-by'],
  ['undici', 'lib/core/errors.js', 'UND_ERR_'],
  ['openai', 'client.js', 'OPENAI_API_KEY'],
  ['@fal-ai/client', 'src/config.js', 'FAL_KEY'],
  ['@runwayml/sdk', 'client.js', 'RUNWAYML_API_SECRET'],
  ['@elevenlabs/elevenlabs-js', 'Client.js', 'ElevenLabs'],
];

const packagesIn = (code: string): string[] => [
  ...new Set([...code.matchAll(/node_modules\/((?:@[\w.-]+\/)?[\w.-]+)\//g)].map(([, name = '']) => name)),
];

const tracesIn = (code: string): string[] =>
  foreign.map(([, , trace]) => trace).filter((trace) => code.includes(trace));

test('the workflow bundle is below 2 MB', () => {
  expect(Buffer.byteLength(bundle)).toBeLessThan(2 * 1024 * 1024);
});

test('the workflow bundle has the workflows and nothing but what Temporal itself brings', () => {
  expect(bundle).toContain('./dist/workflows/attempt.js');
  expect(packagesIn(bundle).sort()).toEqual(['@temporalio/common', '@temporalio/workflow', 'long', 'ms', 'nexus-rpc']);
});

test('the workflow bundle has no trace of a schema library, database, server or provider SDK', () => {
  expect(tracesIn(bundle)).toEqual([]);
});

test('the workflow bundle has our workflows and domain only, no room that does I/O', () => {
  const rooms = [...bundle.matchAll(/"\.\/dist\/([\w-]+)\//g)].map(([, room]) => room);
  expect(rooms).toContain('workflows');
  expect(rooms.filter((room) => room !== 'workflows' && room !== 'domain')).toEqual([]);
});

test.each(foreign)('the search finds %s once it is there', (name, file, trace) => {
  const code = readFileSync(path.join(project, 'node_modules', name, file), 'utf8');
  expect(tracesIn(bundle + code)).toContain(trace);
  expect(packagesIn(`${bundle}\n"./node_modules/${name}/${file}"`)).toContain(name);
});
