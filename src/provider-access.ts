import { readVariable, splitList, type Environment, type Problems } from './environment';
import type { Credential, Gateway } from './providers/provider';

/** The names a provider's own SDK reads its key from, after our `P_API_KEYS`, `P_API_KEY`, `P_API_KEY_2` … `_9`. */
const sdkKeyNames: Readonly<Record<string, readonly string[]>> = {
  google: ['GEMINI_API_KEY', 'GOOGLE_API_KEY'],
  runway: ['RUNWAYML_API_SECRET'],
  fal: ['FAL_KEY'],
  openai: [],
  anthropic: [],
  groq: [],
  cloudflare: ['CLOUDFLARE_API_TOKEN'],
  elevenlabs: [],
  mock: [],
};

export const providerIds: readonly string[] = Object.keys(sdkKeyNames);

type Key = { alias: string | null; secret: string };

/** `alias=key`; a key may end with `=` itself, and aliases are shown: only a short plain word before more is one. */
const parseKey = (text: string): Key => {
  const named = /^([A-Za-z][\w-]{0,31})=([^=].*)$/.exec(text);
  return { alias: named?.[1] ?? null, secret: named?.[2] ?? text };
};

const singleKeyNames = (provider: string): string[] => {
  const prefix = `${provider.toUpperCase()}_API_KEY`;
  const numbered = [2, 3, 4, 5, 6, 7, 8, 9].map((number) => `${prefix}_${number}`);
  return [prefix, ...numbered, ...(sdkKeyNames[provider] ?? [])];
};

/** Every variable a key of this provider may come from (each also as `NAME_FILE`). */
export const listKeyVariables = (provider: string): string[] => [
  `${provider.toUpperCase()}_API_KEYS`,
  ...singleKeyNames(provider),
];

const readKeys = (environment: Environment, provider: string, problems: Problems): Key[] => {
  const listed = splitList(readVariable(environment, `${provider.toUpperCase()}_API_KEYS`, problems) ?? '');
  const found = singleKeyNames(provider).map((name) => readVariable(environment, name, problems));
  const single = found.filter((secret) => secret !== undefined).map((secret) => ({ alias: null, secret }));
  const keys: Key[] = [...listed.map(parseKey), ...single];
  return keys.filter((key, index) => keys.findIndex(({ secret }) => secret === key.secret) === index);
};

const readBaseUrl = (environment: Environment, provider: string, problems: Problems): string | null => {
  const name = `${provider.toUpperCase()}_BASE_URL`;
  const value = readVariable(environment, name, problems);
  if (value === undefined) return null;
  if (URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)) return value.replace(/\/$/, '');
  problems.push(`${name} must be a URL starting with http:// or https://`);
  return null;
};

const gatewayPaths: readonly string[] = ['openai'];

/** A service in front of the provider; its own key and model prefix are optional. */
const readGateway = (environment: Environment, provider: string, problems: Problems): Gateway | null => {
  if (!gatewayPaths.includes(provider)) return null;
  const prefix = `${provider.toUpperCase()}_GATEWAY`;
  const [key, modelPrefix] = ['KEY', 'MODEL_PREFIX'].map((part) =>
    readVariable(environment, `${prefix}_${part}`, problems),
  );
  const address = readVariable(environment, `${prefix}_URL`, problems);
  if (address === undefined) {
    if (key !== undefined || modelPrefix !== undefined)
      problems.push(`${prefix}_URL is not set, but its key or model prefix is`);
    return null;
  }
  if (URL.canParse(address) && /^https?:$/.test(new URL(address).protocol))
    return { url: address.replace(/\/$/, ''), key: key ?? null, modelPrefix: modelPrefix ?? '' };
  problems.push(`${prefix}_URL must be a URL starting with http:// or https://`);
  return null;
};

/** What belongs to every key of a provider, wherever the key comes from. */
export type CredentialSetup = Omit<Credential, 'alias' | 'secret'>;

const readSetup = (environment: Environment, provider: string, problems: Problems): CredentialSetup => {
  const gateway = readGateway(environment, provider, problems);
  const accountId =
    provider === 'cloudflare' ? readVariable(environment, 'CLOUDFLARE_ACCOUNT_ID', problems) : undefined;
  const adminKey = provider === 'fal' ? readVariable(environment, 'FAL_ADMIN_KEY', problems) : undefined;
  return {
    baseUrl: readBaseUrl(environment, provider, problems),
    ...(gateway !== null && { gateway }),
    ...(accountId !== undefined && { accountId }),
    ...(adminKey !== undefined && { adminKey }),
  };
};

/** What a key of this provider cannot do without; `null`: nothing is missing. */
export const findMissingSetup = (provider: string, setup: CredentialSetup | undefined): string | null =>
  provider === 'cloudflare' && setup?.accountId === undefined ? 'CLOUDFLARE_ACCOUNT_ID' : null;

type Accesses = {
  credentials: Record<string, Credential[]>;
  setups: Record<string, CredentialSetup>;
};

export const readAccesses = (environment: Environment, problems: Problems): Accesses => {
  const setups = Object.fromEntries(
    providerIds.map((provider) => [provider, readSetup(environment, provider, problems)]),
  );
  const credentials = Object.entries(setups).map(([provider, setup]): [string, Credential[]] => {
    const keys = readKeys(environment, provider, problems).map(({ alias, secret }, index): Credential => ({
      alias: alias ?? `key-${index + 1}`,
      secret,
      ...setup,
    }));
    const missing = findMissingSetup(provider, setup);
    if (missing !== null && keys.length > 0) problems.push(`${missing} is not set, but a Cloudflare key is`);
    const repeated = keys.find(({ alias }, index) => keys.findIndex((key) => key.alias === alias) < index);
    if (repeated) problems.push(`${provider.toUpperCase()}_API_KEYS uses the alias ${repeated.alias} twice`);
    return [provider, keys];
  });
  return { credentials: Object.fromEntries(credentials), setups };
};
