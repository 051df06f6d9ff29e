import path from 'node:path';
import { listKeyVariables, providerIds, type Environment, type StackConfig } from '../config';
import { replaceFile } from './home';

/** What the API and worker processes find running. Null: not ours, the user's own variables say where it is. */
export type Surroundings = {
  apiKey: string;
  secret: string;
  port: number;
  databaseUrl: string | null;
  temporalAddress: string | null;
  temporalUiUrl: string | null;
  emulatorUrl: string | null;
};

/** Where each provider's wire protocol stands on the emulator: a base URL as that provider's own SDK means it. */
const emulatorPrefixes: Readonly<Record<string, string>> = { openai: 'openai/v1', cloudflare: 'cloudflare/client/v4' };

const withFiles = (names: readonly string[]): string[] => names.flatMap((name) => [name, `${name}_FILE`]);

const without = (environment: Environment, isUnwanted: (name: string) => boolean): Record<string, string> => {
  const entries = Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Object.fromEntries(entries.filter(([name]) => !isUnwanted(name)));
};

/** An allow-list, because keys and addresses have more names than anybody knows. What demo and tests start from. */
const neutralNames =
  /^(PATH|HOME|USER|LOGNAME|SHELL|TERM|COLORTERM|LANG|LC_\w+|TZ|TMPDIR|XDG_\w+|CI|NO_COLOR|FORCE_COLOR|NODE_OPTIONS|NODE_EXTRA_CA_CERTS|SSL_CERT_\w+|GO(PATH|ROOT|PROXY|CACHE|MODCACHE|SUMDB|TOOLCHAIN)|(https?|all|no)_proxy)$/i;

export const neutralEnvironment = (environment: Environment): Record<string, string> =>
  without(environment, (name) => !neutralNames.test(name));

const loopback = '127.0.0.1,localhost';

/** gRPC libraries would ask a configured proxy for 127.0.0.1. */
const exemptLoopback = (environment: Environment): Record<string, string> => {
  const existing = environment['no_proxy'] ?? environment['NO_PROXY'] ?? '';
  const value = existing === '' ? loopback : `${existing},${loopback}`;
  return { no_proxy: value, NO_PROXY: value };
};

const emulate = (
  environment: Record<string, string>,
  emulated: readonly string[],
  emulatorUrl: string,
): Record<string, string> => {
  const keyNames = new Set(withFiles(emulated.flatMap(listKeyVariables)));
  const added = emulated.flatMap((provider) => {
    const prefix = provider.toUpperCase();
    return [
      [`${prefix}_API_KEY`, 'emulator'],
      [`${prefix}_BASE_URL`, `${emulatorUrl}/${emulatorPrefixes[provider] ?? provider}`],
    ] as const;
  });
  const account = emulated.includes('cloudflare') ? { CLOUDFLARE_ACCOUNT_ID: 'emulator' } : {};
  // A gateway or an administrator's key would lead to the real provider past the base URL.
  const isReal = (name: string): boolean => keyNames.has(name) || /^(OPENAI_GATEWAY_|FAL_ADMIN_KEY)/.test(name);
  return { ...without(environment, isReal), ...Object.fromEntries(added), ...account };
};

/** The emulator is ten times quicker than life, and so are we with it, in how often we ask and how much we send. */
const emulatedSettings = `# Written at each start while every provider is emulated.
polling: { scale: 0.1 }
providers:
  google: { limits: { requestsPerMinute: 150 } }
  runway: { limits: { requestsPerMinute: 100 } }
  elevenlabs: { limits: { requestsPerMinute: 200 } }
  groq: { limits: { requestsPerMinute: 300 } }
`;

/** Unless the user configured anything. */
const configureForEmulator = (config: StackConfig, environment: Environment): Record<string, string> => {
  const own = environment['SURESHOT_CONFIG'] ?? '';
  if (own !== '' || config.emulated.length < providerIds.length) return {};
  const file = path.join(config.home, 'emulator.yaml');
  replaceFile(file, emulatedSettings);
  return { SURESHOT_CONFIG: file };
};

/** Variables of the embedded servers' own client libraries would send them elsewhere. */
const isForeign = (name: string, surroundings: Surroundings): boolean =>
  (surroundings.databaseUrl !== null && /^(PG[A-Z]+|(DATABASE|POSTGRES)_URL(_FILE)?)$/.test(name)) ||
  (surroundings.temporalAddress !== null && name.startsWith('TEMPORAL_'));

export const composeChildEnvironment = (
  environment: Environment,
  config: StackConfig,
  surroundings: Surroundings,
): Record<string, string> => {
  const { databaseUrl, temporalAddress, temporalUiUrl, emulatorUrl } = surroundings;
  const base = without(environment, (name) => isForeign(name, surroundings));
  const routed = emulatorUrl === null ? base : emulate(base, config.emulated, emulatorUrl);
  return {
    ...routed,
    ...exemptLoopback(environment),
    ...(emulatorUrl === null ? {} : configureForEmulator(config, environment)),
    ...(databaseUrl === null ? {} : { DATABASE_URL: databaseUrl }),
    ...(temporalAddress === null ? {} : { TEMPORAL_ADDRESS: temporalAddress }),
    ...(temporalUiUrl === null ? {} : { TEMPORAL_UI_URL: temporalUiUrl }),
    SURESHOT_HOME: config.home,
    SURESHOT_API_KEY: surroundings.apiKey,
    SURESHOT_SECRET: surroundings.secret,
    STORAGE_URL: config.storageUrl,
    PORT: String(surroundings.port),
    HOST: config.host,
  };
};
