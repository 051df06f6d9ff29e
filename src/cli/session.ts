import type { Api } from './api';
import { exitCodes, type ExitCode } from './failure';
import type { Generation } from './resource';
import type { Terminal } from './terminal';

/** What a command works with. */
export type Session = {
  api: Api;
  terminal: Terminal;
  /** The API's JSON instead of words. */
  json: boolean;
};

/** The one result of a command. */
export const present = ({ terminal, json }: Session, body: unknown, describe: () => readonly string[]): void => {
  if (json) terminal.out(JSON.stringify(body, null, 2));
  else for (const line of describe()) terminal.out(line);
};

export const exitCodeOf = (generations: readonly Pick<Generation, 'status'>[]): ExitCode =>
  generations.every(({ status }) => status === 'succeeded') ? exitCodes.ok : exitCodes.failed;
