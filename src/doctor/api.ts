import type { Check } from '../cli/commands/doctor';
import type { Connection } from '../cli/connection';
import { compareClocks } from './clock';

const answerTimeoutMs = 5_000;

type Seen = { response: Response; body: Record<string, unknown>; sentMs: number; receivedMs: number };

const look = async ({ url, apiKey }: Connection, route: string): Promise<Seen> => {
  const sentMs = Date.now();
  const response = await fetch(`${url.origin}${url.pathname.replace(/\/$/, '')}${route}`, {
    headers: apiKey === null ? {} : { authorization: `Bearer ${apiKey}` },
    signal: AbortSignal.timeout(answerTimeoutMs),
  });
  const receivedMs = Date.now();
  const body = (await response.json().catch(() => ({}))) as Record<string, unknown>;
  return { response, body, sentMs, receivedMs };
};

const checkReady = ({ url }: Connection, { response, body }: Seen): Check => {
  const { database, temporal } = body as { database?: string; temporal?: string };
  const detail = `${url.origin}: database ${database ?? 'unknown'}, Temporal ${temporal ?? 'unknown'}`;
  const name = 'api';
  if (database === undefined)
    return { name, status: 'fail', detail: `what answers at ${url.origin} is no Sureshot`, fix: 'correct --url' };
  if (!response.ok) return { name, status: 'fail', detail, fix: 'start its PostgreSQL: nothing is accepted meanwhile' };
  if (temporal === 'up') return { name, status: 'ok', detail, fix: null };
  const fix = 'start its Temporal server: what is accepted meanwhile waits';
  return { name, status: 'fail', detail, fix };
};

const checkClock = ({ response, sentMs, receivedMs }: Seen): Check[] => {
  const date = response.headers.get('Date');
  if (date === null) return [];
  // whole seconds, rounded down
  const reading = { theirs: new Date(date), sentMs, receivedMs, coarsenessMs: 1_000 };
  return [compareClocks({ name: 'clock api', of: 'the API', ...reading })];
};

const keyFix = 'give one with --api-key or SURESHOT_API_KEY; the embedded stack’s is in SURESHOT_HOME/api-key';

const checkApiKey = async (connection: Connection): Promise<Check[]> => {
  const name = 'api key';
  if (connection.apiKey === null) return [{ name, status: 'warn', detail: 'none was found', fix: keyFix }];
  const { response, body } = await look(connection, '/v1/generations?limit=1');
  const { detail: why } = body as { detail?: string };
  if (response.ok) return [{ name, status: 'ok', detail: 'it is known', fix: null }];
  const detail = `the API answers ${response.status}: ${why ?? 'no reason given'}`;
  return [{ name, status: response.status < 500 ? 'fail' : 'warn', detail, fix: keyFix }];
};

type Provider = { id: string; configured: boolean };

/** What the servers know of providers; their environment need not be ours. */
const checkProviders = async (connection: Connection): Promise<Check[]> => {
  const { response, body } = await look(connection, '/v1/providers');
  if (!response.ok) return [];
  const ids = (body['data'] as Provider[]).filter(({ configured }) => configured).map(({ id }) => id);
  const name = 'api providers';
  if (ids.length > 0) return [{ name, status: 'ok', detail: `keys for ${ids.join(', ')}`, fix: null }];
  return [{ name, status: 'fail', detail: 'no provider has a key', fix: 'set one where the servers run' }];
};

export type ApiChecks = { isReachable: boolean; checks: Check[] };

/** `isNeeded`: nothing else says how the servers are. */
export const checkApi = async (connection: Connection, isNeeded: boolean): Promise<ApiChecks> => {
  try {
    const ready = await look(connection, '/readyz');
    const first = checkReady(connection, ready);
    const checks = [first, ...checkClock(ready)];
    const isUp = ready.response.ok && first.status === 'ok';
    if (!isUp || connection.apiKey === null) return { isReachable: true, checks };
    const more = await Promise.all([checkApiKey(connection), checkProviders(connection)]);
    return { isReachable: true, checks: [...checks, ...more.flat()] };
  } catch {
    const detail = `nothing answers at ${connection.url.origin}`;
    const fix = 'start it with npm start or npm run start:api, or name another one with --url';
    return { isReachable: false, checks: [{ name: 'api', status: isNeeded ? 'fail' : 'warn', detail, fix }] };
  }
};
