import { lookup as resolveName, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { Agent, request, type Dispatcher } from 'undici';
import { startDeadline, type Deadline } from './deadline';
import { unpaused } from './unpaused';

/**
 * Why an artifact could not be had. `gone`: expired or removed (403, 404, 410), asking again for its URL may help;
 * `refused`: not an address we fetch from; `foreign`: its bytes are something else than was asked for; the rest may
 * pass on another try.
 */
export type DownloadFault =
  'refused' | 'unreachable' | 'gone' | 'foreign' | 'status' | 'truncated' | 'too_large' | 'stalled' | 'aborted';

/** Its message holds no URL: artifact URLs are signed. */
export class DownloadError extends Error {
  readonly fault: DownloadFault;
  readonly status: number | null;

  constructor(fault: DownloadFault, message: string, status: number | null = null) {
    super(message);
    this.name = 'DownloadError';
    this.fault = fault;
    this.status = status;
  }
}

export type DownloadSettings = {
  headers?: Record<string, string>;
  /** Of the whole download. */
  deadlineMs: number;
  /** Longest silence of the other side. */
  stallMs?: number;
  maximumBytes: number;
  signal?: AbortSignal;
  /** The provider's configured base URL (its origin counts): may be plain http and private. */
  allowedOrigin?: string | null;
};

/** `body` must be read to its end or left by `break`; its errors are DownloadErrors too. */
type Downloaded = { status: number; headers: Record<string, string>; body: AsyncIterable<Uint8Array> };

export type Download = (url: string, settings: DownloadSettings) => Promise<Downloaded>;

type Pools = { guarded: Agent; trusted: Agent };

const maximumRedirects = 3;
const defaultStallMs = 30_000;
const privateAddress = 'the address is not a public one';

const isPublic = (address: string): boolean => ipaddr.isValid(address) && ipaddr.process(address).range() === 'unicast';

/** Checked where the connection is made: a name that answers differently the second time gains nothing. */
export const lookupPublic: LookupFunction = (hostname, options, callback) => {
  resolveName(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
    if (error !== null) return callback(error, []);
    const first = addresses[0];
    if (first === undefined || !addresses.every(({ address }) => isPublic(address)))
      return callback(new DownloadError('refused', privateAddress), []);
    return options.all === true ? callback(null, addresses) : callback(null, first.address, first.family);
  });
};

const originOf = (url: string | null | undefined): string | null => (url ? new URL(url).origin : null);

export const choosePool = (url: URL, trustedOrigin: string | null, pools: Pools): Agent => {
  if (url.origin === trustedOrigin) return pools.trusted;
  if (url.protocol !== 'https:') throw new DownloadError('refused', 'artifacts are fetched by https only');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  // net.connect does not look up a literal address, so the guarded pool would not see it.
  if (isIP(host) !== 0 && !isPublic(host)) throw new DownloadError('refused', privateAddress);
  return pools.guarded;
};

const faultsByCode: Record<string, DownloadFault> = {
  ERR_INVALID_URL: 'refused',
  UND_ERR_BODY_TIMEOUT: 'stalled',
  UND_ERR_HEADERS_TIMEOUT: 'stalled',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'truncated',
};

const toDownloadError = (error: unknown, phase: 'head' | 'body', deadline: Deadline): DownloadError => {
  if (error instanceof DownloadError) return error;
  if (deadline.ended === 'deadline') return new DownloadError('stalled', 'the download did not end in time');
  if (deadline.ended === 'aborted') return new DownloadError('aborted', 'the download was aborted');
  const { code = 'no code' } = error as { code?: string };
  const fault = faultsByCode[code] ?? (phase === 'head' ? 'unreachable' : 'truncated');
  return new DownloadError(fault, `the download failed while reading its ${phase} (${code})`);
};

const checkStatus = (status: number): void => {
  if (status === 403 || status === 404 || status === 410)
    throw new DownloadError('gone', `the artifact is expired or gone (HTTP ${status})`, status);
  if (status !== 200) throw new DownloadError('status', `the artifact's server answered HTTP ${status}`, status);
};

const flatten = (headers: Dispatcher.ResponseData['headers']): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));

type Following = DownloadSettings & {
  signal: AbortSignal;
  /** The headers that ask for a part. */
  range?: { range: string; 'if-range': string };
};

const follow = async (pools: Pools, url: string, settings: Following) => {
  const trustedOrigin = originOf(settings.allowedOrigin);
  const stallMs = settings.stallMs ?? defaultStallMs;
  let target = new URL(url);
  for (let hop = 0; hop <= maximumRedirects; hop += 1) {
    const headers = target.origin === new URL(url).origin ? (settings.headers ?? {}) : {};
    const answer = await request(target, {
      dispatcher: choosePool(target, trustedOrigin, pools).compose(unpaused),
      headers: { ...headers, ...settings.range, 'accept-encoding': 'identity' },
      headersTimeout: stallMs,
      bodyTimeout: stallMs,
      signal: settings.signal,
    });
    const location = answer.headers['location'];
    if (answer.statusCode < 300 || answer.statusCode > 399 || typeof location !== 'string') return answer;
    answer.body.on('error', () => undefined).destroy();
    target = new URL(location, target);
  }
  throw new DownloadError('status', `more than ${maximumRedirects} redirects`);
};

