import { Command, CommanderError } from 'commander';
import { createApi } from './api';
import { registerCatalogue } from './commands/catalogue';
import { registerDoctor, type Diagnose } from './commands/doctor';
import { registerGenerate } from './commands/generate';
import { registerGenerations } from './commands/generations';
import type { Run } from './commands/options';
import { registerRerun } from './commands/rerun';
import { findConnection, type Connection, type Environment } from './connection';
import { CliError, exitCodes, type ExitCode } from './failure';
import type { Session } from './session';
import { createTerminal, plain, type Streams } from './terminal';

export type Surroundings = { environment: Environment; streams: Streams; version: string; diagnose: Diagnose };

type GlobalOptions = { url?: string; apiKey?: string; json?: boolean; color: boolean };

const exitHelp = `
Exit codes:
  0  done
  1  the generation that was waited for failed, was canceled or expired; a check failed
  2  the command or the request is wrong
  3  the server cannot be reached
  130  Ctrl-C while waiting: the generation goes on`;

const createProgram = ({ streams, version }: Surroundings): Command =>
  new Command('sureshot')
    .description('The command line of a Sureshot server.')
    .version(version)
    .option('--url <url>', 'where the API is (SURESHOT_URL; http://127.0.0.1:3000)')
    .option('--api-key <key>', 'better by SURESHOT_API_KEY or SURESHOT_API_KEY_FILE: others see command lines')
    .option('--json', 'the API’s JSON on standard output, and nothing else there')
    .option('--no-color', 'plain text (also by NO_COLOR)')
    .showHelpAfterError('(--help says what there is)')
    .addHelpText('after', exitHelp)
    .configureOutput({
      writeOut: (text) => void streams.stdout.write(text),
      writeErr: (text) => void streams.stderr.write(text),
    })
    .exitOverride();

const explain = (error: CliError): string[] => [
  `sureshot: ${plain(error.message)}`,
  ...error.details.map((line) => `  ${plain(line)}`),
];

const conclude = (error: unknown, { stderr }: Streams): ExitCode => {
  // commander has told it already
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  const known =
    error instanceof CliError
      ? error
      : new CliError(`unexpected: ${(error as Error | undefined)?.message ?? String(error)}`, {
          exitCode: exitCodes.failed,
          cause: error,
        });
  for (const line of explain(known)) stderr.write(`${line}\n`);
  return known.exitCode;
};

/** Runs one command line; returns the exit code. */
export const runCommandLine = async (words: readonly string[], surroundings: Surroundings): Promise<ExitCode> => {
  const { environment, streams, diagnose } = surroundings;
  const program = createProgram(surroundings);
  let exitCode: ExitCode = exitCodes.ok;
  const connect = (): Connection => findConnection(program.opts<GlobalOptions>(), environment);
  const open = (): Session => {
    const { json = false, color } = program.opts<GlobalOptions>();
    const terminal = createTerminal(streams, color && (environment['NO_COLOR'] ?? '') === '');
    return { api: createApi(connect()), terminal, json };
  };
  const run: Run =
    (work) =>
    async (...inputs) => {
      exitCode = await work(open(), ...inputs);
    };
  for (const register of [registerGenerate, registerGenerations, registerRerun, registerCatalogue])
    register(program, run);
  registerDoctor(diagnose, connect)(program, run);
  try {
    await program.parseAsync(words, { from: 'user' });
    return exitCode;
  } catch (error) {
    return conclude(error, streams);
  }
};
