import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { loadClientConnectConfig, type ClientConnectConfig } from '@temporalio/envconfig';
import { z } from 'zod';
import { deriveEncryptionKey, readEncryptionKeys } from './encryption-keys';
import { readVariable, splitList, type Environment, type Problems } from './environment';
import { providerIds, readAccesses, type CredentialSetup } from './provider-access';
import type { Credential } from './providers/provider';
import { defaultSettings, readSettingsFile, type Settings } from './settings';
import type { EncryptionKey } from './stores/vault';

export type { Environment } from './environment';
export { findMissingSetup, listKeyVariables, providerIds, type CredentialSetup } from './provider-access';

/** Every problem of the configuration at once, one line each. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`the configuration cannot be used:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

const url = (...protocols: string[]) =>
  z.string().refine((text) => protocols.includes(URL.canParse(text) ? new URL(text).protocol : ''), {
    error: `must be a URL starting with ${protocols.join(' or ')}//`,
  });

const loopback = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/** Where others reach us: an origin, and a path before ours where a proxy has one. */
const isPublicUrl = (text: string): boolean => {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, search, hash, username, password } = new URL(text);
  const isSafe = protocol === 'https:' || (protocol === 'http:' && loopback.test(hostname));
  return isSafe && [search, hash, username, password].every((part) => part === '');
};

const commonSchema = z.object({
  PORT: z.coerce.number('must be a port number').int().min(0).max(65_535).default(3000),
  HOST: z.string().default('127.0.0.1'),
  SURESHOT_HOME: z.string().default('.sureshot'),
  DATABASE_URL: url('postgres:', 'postgresql:').optional(),
  TEMPORAL_ADDRESS: z.string().optional(),
  TEMPORAL_UI_URL: url('http:', 'https:').optional(),
  SURESHOT_API_KEY: z.string().min(16, 'must have at least 16 characters').optional(),
  SURESHOT_SECRET: z.string().min(16, 'must have at least 16 characters').optional(),
  SURESHOT_ENCRYPTION_KEYS: z.string().default(''),
  PUBLIC_URL: z
    .string()
    .refine(isPublicUrl, 'must be a URL starting with https:// (or http:// on this machine), without a query')
    .transform((text) => text.replace(/\/+$/, ''))
    .optional(),
  SURESHOT_EMULATOR: z.enum(['auto', 'on', 'off']).default('auto'),
  STORAGE_URL: url('file:')
    .refine((text) => folderOf(text) !== null, 'must name a folder of this machine: file:///path')
    .optional(),
  CORS_ORIGINS: z.string().default(''),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
});

/** A folder of this machine; `null` for a URL that names none. */
const folderOf = (fileUrl: string): string | null => {
  try {
    return path.resolve(fileURLToPath(fileUrl));
  } catch {
    return null;
  }
};

type Variables = z.output<typeof commonSchema>;

