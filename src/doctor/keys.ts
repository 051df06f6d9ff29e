import type { Check } from '../cli/commands/doctor';
import type { Credential } from '../providers/provider';

type Expected = {
  /** How a key of this provider begins, as far as it says so. */
  starts?: RegExp;
  /** What people paste by mistake. */
  mistaken?: { looks: RegExp; as: string };
  /** Where to look. */
  page: string;
};

const expected: Readonly<Record<string, Expected>> = {
  anthropic: {
    starts: /^sk-ant-/,
    mistaken: { looks: /^sk-ant-admin/, as: 'an Admin API key, which cannot generate' },
    page: 'https://platform.claude.com/settings/keys',
  },
  // tokens from before the prefixes have none: developers.cloudflare.com/fundamentals/api/get-started/token-formats
  cloudflare: {
    mistaken: { looks: /^cfk_/, as: 'a Global API Key; an API token is needed' },
    page: 'https://dash.cloudflare.com/profile/api-tokens',
  },
  elevenlabs: { page: 'https://elevenlabs.io/app/settings/api-keys' },
  fal: { starts: /^[^:]+:[^:]+$/, page: 'https://fal.ai/dashboard/keys' },
  // standard keys and the authorization keys that follow them
  google: {
    starts: /^(AIza|AQ\.)/,
    mistaken: { looks: /^ya29\./, as: 'an OAuth access token, which ends after an hour' },
    page: 'https://aistudio.google.com/apikey',
  },
  groq: { starts: /^gsk_/, page: 'https://console.groq.com/keys' },
  openai: {
    starts: /^sk-/,
    mistaken: { looks: /^sk-(admin|ant)-/, as: 'an admin key or one of Anthropic' },
    page: 'https://platform.openai.com/api-keys',
  },
  runway: { page: 'https://dev.runwayml.com' },
};

const placeholder = /^(your|my)[-_ ]|^(x+|\.+|…|changeme|todo)$|^<.*>$|api[-_ ]?key[-_ ]?here/i;

/** Whatever the provider is. */
const findFlaw = (secret: string): string | null => {
  if (secret.trim() === '') return 'is empty';
  if (secret !== secret.trim()) return 'has blanks at its ends';
  if (/^["'`].*["'`]$/.test(secret)) return 'has quotes around it';
  if (/\s/.test(secret)) return 'has blanks in it';
  if (/[^\x21-\x7e]/.test(secret)) return 'has characters that cannot be sent';
  return placeholder.test(secret) ? 'is a placeholder' : null;
};

const isElsewhere = ({ baseUrl, gateway }: Credential): boolean => baseUrl !== null || gateway !== undefined;

const checkKey = (provider: string, credential: Credential): Omit<Check, 'name'> => {
  const { alias, secret } = credential;
  const { starts, mistaken, page } = expected[provider] ?? { page: 'the provider’s console' };
  const fix = `copy it again from ${page}`;
  const flaw = findFlaw(secret);
  if (flaw !== null) return { status: 'fail', detail: `${alias} ${flaw}`, fix };
  const adminFlaw = findFlaw(credential.adminKey ?? secret);
  if (adminFlaw !== null) return { status: 'fail', detail: `the admin key ${adminFlaw}`, fix };
  // what stands in front of a provider has keys of its own
  if (isElsewhere(credential)) return { status: 'ok', detail: `${alias} for an address of its own`, fix: null };
  if (mistaken?.looks.test(secret) === true) return { status: 'fail', detail: `${alias} is ${mistaken.as}`, fix };
  if (starts?.test(secret) === false)
    return { status: 'warn', detail: `${alias} does not look like a key of ${provider}`, fix };
  return { status: 'ok', detail: `${alias} looks like one`, fix: null };
};

/** The shape only: whether a key works says `sureshot providers test`. No part of a key is shown. */
export const checkKeys = (credentials: Readonly<Record<string, readonly Credential[]>>): Check[] => {
  const checks = Object.entries(credentials)
    .filter(([provider]) => provider !== 'mock')
    .flatMap(([provider, keys]) => keys.map((key) => ({ name: `key ${provider}`, ...checkKey(provider, key) })));
  if (checks.length > 0) return checks;
  const fix = 'set a key, such as FAL_KEY, where the servers run, or give one to POST /v1/providers/fal/credentials';
  return [{ name: 'keys', status: 'warn', detail: 'no provider has a key in this environment', fix }];
};
