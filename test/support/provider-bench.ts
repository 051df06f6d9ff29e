import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as nextLook } from 'node:timers/promises';
import { inspect } from 'node:util';
import type { FailureCode } from '../../src/domain/failure';
import { startEmulator } from '../../src/emulator/server';
import {
  ProviderError,
  type Call,
  type Callback,
  type Operation,
  type Outcome,
  type Output,
  type Provider,
  type ReadyInput,
  type Sent,
} from '../../src/providers/provider';
import { createTransport, type Transport } from '../../src/providers/transport';
import { makeCall, makeReadyInput, modelOf, secret } from './provider-calls';

export type Subject = {
  create: (transport: Transport) => Provider;
  model: string;
  input?: Partial<ReadyInput>;
  /** Where the emulator speaks this provider's protocol; what `P_BASE_URL` would be. */
  basePath: string;
  /** The answer to the submit is the result: nothing to look at or to cancel. */
  synchronous?: boolean;
  /** The answer is bytes without a structure to check. */
  opaque?: boolean;
  /** Where this provider's own error body of a status says something else than the status. */
  codes?: Partial<Record<number, FailureCode>>;
  /** The 5xx the provider documents as not accepted. */
  notAccepted: readonly (500 | 502 | 503)[];
  /** Results are files at the provider's, to be downloaded. */
  files?: boolean;
  /** No filter stands in front of it: whoever will not answer says so in the text. */
  refusesInWords?: boolean;
  /** This provider withholds nothing after the fact. */
  unfiltered?: boolean;
  /**
   * Where lost work is found again: what the call needs for it, and what is said of work that is not there. Without it
   * nothing is ever found.
   */
  door?: { call?: Pick<Call, 'store'>; adminKey?: string; absence: 'absent' | 'unknown' };
  /** What an ended answer starts with. */
  magic: RegExp;
};

/** Longer than the emulator draws, so that only what stalls is cut. */
const deadlineMs = 10_000;

type Emulator = Awaited<ReturnType<typeof startEmulator>>;

const createControl = (emulator: Emulator) => {
  const control = async (path: string, body?: unknown): Promise<{ data: Record<string, unknown>[] }> => {
    const response = await fetch(`${emulator.url}/__emulator/${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`the emulator refused ${path}: ${text}`);
    return (text === '' ? {} : JSON.parse(text)) as { data: Record<string, unknown>[] };
  };
  return {
    reset: async () => {
      await control('reset', {});
      await control('settings', { latencyScale: 0.01 });
    },
    setLatency: (latencyScale: number) => control('settings', { latencyScale }),
    addFault: (fault: Record<string, unknown>) => control('faults', { times: 1, ...fault }),
    countRequests: async (kind: 'submit' | 'poll') =>
      (await control('requests')).data.filter((request) => request['kind'] === kind).length,
    countPaid: async () => (await control('ledger')).data.length,
  };
};

/** The error a call ends in. */
export const refusalOf = async (talking: Promise<unknown>): Promise<ProviderError> => {
  const ended: unknown = await talking.catch((thrown: unknown) => thrown);
  if (ended instanceof ProviderError) return ended;
  throw new Error(`not a ProviderError: ${inspect(ended)}`, { cause: ended });
};

export const operationOf = (outcome: Outcome): Operation => {
  if (outcome.state === 'pending') return outcome.operation;
  throw new Error(`not pending: ${inspect(outcome)}`);
};

const keyHeaderOf = ({ credentialHeader }: Extract<Output, { kind: 'url' }>): Record<string, string> =>
  credentialHeader === undefined
    ? {}
    : { [credentialHeader.name]: [credentialHeader.scheme, secret].filter(Boolean).join(' ') };

const readOutputs = async (outcome: Outcome, transport: Transport, emulator: Emulator): Promise<Buffer[]> => {
  if (outcome.state !== 'succeeded') throw new Error(`not succeeded: ${inspect(outcome)}`);
  const limits = { deadlineMs, maximumBytes: 50_000_000, allowedOrigin: emulator.url };
  return Promise.all(
    outcome.outputs.map(async (output) => {
      if (output.kind === 'text') return Buffer.from(output.text);
      if (output.kind === 'bytes') return Buffer.from(output.bytes);
      const chunks: Uint8Array[] = [];
      const headers = { ...output.headers, ...keyHeaderOf(output) };
      for await (const chunk of (await transport.download(output.url, { ...limits, headers })).body) chunks.push(chunk);
      return Buffer.concat(chunks);
    }),
  );
};

/** Where providers announce ends: what came, as our API would store it. */
const startReceiver = async () => {
  const callbacks: Callback[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const told = Object.entries(request.headers).map(([name, value]) => [name, String(value)] as const);
      const headers = { ...Object.fromEntries(told), 'x-sureshot-received-at': new Date().toISOString() };
      callbacks.push({ headers, body: Buffer.concat(chunks).toString('utf8') });
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/announced`,
    /** The next one, once it has come. */
    next: async (): Promise<Callback> => {
      let callback = callbacks.shift();
      while (callback === undefined) {
        await nextLook(20);
        callback = callbacks.shift();
      }
      return callback;
    },
    stop: () => new Promise<void>((resolve) => void server.close(() => resolve()).closeAllConnections()),
  };
};

/** An adapter with its real SDK in front of the emulator. */
export const startBench = async (subject: Subject) => {
  const emulator = await startEmulator({ port: 0 });
  const transport = createTransport();
  const provider = subject.create(transport);
  await provider.prepare?.();
  const { addFault, ...control } = createControl(emulator);
  const model = modelOf(subject.model);
  const baseUrl = `${emulator.url}${subject.basePath}`;
  const { adminKey } = subject.door ?? {};
  const credential = { alias: 'test', secret, baseUrl, ...(adminKey !== undefined && { adminKey }) };
  const call = (overrides: Partial<Call> = {}) =>
    makeCall(baseUrl, { credential, deadlineMs, ...subject.door?.call, ...overrides });
  const receiver = await startReceiver();
  const check = async (operation: Operation): Promise<Outcome> => {
    if (provider.check === undefined) throw new Error(`${provider.id} cannot look`);
    return provider.check(model, operation, call());
  };
  return {
    ...control,
    provider,
    model,
    /** As it is sent. */
    input: makeReadyInput(subject.input),
    call,
    check,
    receiver,
    submit: (talked: Call = call(), input = makeReadyInput(subject.input)) => provider.submit(model, input, talked),
    /** Asks as long as the provider wants to be asked again. */
    find: async (sent: Sent, talked: Call = call()): Promise<Operation | 'absent' | 'unknown'> => {
      if (provider.find === undefined) throw new Error(`${provider.id} finds nothing`);
      for (;;) {
        const found: unknown = await provider.find(model, sent, talked).catch((thrown: unknown) => thrown);
        if (!(found instanceof ProviderError)) return found as Operation | 'absent' | 'unknown';
        if (found.code !== 'provider_timeout' || found.retryAfterMs === null) throw found;
        await nextLook(50);
      }
    },
    causeFault: (fault: Record<string, unknown>) => addFault({ provider: provider.id, ...fault }),
    /** Looks until the work has ended. */
    follow: async (outcome: Outcome): Promise<Outcome> => {
      let seen = outcome;
      while (seen.state === 'pending') {
        await nextLook(20);
        seen = await check(seen.operation);
      }
      return seen;
    },
    readOutputs: (outcome: Outcome) => readOutputs(outcome, transport, emulator),
    stop: async () => {
      await receiver.stop();
      await transport.close();
      await emulator.close();
    },
  };
};

export type Bench = Awaited<ReturnType<typeof startBench>>;
