import { Agent, fetch as undiciFetch, type Dispatcher, type Response as WireResponse } from 'undici';
import { startDeadline, type Deadline } from './deadline';
import { choosePool, createDownload, DownloadError, lookupPublic, type Download } from './download';
import type { Call, Exchange } from './provider';
import { watchSending } from './sent-headers';
import { unpaused } from './unpaused';

/** Only a submit is forbidden a second request and gets a connection of its own. */
export type Purpose = 'submit' | 'stage' | 'check' | 'cancel' | 'find' | 'verify' | 'probe';

/** What the provider answered. `text` holds at most the first 64 KB, and only of refusals: results go to the SDK. */
export type Answer = { status: number; headers: Record<string, string>; text: string };

/**
 * No usable answer came. `sent` tells whether the request may have reached the provider: `not_sent` is certain (no
 * header was written), `unknown` is everything else. It carries no `code` and no `cause`: fal's SDK sends again what
 * looks like a network error.
 */
export class TransportError extends Error {
  readonly sent: 'not_sent' | 'unknown';
  readonly reason: 'unreachable' | 'interrupted' | 'deadline' | 'aborted' | 'too_large' | 'second_request';

  constructor(reason: TransportError['reason'], sent: TransportError['sent'], message: string) {
    super(message);
    this.name = 'TransportError';
    this.reason = reason;
    this.sent = sent;
  }
}

/** One provider call: the `fetch` for its SDK, and how the last request ended whatever the SDK made of it. */
export type Line = {
  fetch: typeof fetch;
  answer(): Answer | null;
  failure(): TransportError | null;
};

export type Transport = {
  /** `rewrite` redirects a provider's fixed hosts to the configured base URL. The deadline starts here. */
  open(call: Call, purpose: Purpose, rewrite?: (url: URL) => URL): Line;
  download: Download;
  /** Closes the kept-alive connections. */
  close(): Promise<void>;
};

type State = {
  call: Call;
  purpose: Purpose;
  endsAt: number;
  requests: number;
  sent: boolean;
  onSent: (() => void) | undefined;
  answer: Answer | null;
  failure: TransportError | null;
  rewrite: (url: URL) => URL;
  /** Where the first request went: by our own choice. */
  origin: string | null;
};

type Pools = { kept: Agent; guarded: Agent; maximumBytes: number };

const connectTimeoutMs = 10_000;
const errorTextBytes = 64 * 1024;
/** A 4K image in base64 is about 35 MB. */
const defaultMaximumBytes = 64 * 1024 * 1024;

/** Headers worth keeping on the attempt's row: limits, ids, cost. None of them can hold a secret. */
const safeHeader =
  /^(content-type|content-length|date|retry-after(-ms)?|x-should-retry|.*request-id|x-ratelimit-[a-z-]+|x-fal-(error-type|retryable|needs-retry|request-timeout-type)|character-cost|history-item-id|(current|maximum)-concurrent-requests|anthropic-ratelimit-[a-z-]+|cf-ray|cf-aig-(log-id|cache-status)|x-vercel-id)$/;
/** A gateway's log id comes first: it leads to the provider's. */
const requestIdHeaders = ['cf-aig-log-id', 'x-request-id', 'request-id', 'x-fal-request-id', 'x-vercel-id', 'cf-ray'];

const secondRequest = (): TransportError =>
  new TransportError('second_request', 'unknown', 'a second request of one submit was refused');

const tag = (state: State): Dispatcher.DispatcherComposeInterceptor => {
  let dispatches = 0;
  return (dispatch) => (options, handler) => {
    dispatches += 1;
    // The fetch standard repeats a request by itself after a 421.
    if (state.purpose === 'submit' && dispatches > 1) throw secondRequest();
    return watchSending(state, () => dispatch(options, handler));
  };
};

