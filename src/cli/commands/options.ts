import { Option, type Command } from 'commander';
import { usageError, type ExitCode } from '../failure';
import type { Session } from '../session';
import { defaultPatienceSeconds } from '../wait';

/** Makes a commander action of what a command does. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- commander hands over what the command declared
export type Run = <Inputs extends any[]>(
  work: (session: Session, ...inputs: Inputs) => Promise<ExitCode>,
) => (...inputs: Inputs) => Promise<void>;

export type Register = (program: Command, run: Run) => unknown;

/** Of an option that may be given several times. */
export const collect = (value: string, earlier: readonly string[]): string[] => [...earlier, value];

export const patienceOption = (): Option =>
  new Option('--patience <seconds>', 'how long to go on asking while the server cannot be reached').default(
    String(defaultPatienceSeconds),
  );

export const readPatience = (text: string): number => {
  const seconds = Number(text);
  if (text.trim() !== '' && seconds >= 0 && Number.isFinite(seconds)) return seconds;
  throw usageError(`--patience takes a number of seconds, not ${text}`);
};

/** What generations are looked for by; the API says what each may be. */
export type Filter = { status?: string; medium?: string; provider?: string; tag?: string };

export const addFilter = (command: Command): Command =>
  command
    .option('--status <status>', 'queued, running, succeeded, failed, canceled or expired')
    .option('--medium <medium>', 'video, image, speech or text')
    .option('--provider <provider>', 'of its last attempt')
    .option('--tag <tag>', 'that it was given');

export const filterOf = ({ status, medium, provider, tag }: Filter): Filter => ({
  ...(status !== undefined && { status }),
  ...(medium !== undefined && { medium }),
  ...(provider !== undefined && { provider }),
  ...(tag !== undefined && { tag }),
});
