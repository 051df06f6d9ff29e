import { transformFileSync } from '@swc/core';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { projectFolder } from '../../src/embedded/entries';
import { distVariable } from './production';

const names = ['worker', 'api', 'orders', 'production'];

/** A module of a suite as JavaScript, for a process without a loader. */
export const compileModule = (source: string, folder: string): string => {
  mkdirSync(folder, { recursive: true });
  const { code } = transformFileSync(source, {
    swcrc: false,
    jsc: { target: 'es2023', parser: { syntax: 'typescript' } },
    module: { type: 'commonjs' },
  });
  const file = path.join(folder, `${path.basename(source, '.ts')}.js`);
  writeFileSync(file, code);
  return file;
};

/**
 * As JavaScript, once for all starts: a loader that looks at every module of every SDK would double the time that a killed
 * process takes to come back.
 */
export const compileEntries = (home: string): string => {
  const folder = path.join(home, 'entries');
  for (const name of names) compileModule(path.join(__dirname, `${name}.ts`), folder);
  return folder;
};

export const entryEnvironment = { [distVariable]: path.join(projectFolder, 'dist') };
