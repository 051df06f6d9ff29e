import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { readStackConfig } from '../../src/config';
import { composeChildEnvironment, neutralEnvironment } from '../../src/embedded/child-environment';
import { startStack, type Stack, type StackPiece } from '../../src/embedded/stack';
import { composeRoomySettings } from './roomy-settings';

/** As the API answers it; tests read what they need. */
export type Resource = {
  id: string;
  status: string;
  rerunOf: string | null;
  phase: string | null;
  provider: string | null;
  model: string | null;
  text: string | null;
  error: { code: string; message: string; retryable: boolean } | null;
  cost: { reservedUsd: string; actualUsd: string; possibleUsd: string };
  decision: { candidates: { model: string; excluded: string | null }[] } | null;
  attempts: {
    number: number;
    provider: string;
    model: string;
    credential: string | null;
    status: string;
    operation: string | null;
    costUsd: string | null;
    possibleCostUsd: string | null;
    error: { code: string } | null;
  }[];
  artifacts: { index: number; contentType: string; bytes: number; sha256: string; url: string }[];
};

export type LedgerRow = {
  provider: string;
  operation: string;
  model: string;
  /** SHA-256 of the prompt. */
  promptHash: string;
  costUsd: string;
  state: string;
};

/** A webhook that the emulator sent, or did not. */
export type DeliveryRow = { provider: string; operation: string; status: number | null; fault: string | null };

export type TestStack = {
  stack: Stack;
  home: string;
  /** What the environment of a worker of this stack is. */
  workerEnvironment: Record<string, string>;
  /** Of the API, with the bootstrap key; a path or a whole URL. */
  call(target: string, init?: { method?: string; body?: unknown; headers?: Record<string, string> }): Promise<Response>;
  /** `POST /v1/uploads`; returns the id. */
  upload(bytes: Uint8Array): Promise<string>;
  submit(body: unknown): Promise<Resource>;
  read(id: string): Promise<Resource>;
  /** Reads until the resource is as wanted. */
  until(id: string, wanted: (resource: Resource) => boolean): Promise<Resource>;
  untilEnded(id: string): Promise<Resource>;
  fault(fault: Record<string, unknown>): Promise<void>;
  /** From now on nothing goes wrong by order. */
  clearFaults(): Promise<void>;
  settings(settings: Record<string, unknown>): Promise<void>;
  /** Paid submits the emulator accepted. */
  ledger(): Promise<LedgerRow[]>;
  /** Of them, those of this prompt. */
  paidFor(prompt: string): Promise<LedgerRow[]>;
  /** Every webhook the emulator sent. */
  deliveries(): Promise<DeliveryRow[]>;
  /** Every request the emulator saw. */
  requests(): Promise<{ provider: string; kind: string; operation: string | null }[]>;
  kill(name: string): void;
  stop(): Promise<void>;
};

const isTerminal = ({ status }: Resource): boolean => ['succeeded', 'failed', 'canceled', 'expired'].includes(status);

/** Asks until the answer is there. The time limit is jest's. */
export const eventually = async <Answer>(ask: () => Promise<Answer | null | undefined | false>): Promise<Answer> => {
  for (;;) {
    const answer = await ask();
    if (answer !== null && answer !== undefined && answer !== false) return answer;
    await pause(50);
  }
};

export const findFreePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });

export type TestStackOptions = {
  /** SURESHOT_CONFIG; fast polling and short submits by default. */
  settings?: string;
  pieces?: StackPiece[];
  environment?: Record<string, string>;
  home?: string;
};

// short deadlines, so that a lost answer is settled in seconds; the emulator's latency is set to fit
const quick =
  'polling: { scale: 0.05 }\nsubmit: { timeoutMs: 1500 }\nreconcile: { everySeconds: 2, silentSeconds: 3 }\nretry: { initialSeconds: 0.1 }\n';

/** The compiled processes, PostgreSQL, Temporal and the emulator, in a home of their own: what a user starts. */
export const startTestStack = async (options: TestStackOptions = {}): Promise<TestStack> => {
  const home = options.home ?? (await mkdtemp(path.join(tmpdir(), 'sureshot-stack-')));
  const settingsFile = path.join(home, 'settings.yaml');
  await writeFile(settingsFile, composeRoomySettings(options.settings ?? quick));
  const environment = {
    ...neutralEnvironment(process.env),
    SURESHOT_HOME: home,
    SURESHOT_CONFIG: settingsFile,
    PORT: '0',
    ...options.environment,
  };
  const config = readStackConfig(environment);
  const stack = await startStack({
    config,
    environment,
    log: () => undefined,
    ...(options.pieces && { pieces: options.pieces }),
  });
  const surroundings = { ...stack, secret: 'a secret of at least sixteen characters', port: 0 };
  const workerEnvironment = composeChildEnvironment(environment, config, surroundings);
  return { ...drive(stack, home, options.home === undefined), workerEnvironment };
};

const drive = (stack: Stack, home: string, temporary: boolean): Omit<TestStack, 'workerEnvironment'> => {
  const call: TestStack['call'] = (target, { method = 'GET', body, headers = {} } = {}) =>
    fetch(new URL(target, stack.apiUrl), {
      method,
      headers: { authorization: `Bearer ${stack.apiKey}`, 'content-type': 'application/json', ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  const control = async (route: string, method: string, body?: unknown): Promise<unknown> => {
    const response = await fetch(`${stack.emulatorUrl}/__emulator/${route}`, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`emulator: ${response.status} ${await response.text()}`);
    return response.status === 204 ? null : response.json();
  };
  const read = async (id: string): Promise<Resource> =>
    (await (await call(`/v1/generations/${id}`)).json()) as Resource;
  const until: TestStack['until'] = (id, wanted) =>
    eventually(async () => {
      const resource = await read(id);
      return wanted(resource) && resource;
    });
  const ledger: TestStack['ledger'] = async () => ((await control('ledger', 'GET')) as { data: LedgerRow[] }).data;
  return {
    stack,
    home,
    call,
    upload: async (bytes) => {
      const form = new FormData();
      form.append('file', new Blob([new Uint8Array(bytes)]), 'file');
      const headers = { authorization: `Bearer ${stack.apiKey}` };
      const response = await fetch(new URL('/v1/uploads', stack.apiUrl), { method: 'POST', headers, body: form });
      if (!response.ok) throw new Error(`refused: ${await response.text()}`);
      return ((await response.json()) as { id: string }).id;
    },
    submit: async (body) => {
      const response = await call('/v1/generations', { method: 'POST', body });
      const resource = (await response.json()) as Resource;
      if (!response.ok) throw new Error(`refused: ${JSON.stringify(resource)}`);
      return resource;
    },
    read,
    until,
    untilEnded: (id) => until(id, isTerminal),
    fault: async (fault) => void (await control('faults', 'POST', fault)),
    clearFaults: async () => void (await control('faults', 'DELETE')),
    settings: async (settings) => void (await control('settings', 'POST', settings)),
    ledger,
    paidFor: async (prompt) => {
      const promptHash = createHash('sha256').update(prompt).digest('hex');
      return (await ledger()).filter((row) => row.promptHash === promptHash);
    },
    deliveries: async () => ((await control('webhooks', 'GET')) as { data: DeliveryRow[] }).data,
    requests: async () =>
      ((await control('requests', 'GET')) as { data: { provider: string; kind: string; operation: string | null }[] })
        .data,
    kill: (name) => void process.kill(stack.pids()[name] ?? Number.NaN, 'SIGKILL'),
    stop: async () => {
      await stack.stop();
      if (temporary) await rm(home, { recursive: true, force: true });
    },
  };
};
