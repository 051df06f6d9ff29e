import type { Call, Output } from '../provider';
import { defaultBaseUrl } from './problems';

/**
 * Results lie behind the key for two days. It goes to Google's own host and to where the configuration sends it, and
 * nowhere else that an answer may name.
 */
export const toFile = (uri: string, { credential: { baseUrl } }: Call): Output => {
  const { origin } = new URL(uri);
  const own = [defaultBaseUrl, baseUrl ?? defaultBaseUrl].map((url) => new URL(url).origin);
  const file = { kind: 'url', url: uri, contentType: 'video/mp4' } as const;
  return own.includes(origin) ? { ...file, credentialHeader: { name: 'x-goog-api-key', scheme: null } } : file;
};
