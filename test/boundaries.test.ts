import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import layers from '../.dependency-cruiser.layers.cjs';
import purity from '../.dependency-cruiser.purity.cjs';

const run = promisify(execFile);
const project = path.resolve(__dirname, '..');
const command = path.join(project, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');

/** A house in miniature where every import is one that the rules forbid, or stands at the far end of one. */
const files: Record<string, string> = {
  'src/domain/money.ts': "import 'zod';",
  'src/domain/round.ts': "import './money';",
  'src/providers/provider.ts': "import type {} from 'pg'; export type Provider = string;",
  'src/providers/transport.ts': 'export const send = 1;',
  'src/providers/fal/index.ts': "import '../runway/wire';",
  'src/providers/fal/wire.ts': "import 'pino';",
  'src/providers/runway/wire.ts': "import '@fal-ai/client';",
  'src/providers/runway/index.ts': "import '@elevenlabs/elevenlabs-js';",
  'src/providers/openai/wire.ts': "import '@runwayml/sdk';",
  'src/providers/mock/wire.ts':
    "import '@google/genai'; import '@anthropic-ai/sdk'; import 'groq-sdk'; import 'cloudflare';",
  'src/stores/attempt-plan.ts': "import 'express'; import './generated/client'; export type Plan = string;",
  'src/stores/generated/client.ts': 'export const client = 1;',
  'src/stores/cycle.ts': "import './cycle-back';",
  'src/stores/cycle-back.ts': "import './cycle';",
  'src/activities/index.ts': "import 'openai'; import pino from 'pino'; import '../stores/generated/client'; pino();",
  'src/workflows/index.ts': "import type { Plan } from '../stores/attempt-plan'; export const plan = (): Plan => '';",
  'src/workflows/generate.ts': "import '../activities'; import 'node:fs'; import '../main';",
  'src/api/app.ts':
    "import '../workflows'; import '../providers/fal'; import './missing'; import '../providers/transport';",
  'src/embedded/stack.ts': "import '../stores/attempt-plan';",
  'src/emulator/server.ts': "import type { Provider } from '../providers/provider'; export type Served = Provider;",
  'src/cli/main.ts': "import '../domain/money';",
  'src/doctor/keys.ts': "import '../domain/money';",
  'src/console/page.ts': "import '../api/app';",
  'src/lonely.ts': 'export const lonely = 1;',
  'src/main.ts': "import './domain/round';",
  'tsconfig.json': '{ "compilerOptions": { "module": "node20", "target": "es2023", "isolatedModules": true } }',
};

type Violation = { rule: { name: string }; from: string; to: string };

let house: string;

beforeAll(async () => {
  house = await mkdtemp(path.join(tmpdir(), 'sureshot-boundaries-'));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(house, name)), { recursive: true });
    await writeFile(path.join(house, name), content);
  }
  await symlink(path.join(project, 'node_modules'), path.join(house, 'node_modules'));
});

afterAll(() => rm(house, { recursive: true, force: true }));

const violationsOf = async (pass: string): Promise<Violation[]> => {
  const config = path.join(project, `.dependency-cruiser.${pass}.cjs`);
  // exits with the number of violations
  const { stdout } = await run(process.execPath, [command, 'src', '--config', config, '--output-type', 'json'], {
    cwd: house,
    maxBuffer: 2 ** 26,
  }).catch((error: unknown) => error as { stdout: string });
  return (JSON.parse(stdout) as { summary: { violations: Violation[] } }).summary.violations;
};

test.each([
  ['layers', layers],
  ['purity', purity],
])('every rule of the %s pass bites', async (pass, { forbidden }) => {
  const broken = new Set((await violationsOf(pass)).map(({ rule }) => rule.name));
  expect([...broken].sort()).toEqual(forbidden.map(({ name }: { name: string }) => name).sort());
});

test('an import of a type counts as an import between rooms, but not between workflows and activities', async () => {
  const violations = await violationsOf('layers');
  const from = (file: string) => violations.filter((violation) => violation.from === file).map(({ to }) => to);
  expect(from('src/emulator/server.ts')).toEqual(['src/providers/provider.ts']);
  expect(from('src/workflows/index.ts')).toEqual([]);
});