type Answer = Dispatcher.ResponseData;

type Source = { pools: Pools; url: string; settings: DownloadSettings; deadline: Deadline };

/** A body that breaks off this often is left to the next try of the whole. */
const resumesAtMost = 5;

const announcedBytes = ({ headers }: Answer): number => Number(headers['content-length'] ?? Number.NaN);

/** A weak tag does not promise the same bytes. */
const strongTagOf = ({ headers }: Answer): string | null => {
  const tag = headers['etag'];
  return typeof tag === 'string' && tag.startsWith('"') ? tag : null;
};

const isRestOf = (first: Answer, rest: Answer, fromByte: number): boolean =>
  rest.statusCode === 206 &&
  String(rest.headers['content-range']) === `bytes ${fromByte}-${announcedBytes(first) - 1}/${announcedBytes(first)}` &&
  (rest.headers['etag'] ?? strongTagOf(first)) === strongTagOf(first);

/** The rest of the same bytes, where the server can tell that they are; `null`: it must be fetched anew. */
const resume = async (source: Source, first: Answer, fromByte: number): Promise<Answer | null> => {
  const { pools, url, settings, deadline } = source;
  const tag = strongTagOf(first);
  if (tag === null || !(fromByte > 0 && fromByte < announcedBytes(first)) || deadline.ended !== null) return null;
  const range = { range: `bytes=${fromByte}-`, 'if-range': tag };
  const rest = await follow(pools, url, { ...settings, signal: deadline.signal, range }).catch(() => null);
  rest?.body.on('error', () => undefined);
  if (rest === null || isRestOf(first, rest, fromByte)) return rest;
  rest.body.destroy();
  return null;
};

const mayResume = ({ fault }: DownloadError): boolean => fault === 'truncated' || fault === 'stalled';

type Progress = { sizeBytes: number };

async function* readPart(
  { body }: Answer,
  { settings, deadline }: Source,
  progress: Progress,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of body) {
      progress.sizeBytes += (chunk as Buffer).byteLength;
      if (progress.sizeBytes > settings.maximumBytes)
        throw new DownloadError('too_large', `the artifact is larger than ${settings.maximumBytes} bytes`);
      yield chunk as Buffer;
    }
  } catch (error) {
    throw toDownloadError(error, 'body', deadline);
  } finally {
    body.destroy();
  }
}

async function* readBody(first: Answer, source: Source): AsyncGenerator<Uint8Array> {
  const progress: Progress = { sizeBytes: 0 };
  let part = first;
  try {
    for (let resumes = 0; ; resumes += 1) {
      try {
        yield* readPart(part, source, progress);
        break;
      } catch (error) {
        const fault = toDownloadError(error, 'body', source.deadline);
        const rest =
          resumes < resumesAtMost && mayResume(fault) ? await resume(source, first, progress.sizeBytes) : null;
        if (rest === null) throw fault;
        part = rest;
      }
    }
    const announced = announcedBytes(first);
    if (Number.isFinite(announced) && announced !== progress.sizeBytes)
      throw new DownloadError('truncated', `the artifact has ${progress.sizeBytes} bytes instead of ${announced}`);
  } finally {
    source.deadline.stop();
  }
}

const start = async (pools: Pools, url: string, settings: DownloadSettings): Promise<Downloaded> => {
  const deadline = startDeadline(settings.deadlineMs, settings.signal);
  let answer: Answer | null = null;
  try {
    answer = await follow(pools, url, { ...settings, signal: deadline.signal });
    // Whoever never reads the body must not meet its error as an uncaught one.
    answer.body.on('error', () => undefined);
    checkStatus(answer.statusCode);
    if (Number(answer.headers['content-length'] ?? 0) > settings.maximumBytes)
      throw new DownloadError('too_large', `the artifact is larger than ${settings.maximumBytes} bytes`);
    const body = readBody(answer, { pools, url, settings, deadline });
    return { status: answer.statusCode, headers: flatten(answer.headers), body };
  } catch (error) {
    deadline.stop();
    answer?.body.destroy();
    throw toDownloadError(error, 'head', deadline);
  }
};

/** Fetches what providers made, from public addresses only: the URL is somebody else's word. */
export const createDownload = (): { download: Download; close: () => Promise<void> } => {
  const pools: Pools = { guarded: new Agent({ connect: { lookup: lookupPublic } }), trusted: new Agent() };
  return {
    download: (url, settings) => start(pools, url, settings),
    close: async () => {
      await Promise.all([pools.guarded.destroy(), pools.trusted.destroy()]);
    },
  };
};
