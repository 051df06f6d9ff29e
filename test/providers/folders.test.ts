import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { createProviders } from '../../src/providers';
import { catalogue, providerDashboards } from '../../src/providers/catalogue';
import { createTransport } from '../../src/providers/transport';
import { providerIds } from '../../src/config';
import { providers as emulated } from '../../src/emulator/providers';

const root = path.join(__dirname, '..', '..');
const folders = readdirSync(path.join(root, 'src/providers'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);

const source = (...parts: string[]): string => readFileSync(path.join(root, ...parts), 'utf8');

test('has a folder for each provider of the configuration and no other', () => {
  expect(folders.toSorted()).toEqual([...providerIds].toSorted());
});

test('lists each folder among the providers, in the catalogue, in the emulator and with its dashboard', async () => {
  const transport = createTransport();
  expect(
    createProviders(transport)
      .map(({ id }) => id)
      .toSorted(),
  ).toEqual(folders.toSorted());
  await transport.close();
  expect([...new Set(catalogue.map(({ provider }) => provider))].toSorted()).toEqual(folders.toSorted());
  expect(emulated.map(({ id }) => id).toSorted()).toEqual(folders.toSorted());
  expect(Object.keys(providerDashboards).toSorted()).toEqual(folders.toSorted());
});

describe.each(folders)('%s', (name) => {
  test('is models, wire and index, beside parts that are as pure as wire', () => {
    const files = readdirSync(path.join(root, 'src/providers', name));
    expect(files).toEqual(expect.arrayContaining(['index.ts', 'models.ts', 'wire.ts']));
    // only index.ts talks: no other file sees the transport's functions or loads an SDK
    for (const file of files.filter((other) => other !== 'index.ts')) {
      const text = source('src/providers', name, file);
      expect(text).not.toMatch(/await import\(|=> import\(/);
      expect(text).not.toMatch(/^import (?!type)[^;]*'\.\.\/transport'/m);
    }
  });

  test('keeps its rows plain data', () => {
    const imports = source('src/providers', name, 'models.ts').match(/^import .*;$/gm) ?? [];
    for (const line of imports) expect(line).toMatch(/^import type |'\.\/|'\.\.\/\.\.\/domain\//);
  });

  test('exports one provider, and loads its SDK on first use', () => {
    const text = source('src/providers', name, 'index.ts');
    expect(text.match(/^export const \w+/gm)).toEqual([`export const create${name[0]?.toUpperCase()}${name.slice(1)}`]);
    const eager = text.match(/^import (?!type)[^;]*from '([^.'][^']*)';$/gm) ?? [];
    expect(eager.filter((line) => !/'(node:[a-z/]+|zod)'/.test(line))).toEqual([]);
  });

  test('has its emulated counterpart and its tests', () => {
    expect(existsSync(path.join(root, 'src/emulator', `${name}.ts`))).toBe(true);
    const tests = readdirSync(path.join(root, 'test/providers', name));
    expect(tests).toEqual(expect.arrayContaining(['contract.test.ts', 'requests.test.ts', 'wire.test.ts']));
  });
});
