import { setTimeout as pause } from 'node:timers/promises';
import type { Random } from './random';

/** A paid submit that the provider accepted, as its own books have it. */
export type Booking = {
  provider: string;
  operation: string;
  model: string;
  promptHash: string;
  credential: string;
  costUsd: string;
  submittedAt: string;
  startedAt: string | null;
  endedAt: string | null;
  state: 'running' | 'succeeded' | 'failed' | 'canceled';
  submits: number;
  retryCount: number;
};

/** A request it saw. */
export type Seen = {
  provider: string;
  kind: string;
  credential: string | null;
  operation: string | null;
  model: string | null;
  status: number | null;
  fault: string | null;
  at: string;
};

/** How one key (`model`: with one model) stands and stood against its limits there. */
export type Meter = {
  provider: string;
  credential: string;
  model: string | null;
  limits: Record<string, number | null>;
  requests: number;
  accepted: number;
  waited: number;
  refused: Record<string, number>;
  peaks: Record<string, number>;
};

export type EmulatorControl = {
  ledger(): Promise<Booking[]>;
  /** Of its process. */
  pid(): Promise<number>;
  requests(): Promise<Seen[]>;
  meters(): Promise<Meter[]>;
  setLimits(limits: Record<string, unknown>): Promise<void>;
  addFault(fault: Record<string, unknown>): Promise<void>;
  clearFaults(): Promise<void>;
  setLatencyScale(latencyScale: number): Promise<void>;
};

/** It is killed too: every request is repeated until it is answered. */
export const controlEmulator = (emulatorUrl: string): EmulatorControl => {
  const ask = async (route: string, method: string, body?: unknown): Promise<unknown> => {
    for (;;) {
      try {
        const response = await fetch(`${emulatorUrl}/__emulator/${route}`, {
          method,
          headers: { 'content-type': 'application/json' },
          ...(body !== undefined && { body: JSON.stringify(body) }),
        });
        const text = await response.text();
        if (response.ok) return text === '' ? null : JSON.parse(text);
        throw new Error(`emulator: ${response.status} ${text}`);
      } catch (error) {
        if ((error as Error).message.startsWith('emulator: 4')) throw error;
        await pause(100);
      }
    }
  };
  const list = async (route: string): Promise<unknown> => ((await ask(route, 'GET')) as { data: unknown }).data;
  return {
    ledger: async () => (await list('ledger')) as Booking[],
    pid: async () => ((await ask('health', 'GET')) as { pid: number }).pid,
    requests: async () => (await list('requests?kind=submit')) as Seen[],
    meters: async () => (await list('limits')) as Meter[],
    setLimits: async (limits) => void (await ask('settings', 'POST', { limits })),
    addFault: async (fault) => void (await ask('faults', 'POST', fault)),
    clearFaults: async () => void (await ask('faults', 'DELETE')),
    setLatencyScale: async (latencyScale) => void (await ask('settings', 'POST', { latencyScale })),
  };
};

const providers = [
  ...['runway', 'runway', 'fal', 'fal', 'google', 'mock', 'openai', 'anthropic', 'groq', 'cloudflare', 'elevenlabs'],
] as const;

type Fault = { weight: number; fault: Record<string, unknown>; exceptOf?: string };

/** After the last five `submit` ones nobody knows whether the work was accepted. */
const faults: readonly Fault[] = [
  { weight: 3, fault: { kind: 'status', operation: 'submit', status: 503 } },
  { weight: 2, fault: { kind: 'status', operation: 'submit', status: 429, retryAfter: 1 } },
  { weight: 2, fault: { kind: 'slow', operation: 'submit', delayMs: 700 } },
  { weight: 1, fault: { kind: 'failed' } },
  { weight: 1, fault: { kind: 'content_refused' } },
  { weight: 3, fault: { kind: 'status', operation: 'poll', status: 500 } },
  { weight: 2, fault: { kind: 'status', operation: 'poll', status: 429, retryAfter: 1 } },
  { weight: 2, fault: { kind: 'html', operation: 'poll' } },
  { weight: 1, fault: { kind: 'invalid_json', operation: 'poll' } },
  { weight: 1, fault: { kind: 'stall_body', operation: 'poll' } },
  { weight: 2, fault: { kind: 'status', operation: 'result', status: 503 } },
  { weight: 1, fault: { kind: 'status', operation: 'cancel', status: 500 } },
  { weight: 3, fault: { kind: 'artifact_truncated' } },
  { weight: 2, fault: { kind: 'artifact_wrong_length' } },
  { weight: 2, fault: { kind: 'status', operation: 'artifact', status: 500 } },
  { weight: 3, fault: { kind: 'drop_after_accept' } },
  { weight: 2, fault: { kind: 'drop_before_headers', operation: 'submit' } },
  // fal's own 500 says that nothing was accepted
  { weight: 2, fault: { kind: 'status', operation: 'submit', status: 500, accepted: true }, exceptOf: 'fal' },
  { weight: 1, fault: { kind: 'stall_headers', operation: 'submit' } },
  { weight: 1, fault: { kind: 'truncated_json', operation: 'submit' } },
];

/** Goes on until it is stopped: one fault every so often, for one request of one provider. */
export const disturb = async (
  control: EmulatorControl,
  random: Random,
  { everyMs, stopped }: { everyMs: number; stopped: AbortSignal },
): Promise<number> => {
  for (let count = 0; ; count += 1) {
    await pause(everyMs, undefined, { signal: stopped }).catch(() => undefined);
    if (stopped.aborted) return count;
    const provider = random.pick(providers);
    const { fault } = random.pickWeighted(faults.filter(({ exceptOf }) => exceptOf !== provider));
    await control.addFault({ provider, ...fault });
  }
};
