import { readFileSync } from 'node:fs';

/** The environment as a process found it. Only the mains and tests hand one in; nothing else reads `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

export type Problems = string[];

/** `NAME`, else the content of the file that `NAME_FILE` names. An empty variable counts as unset. */
export const readVariable = (environment: Environment, name: string, problems: Problems): string | undefined => {
  const direct = environment[name];
  if (direct !== undefined && direct !== '') return direct;
  const file = environment[`${name}_FILE`];
  if (file === undefined || file === '') return undefined;
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    problems.push(`${name}_FILE names a file that cannot be read: ${file}`);
    return undefined;
  }
};

/** Of a variable that lists several. */
export const splitList = (text: string): string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