const readCommon = (
  environment: Environment,
  problems: Problems,
  required: Partial<Record<keyof Variables, string>> = {},
): Variables | null => {
  const found = Object.fromEntries(
    [...Object.keys(commonSchema.shape)].map((name) => [name, readVariable(environment, name, problems)]),
  );
  found['DATABASE_URL'] ??= readVariable(environment, 'POSTGRES_URL', problems);
  for (const [name, what] of Object.entries(required))
    if (found[name] === undefined) problems.push(`${name} is not set: ${what}`);
  problems.push(...readEncryptionKeys(found['SURESHOT_ENCRYPTION_KEYS'] ?? '').problems);
  const parsed = commonSchema.safeParse(found);
  if (parsed.success) return parsed.data;
  problems.push(...parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`));
  return null;
};

const readSettings = (environment: Environment, problems: Problems): { settings: Settings; file: string | null } => {
  const file = environment['SURESHOT_CONFIG'];
  if (file === undefined || file === '') return { settings: defaultSettings, file: null };
  const read = readSettingsFile(file);
  problems.push(...read.problems);
  return { settings: read.settings, file };
};

const readTemporal = (environment: Environment, problems: Problems): ClientConnectConfig => {
  const set = Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const overrideEnvVars = Object.fromEntries(set.filter(([name]) => name.startsWith('TEMPORAL_')));
  for (const name of ['TEMPORAL_ADDRESS', 'TEMPORAL_API_KEY']) {
    const value = readVariable(environment, name, problems);
    if (value !== undefined) overrideEnvVars[name] = value;
  }
  try {
    return loadClientConnectConfig({
      overrideEnvVars,
      disableFile: overrideEnvVars['TEMPORAL_CONFIG_FILE'] === undefined,
    });
  } catch (error) {
    problems.push(`the TEMPORAL_… variables cannot be used: ${(error as Error).message}`);
    return { connectionOptions: {} };
  }
};

/** What the API and worker processes run on. */
export type ProcessConfig = {
  port: number;
  host: string;
  databaseUrl: string;
  temporal: ClientConnectConfig;
  /** Where people look at workflows; `null` leaves the links out. */
  temporalUiUrl: string | null;
  /** Bootstrap key of tenant `default`, scope admin. */
  apiKey: string | null;
  /** HMAC of cursors and of the addresses that providers call. */
  secret: string;
  /** Of what is kept encrypted: the first one seals, every one opens. */
  encryptionKeys: readonly EncryptionKey[];
  /** Where providers reach us; `null`: they are asked. */
  publicUrl: string | null;
  /** Folder of the blob store. */
  storagePath: string;
  corsOrigins: string[];
  logLevel: string;
  /** By provider; a provider without a credential is not configured. */
  credentials: Readonly<Record<string, readonly Credential[]>>;
  /** Of every provider, for keys that do not come from the environment. */
  setups: Readonly<Record<string, CredentialSetup>>;
  settings: Settings;
  /** Where they came from; followed while the process runs. */
  settingsFile: string | null;
};

const requiredVariables = {
  DATABASE_URL: 'a postgresql:// URL',
  TEMPORAL_ADDRESS: 'host:port of the Temporal server',
  SURESHOT_SECRET: 'at least 16 random characters',
};

/** Reads what `npm run start:api` and `npm run start:worker` need. Throws `ConfigError` naming every problem. */
export const readProcessConfig = (environment: Environment): ProcessConfig => {
  const problems: Problems = [];
  const common = readCommon(environment, problems, requiredVariables);
  const { credentials, setups } = readAccesses(environment, problems);
  const { settings, file: settingsFile } = readSettings(environment, problems);
  const temporal = readTemporal(environment, problems);
  if (!common || problems.length > 0) throw new ConfigError(problems);
  const secret = common.SURESHOT_SECRET ?? '';
  return {
    port: common.PORT,
    host: common.HOST,
    databaseUrl: common.DATABASE_URL ?? '',
    temporal,
    temporalUiUrl: common.TEMPORAL_UI_URL ?? null,
    apiKey: common.SURESHOT_API_KEY ?? null,
    secret,
    encryptionKeys: [...readEncryptionKeys(common.SURESHOT_ENCRYPTION_KEYS).keys, deriveEncryptionKey(secret)],
    publicUrl: common.PUBLIC_URL ?? null,
    storagePath: storagePath(common.STORAGE_URL, common.SURESHOT_HOME),
    corsOrigins: splitList(common.CORS_ORIGINS),
    logLevel: common.LOG_LEVEL,
    credentials,
    setups,
    settings,
    settingsFile,
  };
};

const storagePath = (storageUrl: string | undefined, home: string): string =>
  (storageUrl === undefined ? null : folderOf(storageUrl)) ?? path.resolve(home, 'blobs');

/** What the embedded stack decides by; everything else goes on to its API and worker processes untouched. */
export type StackConfig = {
  /** Absolute. */
  home: string;
  port: number;
  host: string;
  /** Set: no embedded PostgreSQL. */
  databaseUrl: string | null;
  /** Set: no embedded Temporal server. */
  temporalAddress: string | null;
  apiKey: string | null;
  secret: string | null;
  storageUrl: string;
  logLevel: string;
  /** Providers whose calls go to the emulator; empty: it is not started. `mock` is among them whenever it runs. */
  emulated: readonly string[];
};

const emulatedProviders = (mode: 'auto' | 'on' | 'off', credentials: Record<string, Credential[]>): string[] => {
  if (mode === 'off') return [];
  if (mode === 'on') return [...providerIds];
  const anyRealKey = Object.entries(credentials).some(([provider, keys]) => provider !== 'mock' && keys.length > 0);
  return anyRealKey ? [] : [...providerIds];
};

/** Reads what `npm start` and `npm run demo` need. Throws `ConfigError` naming every problem. */
export const readStackConfig = (environment: Environment): StackConfig => {
  const problems: Problems = [];
  const common = readCommon(environment, problems);
  const { credentials } = readAccesses(environment, problems);
  readSettings(environment, problems);
  if (!common || problems.length > 0) throw new ConfigError(problems);
  const home = path.resolve(common.SURESHOT_HOME);
  return {
    home,
    port: common.PORT,
    host: common.HOST,
    databaseUrl: common.DATABASE_URL ?? null,
    temporalAddress: common.TEMPORAL_ADDRESS ?? null,
    apiKey: common.SURESHOT_API_KEY ?? null,
    secret: common.SURESHOT_SECRET ?? null,
    storageUrl: common.STORAGE_URL ?? pathToFileURL(path.join(home, 'blobs')).href,
    logLevel: common.LOG_LEVEL,
    emulated: emulatedProviders(common.SURESHOT_EMULATOR, credentials),
  };
};