/** undici hides the socket's error below `TypeError: fetch failed`. */
const networkCode = (error: unknown): string => {
  let current = error;
  for (let depth = 0; depth < 5 && current instanceof Error; depth += 1) {
    const code = (current as { code?: unknown }).code;
    if (typeof code === 'string') return code;
    current = current.cause;
  }
  return 'no code';
};

const toTransportError = (error: unknown, state: State, deadline: Deadline): TransportError => {
  if (error instanceof TransportError) return error;
  if (error instanceof DownloadError)
    return new TransportError('unreachable', 'not_sent', 'the provider named an address that is not a public one');
  const sent = state.sent ? 'unknown' : 'not_sent';
  if (deadline.ended === 'deadline')
    return new TransportError('deadline', sent, `no complete answer within ${state.call.deadlineMs} ms`);
  if (deadline.ended === 'aborted') return new TransportError('aborted', sent, 'the call was aborted');
  return state.sent
    ? new TransportError(
        'interrupted',
        sent,
        `the connection broke before the answer was complete (${networkCode(error)})`,
      )
    : new TransportError('unreachable', sent, `the provider could not be reached (${networkCode(error)})`);
};

const readHeaders = (response: WireResponse): Record<string, string> =>
  Object.fromEntries([...response.headers].filter(([name]) => safeHeader.test(name)));

const tell = (state: State, response: WireResponse | null): void => {
  const headers = response === null ? {} : readHeaders(response);
  const requestId = requestIdHeaders.map((name) => headers[name]).find((value) => value !== undefined);
  const exchange: Exchange = { status: response?.status ?? null, requestId: requestId ?? null, headers };
  state.call.onExchange?.(exchange);
};

async function* limit(body: WireResponse['body'], maximumBytes: number): AsyncGenerator<Uint8Array> {
  let sizeBytes = 0;
  for await (const chunk of body ?? []) {
    sizeBytes += (chunk as Uint8Array).byteLength;
    if (sizeBytes > maximumBytes)
      throw new TransportError('too_large', 'unknown', `the answer is larger than ${maximumBytes} bytes`);
    yield chunk as Uint8Array;
  }
}

/** The body was decoded on the way: its length and encoding are no longer those of the wire. */
const rebuild = (wire: WireResponse, body: Uint8Array | ReadableStream<Uint8Array>): Response => {
  const headers = new Headers([...wire.headers]);
  headers.delete('content-encoding');
  headers.delete('content-length');
  const empty = wire.status === 204 || wire.status === 205 || wire.status === 304;
  return new Response(empty ? null : body, { status: wire.status, statusText: wire.statusText, headers });
};

/** Text deltas cannot wait for the end of the body; deadline, size cap and bookkeeping stay the same. */
const streamThrough = (
  wire: WireResponse,
  pools: Pools,
  finish: (error?: unknown) => TransportError | null,
): Response => {
  const chunks = limit(wire.body, pools.maximumBytes);
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const next = await chunks.next();
        if (!next.done) return controller.enqueue(next.value);
        finish();
        controller.close();
      } catch (error) {
        controller.error(finish(error));
      }
    },
    async cancel() {
      finish();
      await chunks.return(undefined);
    },
  });
  return rebuild(wire, body);
};

const buffer = async (wire: WireResponse, maximumBytes: number): Promise<Buffer> => {
  const chunks: Uint8Array[] = [];
  for await (const chunk of limit(wire.body, maximumBytes)) chunks.push(chunk);
  return Buffer.concat(chunks);
};

const receive = async (wire: WireResponse, state: State, pools: Pools): Promise<Response> => {
  const body = await buffer(wire, pools.maximumBytes);
  const text = wire.ok ? '' : body.subarray(0, errorTextBytes).toString('utf8');
  state.answer = { status: wire.status, headers: readHeaders(wire), text };
  return rebuild(wire, new Uint8Array(body));
};

const isEventStream = (wire: WireResponse): boolean =>
  wire.ok && (wire.headers.get('content-type') ?? '').startsWith('text/event-stream');

