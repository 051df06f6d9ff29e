import { randomUUID } from 'node:crypto';
import type { Check, Diagnosis } from './cli/commands/doctor';
import type { Connection } from './cli/connection';
import {
  ConfigError,
  listKeyVariables,
  providerIds,
  readProcessConfig,
  readStackConfig,
  type Environment,
  type ProcessConfig,
} from './config';
import { checkApi } from './doctor/api';
import { checkDatabase } from './doctor/database';
import { checkKeys } from './doctor/keys';
import { checkTemporal } from './doctor/temporal';
import { supportedNodeVersions } from './embedded/node-version';
import { createFileBlobs } from './stores/blobs';

/** What a configuration cannot be read without; each part is looked at for itself, however wrong the others are. */
const anything = {
  DATABASE_URL: 'postgresql://unknown/unknown',
  TEMPORAL_ADDRESS: 'unknown:7233',
  SURESHOT_SECRET: 'not the secret of anything',
};

const databaseNames = ['DATABASE_URL', 'POSTGRES_URL'];

const hasAny = (environment: Environment, names: readonly string[]): boolean =>
  names.some((name) => (environment[name] ?? '') !== '' || (environment[`${name}_FILE`] ?? '') !== '');

const namesOf = (name: string): readonly string[] => (name === 'DATABASE_URL' ? databaseNames : [name]);

/** Of the configuration only what these variables say; `null` where they cannot be read. */
const readPart = (environment: Environment, isWanted: (name: string) => boolean): ProcessConfig | null => {
  const part = Object.fromEntries(Object.entries(environment).filter(([name]) => isWanted(name.replace(/_FILE$/, ''))));
  const missing = Object.entries(anything).filter(([name]) => !hasAny(part, namesOf(name)));
  try {
    return readProcessConfig({ ...part, ...Object.fromEntries(missing) });
  } catch (error) {
    if (error instanceof ConfigError) return null;
    throw error;
  }
};

/** Every problem is a line of its own. */
const checkConfiguration = (environment: Environment, isForServers: boolean): Check[] => {
  const name = 'configuration';
  try {
    if (isForServers) readProcessConfig(environment);
    else readStackConfig(environment);
    const file = environment['SURESHOT_CONFIG'] ?? '';
    const kind = isForServers ? 'of API and worker' : 'of the embedded stack';
    return [{ name, status: 'ok', detail: `${kind}${file === '' ? '' : `, with ${file}`}`, fix: null }];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const fix = 'see .env.example and docs/configuration.md';
    return error.problems.map((detail) => ({ name, status: 'fail' as const, detail, fix }));
  }
};

const isKeyName = (name: string): boolean =>
  providerIds.some((provider) => listKeyVariables(provider).includes(name)) ||
  /^([A-Z]+_BASE_URL|FAL_ADMIN_KEY|OPENAI_GATEWAY_\w+|CLOUDFLARE_ACCOUNT_ID)$/.test(name);

/** Provider by provider: what is wrong with one hides none of the others. */
const checkAllKeys = (environment: Environment): Check[] => {
  const account = { CLOUDFLARE_ACCOUNT_ID: 'unknown', ...environment };
  const config = readPart(account, isKeyName);
  if (config !== null) return checkKeys(config.credentials);
  const fix = 'put right what the configuration says first';
  return [{ name: 'keys', status: 'warn', detail: 'cannot be read', fix }];
};

/** Writes a probe, reads it back, and takes it away again. */
const checkStorage = async (root: string): Promise<Check> => {
  const name = 'storage';
  const blobs = createFileBlobs(root);
  const key = `.doctor-${randomUUID()}`;
  try {
    const written = await blobs.write(key, Buffer.from(`probe ${key}`));
    const found = await blobs.inspect(key);
    if (found?.sha256 === written.sha256)
      return { name, status: 'ok', detail: `${root} was written, read back and cleared`, fix: null };
    return { name, status: 'fail', detail: `${root} gave back other bytes`, fix: 'replace the disk or file system' };
  } catch (error) {
    const detail = `${root}: ${(error as Error).message}`;
    return { name, status: 'fail', detail, fix: 'correct STORAGE_URL, or the owner and mode of the folder' };
  } finally {
    await blobs.remove(key).catch(() => undefined);
  }
};

type Part = {
  name: string;
  /** One of them says where it is. */
  names: readonly string[];
  /** With what belongs to them. */
  prefixes: readonly string[];
  look: (config: ProcessConfig) => Promise<Check[]>;
};

const parts: readonly Part[] = [
  {
    name: 'database',
    names: databaseNames,
    prefixes: databaseNames,
    look: ({ databaseUrl }) => checkDatabase(databaseUrl),
  },
  {
    name: 'temporal',
    names: ['TEMPORAL_ADDRESS'],
    prefixes: ['TEMPORAL_'],
    look: ({ temporal }) => checkTemporal(temporal),
  },
  {
    name: 'storage',
    names: ['STORAGE_URL', ...databaseNames],
    prefixes: ['STORAGE_URL', 'SURESHOT_HOME'],
    look: async ({ storagePath }) => [await checkStorage(storagePath)],
  },
];

/** What API and workers stand on, as far as this environment says where it is. */
const checkServers = async (environment: Environment): Promise<Check[]> => {
  const look = async ({ name, names, prefixes, look: lookAt }: Part): Promise<Check[]> => {
    if (!hasAny(environment, names)) return [];
    const config = readPart(environment, (variable) => prefixes.some((prefix) => variable.startsWith(prefix)));
    if (config !== null) return lookAt(config);
    const fix = 'put right what the configuration says first';
    return [{ name, status: 'warn', detail: 'not looked at: its variables cannot be read', fix }];
  };
  const seen = (await Promise.all(parts.map(look))).flat();
  return hasAny(environment, databaseNames) ? seen : [throughApiOnly, ...seen];
};

const throughApiOnly: Check = {
  name: 'servers',
  status: 'ok',
  detail: 'DATABASE_URL is not set here: what it leaves out is seen through the API only',
  fix: null,
};

const describeNode = (): Check => {
  const detail = `${process.versions.node} (${supportedNodeVersions})`;
  return { name: 'node', status: 'ok', detail, fix: null };
};

/** Looks at everything that can be wrong, from where it is run. */
export const diagnose = async (input: { environment: Environment; connection: Connection }): Promise<Diagnosis> => {
  const { environment, connection } = input;
  const isForServers = hasAny(environment, databaseNames);
  const hasKeys = Object.keys(environment).some((name) => isKeyName(name.replace(/_FILE$/, '')));
  const [servers, api] = await Promise.all([checkServers(environment), checkApi(connection, !isForServers)]);
  // the embedded stack's own providers need no key
  const keys = isForServers || hasKeys ? checkAllKeys(environment) : [];
  const checks = [describeNode(), ...checkConfiguration(environment, isForServers), ...keys, ...servers, ...api.checks];
  const isConfigured = isForServers || hasKeys || (environment['SURESHOT_CONFIG'] ?? '') !== '';
  return { checks, isNowhere: !isConfigured && !api.isReachable };
};
