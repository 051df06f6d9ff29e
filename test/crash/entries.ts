import { transformFileSync } from '@swc/core';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { projectFolder } from '../../src/embedded/entries';
import { distVariable } from './production';

const names = ['worker', 'api', 'orders', 'production'];

/**
 * As JavaScript, once for all starts: a loader that looks at every module of every SDK would double the time that a killed
 * process takes to come back.
 */
export const compileEntries = (home: string): string => {
  const folder = path.join(home, 'entries');
  mkdirSync(folder, { recursive: true });
  for (const name of names) {
    const { code } = transformFileSync(path.join(__dirname, `${name}.ts`), {
      swcrc: false,
      jsc: { target: 'es2023', parser: { syntax: 'typescript' } },
      module: { type: 'commonjs' },
    });
    writeFileSync(path.join(folder, `${name}.js`), code);
  }
  return folder;
};

export const entryEnvironment = { [distVariable]: path.join(projectFolder, 'dist') };
