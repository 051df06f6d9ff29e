import path from 'node:path';

/** Also right when these sources run uncompiled (tests): the processes we start are always the compiled ones. */
export const projectFolder = path.resolve(__dirname, '../..');

export const compiledEntry = (name: string): string => path.join(projectFolder, 'dist', name);
