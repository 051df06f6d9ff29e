import type { IncomingHttpHeaders } from 'node:http';
import type { RequestKind } from './faults';

/** One request a provider saw, whatever became of it. */
export type SeenRequest = {
  provider: string;
  kind: RequestKind;
  /** The key's fingerprint. */
  credential: string | null;
  /** The operation it created or named. */
  operation: string | null;
  model: string | null;
  method: string;
  path: string;
  query: Record<string, string>;
  /** null: no answer (yet). */
  status: number | null;
  fault: string | null;
  at: string;
  retryCount: number;
  headers: Record<string, string>;
  notes: string[];
};

const keptRequests = 20_000;
const secretHeaders = new Set([
  'authorization',
  'cf-aig-authorization',
  'xi-api-key',
  'x-api-key',
  'x-goog-api-key',
  'api-key',
  'cookie',
]);
const secretParameters = new Set(['key']);
const dullHeaders = new Set(['host', 'connection', 'accept-encoding', 'accept-language', 'sec-fetch-mode']);

export const headersOfInterest = (headers: IncomingHttpHeaders): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => !secretHeaders.has(name) && !dullHeaders.has(name))
      .map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')]),
  );

/** A key may come in the query too. */
export const queryOfInterest = (query: URLSearchParams): Record<string, string> =>
  Object.fromEntries([...query].filter(([name]) => !secretParameters.has(name)));

export const retryCountOf = (headers: IncomingHttpHeaders): number => Number(headers['x-stainless-retry-count'] ?? 0);

export const recordRequest = (requests: SeenRequest[], seen: SeenRequest): void => {
  requests.push(seen);
  if (requests.length > keptRequests) requests.shift();
};
