import type { Call, Credential } from '../provider';

const defaultBaseUrl = 'https://api.openai.com/v1';

type Kind = 'cloudflare' | 'vercel' | 'other';

/** By its address; one behind another name by how its keys begin. */
const kindOf = ({ url, key }: NonNullable<Credential['gateway']>): Kind => {
  const { hostname } = new URL(url);
  if (hostname === 'gateway.ai.cloudflare.com' || key?.startsWith('cf-aig') === true) return 'cloudflare';
  return hostname === 'ai-gateway.vercel.sh' || key?.startsWith('vck_') === true ? 'vercel' : 'other';
};

/**
 * Its own retries and its cache are off: a second send could be paid for, and a cached answer is not what was asked for.
 * @see https://developers.cloudflare.com/ai-gateway/configuration/request-handling/ (2026-11-21)
 */
const cloudflareHeaders = (key: string | null, trace: string): Record<string, string> => ({
  'cf-aig-skip-cache': 'true',
  'cf-aig-max-attempts': '1',
  'cf-aig-metadata': JSON.stringify({ trace }),
  ...(key !== null && { 'cf-aig-authorization': `Bearer ${key}` }),
});

/**
 * Vercel goes on to another seller of the model when one fails, and caches nothing by itself. No model list: no other
 * model either. @see https://vercel.com/docs/ai-gateway/models-and-providers/provider-options (2026-11-21)
 */
const vercelBody = { providerOptions: { gateway: { only: ['openai'] } } };

/** How OpenAI's protocol is reached: at OpenAI itself, or at somebody who stands in front of it. */
export type Connection = {
  baseUrl: string;
  key: string;
  headers: Record<string, string>;
  /** Stands before the model's name. */
  modelPrefix: string;
  /** What every JSON body says besides. */
  body: Record<string, unknown>;
  /** A gateway passes submits on; whether it does so for later looks is not told. */
  isDirect: boolean;
};

export const toConnection = ({ credential, trace }: Call): Connection => {
  const { gateway, secret } = credential;
  if (gateway === undefined) {
    const baseUrl = credential.baseUrl ?? defaultBaseUrl;
    return { baseUrl, key: secret, headers: {}, modelPrefix: '', body: {}, isDirect: true };
  }
  const { url: baseUrl, key, modelPrefix } = gateway;
  const common = { baseUrl, modelPrefix, headers: {}, body: {}, isDirect: false };
  switch (kindOf(gateway)) {
    case 'cloudflare':
      return { ...common, key: secret, headers: cloudflareHeaders(key, trace) };
    case 'vercel':
      return { ...common, key: key ?? secret, body: vercelBody };
    case 'other':
      return { ...common, key: key ?? secret };
  }
};

/**
 * Nobody can look it up but OpenAI's support, which then can tell whether a request without an answer came in and when.
 * @see https://developers.openai.com/api/reference/overview, debugging requests (2026-11-21)
 */
export const toSubmitHeaders = ({ trace }: Call, { isDirect }: Connection): Record<string, string> =>
  isDirect ? { 'x-client-request-id': trace } : {};