/**
 * A kept-alive connection that the peer has just closed makes a lost submit look like a sent one: a submit gets its
 * own, closed with `connection: close`. Its timeouts are off: the deadline covers the whole call.
 */
const freshAgent = (deadlineMs: number): Agent =>
  new Agent({
    pipelining: 0,
    connections: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { timeout: Math.min(connectTimeoutMs, deadlineMs) },
  });

/** An upload goes on where the provider says, and that is no more trusted than the address of an artifact. */
const chooseAgent = (state: State, pools: Pools, url: URL): Agent => {
  state.origin ??= url.origin;
  return choosePool(url, state.origin, { trusted: pools.kept, guarded: pools.guarded });
};

const exchange = async (state: State, pools: Pools, request: Request): Promise<Response> => {
  const deadline = startDeadline(state.endsAt - performance.now(), state.call.signal, request.signal);
  const own = state.purpose === 'submit' ? freshAgent(state.call.deadlineMs) : null;
  let wire: WireResponse | null = null;
  let finished = false;
  // a reader that stops early comes here by more than one way
  const finish = (error?: unknown): TransportError | null => {
    if (finished) return state.failure;
    finished = true;
    deadline.stop();
    void own?.destroy().catch(() => undefined);
    if (error !== undefined) state.failure = toTransportError(error, state, deadline);
    tell(state, wire);
    return state.failure;
  };
  try {
    const body = request.body === null ? null : await request.arrayBuffer();
    const url = state.rewrite(new URL(request.url));
    const agent = own ?? chooseAgent(state, pools, url);
    wire = await undiciFetch(url, {
      method: request.method,
      headers: [...request.headers],
      body,
      redirect: 'manual', // the key must not follow a redirect to another host
      signal: deadline.signal,
      dispatcher: agent.compose(tag(state), unpaused),
    });
    if (state.call.onText !== undefined && isEventStream(wire)) {
      state.answer = { status: wire.status, headers: readHeaders(wire), text: '' };
      return streamThrough(wire, pools, finish);
    }
    const response = await receive(wire, state, pools);
    finish();
    return response;
  } catch (error) {
    // eslint-disable-next-line @typescript-eslint/only-throw-error -- finish(error) always answers with a TransportError
    throw finish(error);
  }
};

const openLine = (pools: Pools, state: State): Line => ({
  fetch: async (target, init) => {
    state.requests += 1;
    // The SDK's own second try: after a fault nothing goes out again, and a submit is one request whatever happened.
    if (state.failure !== null) throw state.failure;
    if (state.purpose === 'submit' && state.requests > 1) throw (state.failure = secondRequest());
    state.answer = null;
    state.sent = false;
    return exchange(state, pools, new Request(target, init));
  },
  answer: () => state.answer,
  failure: () => state.failure,
});

/** The one fetch that every SDK is given. It never retries. */
export const createTransport = (settings: { maximumBytes?: number } = {}): Transport => {
  const connect = { timeout: connectTimeoutMs };
  const pools: Pools = {
    kept: new Agent({ headersTimeout: 0, bodyTimeout: 0, keepAliveTimeout: 4_000, connect }),
    guarded: new Agent({ headersTimeout: 0, bodyTimeout: 0, connect: { ...connect, lookup: lookupPublic } }),
    maximumBytes: settings.maximumBytes ?? defaultMaximumBytes,
  };
  const { download, close } = createDownload();
  return {
    open: (call, purpose, rewrite = (url) => url) =>
      openLine(pools, {
        call,
        purpose,
        rewrite,
        endsAt: performance.now() + call.deadlineMs,
        requests: 0,
        sent: false,
        onSent: call.onSent,
        answer: null,
        failure: null,
        origin: null,
      }),
    download,
    close: async () => {
      await Promise.all([pools.kept.destroy(), pools.guarded.destroy(), close()]);
    },
  };
};
