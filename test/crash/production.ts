import path from 'node:path';

/** Tells the entries where the compiled product is. */
export const distVariable = 'CRASH_DIST';

/** A module of `dist`, which is what is put to the test, with the types of its source. */
export const loadProduction = <Module>(name: string): Module =>
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- where it is becomes known when the process starts
  require(path.join(process.env[distVariable] ?? '', name)) as Module;
