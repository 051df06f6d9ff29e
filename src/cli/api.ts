import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import type { Connection } from './connection';
import { CliError, exitCodes, RefusedError, UnreachableError } from './failure';

export type Call = {
  method?: 'GET' | 'POST';
  query?: Readonly<Record<string, string | number | undefined>>;
  body?: unknown;
  headers?: Readonly<Record<string, string>>;
  timeoutMs?: number;
};

/** The HTTP API. Every method throws `UnreachableError` or `RefusedError`. */
export type Api = {
  url: URL;
  /** The answer's JSON. */
  call: <Body>(route: string, call?: Call) => Promise<Body>;
  /** `POST /v1/uploads`; returns the id. */
  upload: (file: string) => Promise<string>;
  /** The bytes of what a resource links to. */
  download: (link: string) => Promise<Readable>;
  /** A whole URL of a resource's link. */
  resolve: (link: string) => string;
};

const answerTimeoutMs = 30_000;
/** A file goes as long as the line takes. */
const transferTimeoutMs = 3_600_000;

type Problem = {
  detail?: string;
  title?: string;
  code?: string;
  requestId?: string;
  errors?: { pointer: string; detail: string }[];
};

const neverReceived = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

/** undici wraps the reason, and an address with several numbers wraps it once more. */
const causeOf = (error: unknown): { code?: string; message?: string } => {
  const cause = (error as { cause?: unknown }).cause ?? error;
  const several = (cause as { errors?: unknown[] }).errors;
  return (several?.[0] ?? cause) as { code?: string; message?: string };
};

const toUnreachable = (error: unknown, origin: string): UnreachableError => {
  const { code = '', message = '' } = causeOf(error);
  const isTimeout = (error as Error).name === 'TimeoutError';
  const why = isTimeout ? 'it did not answer in time' : message || code;
  return new UnreachableError(`cannot reach the server at ${origin}: ${why}`, {
    maybeReceived: !neverReceived.has(code),
    details: ['start it with npm start, or name another one with --url or SURESHOT_URL'],
    cause: error,
  });
};

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
};

const exitCodeOf = (status: number) => (status < 500 ? exitCodes.usage : exitCodes.failed);

const keyHint = 'give a key with --api-key, SURESHOT_API_KEY or SURESHOT_API_KEY_FILE';

const tellProblem = ({ code, requestId, errors = [] }: Problem, status: number): string[] => [
  ...errors.map(({ pointer, detail }) => `${pointer === '' ? 'the body' : pointer}: ${detail}`),
  ...(status === 401 ? [keyHint] : []),
  `code ${code ?? status}${requestId === undefined ? '' : `, request ${requestId}`}`,
];

const toError = async (response: Response, origin: string): Promise<CliError> => {
  const { status } = response;
  const body = parse(await response.text().catch(() => ''));
  const problem = (typeof body === 'object' && body !== null ? body : {}) as Problem;
  const known = problem.code !== undefined;
  const message = problem.detail ?? problem.title ?? `the server at ${origin} answered ${status}`;
  const details = known ? tellProblem(problem, status) : ['the answer is not one of a Sureshot API'];
  // 502 and 504 are a proxy's word, which does not know; 503 is the server's own
  if ([502, 503, 504].includes(status))
    return new UnreachableError(message, { maybeReceived: status !== 503, details });
  const retryAfter = Number(response.headers.get('Retry-After') ?? Number.NaN);
  const retryAfterSeconds = Number.isFinite(retryAfter) ? retryAfter : null;
  return new RefusedError(message, { status, retryAfterSeconds, details, exitCode: exitCodeOf(status) });
};

/** `--url` may have a path of its own, where a proxy has the API below one. */
const resolveLink = (base: URL, link: string): URL =>
  new URL(link.startsWith('/') ? `${base.origin}${base.pathname.replace(/\/$/, '')}${link}` : link);

const readJson = async <Body>(response: Response, origin: string): Promise<Body> => {
  const body = parse(await response.text());
  if (body !== undefined) return body as Body;
  const details = ['the answer is not one of a Sureshot API'];
  throw new UnreachableError(`what answers at ${origin} speaks no JSON`, { maybeReceived: true, details });
};

type Sent = RequestInit & { timeoutMs: number };

export const createApi = ({ url: base, apiKey }: Connection): Api => {
  const send = async (target: URL, { timeoutMs, headers, ...init }: Sent): Promise<Response> => {
    // results may be kept elsewhere: our key is not for them
    const isOurs = target.origin === base.origin;
    const authorization = isOurs && apiKey !== null ? { authorization: `Bearer ${apiKey}` } : {};
    const response = await fetch(target, {
      ...init,
      headers: { ...authorization, ...(headers as Record<string, string> | undefined) },
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (!response.ok) throw await toError(response, target.origin);
    return response;
  };
  const within = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    try {
      return await work();
    } catch (error) {
      throw error instanceof CliError ? error : toUnreachable(error, base.origin);
    }
  };
  return {
    url: base,
    resolve: (link) => resolveLink(base, link).href,
    call: (route, { method = 'GET', query = {}, body, headers = {}, timeoutMs = answerTimeoutMs } = {}) =>
      within(async () => {
        const target = resolveLink(base, route);
        for (const [name, value] of Object.entries(query))
          if (value !== undefined) target.searchParams.set(name, String(value));
        const content =
          body === undefined ? { headers } : { headers: { ...headers, 'content-type': 'application/json' } };
        const sent = { method, timeoutMs, ...content, ...(body !== undefined && { body: JSON.stringify(body) }) };
        return readJson(await send(target, sent), base.origin);
      }),
    upload: (file) =>
      within(async () => {
        const body = Readable.toWeb(createReadStream(file));
        const headers = { 'content-type': 'application/octet-stream' };
        const sent = { method: 'POST', body, headers, duplex: 'half', timeoutMs: transferTimeoutMs } as const;
        const response = await send(resolveLink(base, '/v1/uploads'), sent);
        return (await readJson<{ id: string }>(response, base.origin)).id;
      }),
    download: (link) =>
      within(async () => {
        const response = await send(resolveLink(base, link), { timeoutMs: transferTimeoutMs });
        return Readable.fromWeb(response.body ?? new Blob([]).stream());
      }),
  };
};
