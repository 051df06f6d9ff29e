import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { neutralEnvironment } from '../../src/embedded/child-environment';
import { runCommandLine } from '../../src/cli/program';
import { diagnose } from '../../src/doctor';
import { eventually } from '../support/stack';

const program = path.resolve(__dirname, '../../src/sureshot.ts');
const loader = pathToFileURL(require.resolve('tsx')).href;

export type Ended = { code: number | null; out: string; err: string };

export type Run = { process: ChildProcess; err: () => string; ended: Promise<Ended> };

export type RunOptions = { environment?: Record<string, string>; folder?: string; input?: string };

/** A folder in which no stack was ever started. */
export const makeFolder = (): string => mkdtempSync(path.join(tmpdir(), 'sureshot-cli-'));

export const removeFolder = (folder: string): void => rmSync(folder, { recursive: true, force: true });

/** The real program in a process of its own, as a shell starts it with its output piped on. */
export const start = (words: readonly string[], { environment = {}, folder, input }: RunOptions = {}): Run => {
  const child = spawn(process.execPath, ['--import', loader, program, ...words], {
    cwd: folder ?? tmpdir(),
    env: { ...neutralEnvironment(process.env), ...environment },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk) => (out += String(chunk)));
  child.stderr.on('data', (chunk) => (err += String(chunk)));
  child.stdin.on('error', () => undefined);
  child.stdin.end(input ?? '');
  const ended = new Promise<Ended>((resolve) => child.once('close', (code) => resolve({ code, out, err })));
  return { process: child, err: () => err, ended };
};

export const run = (words: readonly string[], options: RunOptions = {}): Promise<Ended> => start(words, options).ended;

/** Until it has said so on stderr. */
export const untilSaid = (running: Run, what: string): Promise<unknown> =>
  eventually(() => Promise.resolve(running.err().includes(what)));

/** The same without a process of its own: quicker, where nothing of the process matters. */
export const call = async (words: readonly string[], environment: Record<string, string>): Promise<Ended> => {
  let [out, err] = ['', ''];
  const streams = {
    stdout: { write: (text: string | Uint8Array) => ((out += String(text)), true) },
    stderr: { write: (text: string | Uint8Array) => ((err += String(text)), true) },
  };
  const code = await runCommandLine(words, {
    environment,
    streams,
    version: '0.0.0',
    diagnose: (connection) => diagnose({ environment, connection }),
  });
  return { code, out, err };
};
