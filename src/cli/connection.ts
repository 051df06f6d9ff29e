import { readFileSync } from 'node:fs';
import path from 'node:path';
import { usageError } from './failure';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Where the API is, and who asks. */
export type Connection = { url: URL; apiKey: string | null };

const defaultUrl = 'http://127.0.0.1:3000';

const parseUrl = (text: string): URL => {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol))
    throw usageError(`${text} is no URL of an API: it must start with http:// or https://`);
  return url;
};

/** An empty variable counts as unset. */
const readVariable = (environment: Environment, name: string): string | null => {
  const value = environment[name] ?? '';
  return value === '' ? null : value;
};

const readKeyFile = (environment: Environment): string | null => {
  const file = readVariable(environment, 'SURESHOT_API_KEY_FILE');
  if (file === null) return null;
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw usageError(`SURESHOT_API_KEY_FILE names a file that cannot be read: ${file}`, (error as Error).message);
  }
};

const loopback = /^(127(\.\d+){3}|localhost|\[::1\])$/;

/** The key that the embedded stack made for itself. It opens this machine's API and is shown to no other. */
const readHomeKey = (environment: Environment, url: URL): string | null => {
  if (!loopback.test(url.hostname)) return null;
  const home = readVariable(environment, 'SURESHOT_HOME') ?? '.sureshot';
  try {
    return readFileSync(path.join(home, 'api-key'), 'utf8').trim();
  } catch {
    return null;
  }
};

type Named = { url?: string | undefined; apiKey?: string | undefined };

/** What was named on the command line, else in the environment, else what `npm start` in this folder uses. */
export const findConnection = (named: Named, environment: Environment): Connection => {
  const url = parseUrl(named.url ?? readVariable(environment, 'SURESHOT_URL') ?? defaultUrl);
  const apiKey =
    named.apiKey ??
    readVariable(environment, 'SURESHOT_API_KEY') ??
    readKeyFile(environment) ??
    readHomeKey(environment, url);
  if (apiKey !== null && !/^[\x21-\x7e]+$/.test(apiKey))
    throw usageError('the API key is empty, or has blanks or characters that no key has');
  return { url, apiKey };
};
