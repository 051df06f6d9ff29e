import { startEmulator, type Emulator } from '../../src/emulator/server';

export type Control = {
  url: string;
  emulator: Emulator;
  ledger: () => Promise<Record<string, unknown>[]>;
  requests: (query?: string) => Promise<Record<string, unknown>[]>;
  addFault: (fault: Record<string, unknown>) => Promise<Response>;
  set: (settings: Record<string, unknown>) => Promise<Response>;
  reset: () => Promise<Response>;
};

const readData = async (url: string): Promise<Record<string, unknown>[]> =>
  ((await (await fetch(url)).json()) as { data: Record<string, unknown>[] }).data;

export const postJson = (url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(url, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  });

export const control = (emulator: Emulator): Control => {
  const base = `${emulator.url}/__emulator`;
  return {
    url: emulator.url,
    emulator,
    ledger: () => readData(`${base}/ledger`),
    requests: (query = '') => readData(`${base}/requests${query}`),
    addFault: (fault) => postJson(`${base}/faults`, fault),
    set: (settings) => postJson(`${base}/settings`, settings),
    reset: () => fetch(`${base}/reset`, { method: 'POST' }),
  };
};

/** An emulator for a test file, emptied before each test; latency 0 = everything is done at once. */
export const useEmulator = (latencyScale = 0): (() => Control) => {
  let current: Control | undefined;
  beforeAll(async () => {
    current = control(await startEmulator({ latencyScale }));
  });
  beforeEach(async () => {
    await current?.reset();
  });
  afterAll(async () => {
    await current?.emulator.close();
  });
  return () => {
    if (current === undefined) throw new Error('the emulator is not running');
    return current;
  };
};

export const readJson = async (response: Response): Promise<Record<string, unknown>> =>
  (await response.json()) as Record<string, unknown>;

export const magicOf = (bytes: Uint8Array): string => {
  const text = Buffer.from(bytes).toString('latin1');
  if (text.startsWith('\x89PNG')) return 'png';
  if (text.startsWith('\xff\xd8\xff')) return 'jpeg';
  if (text.slice(4, 8) === 'ftyp') return 'mp4';
  if (text.startsWith('ID3')) return 'mp3';
  if (text.startsWith('OggS')) return 'ogg';
  if (text.startsWith('fLaC')) return 'flac';
  return text.startsWith('RIFF') ? text.slice(8, 12) : 'unknown';
};

/** What became of one submit under each kind of fault: [fault, did the answer arrive whole, was it booked, state]. */
export const outcomesOf = async (
  control: Control,
  provider: string,
  submit: () => Promise<Response>,
): Promise<unknown[]> => {
  const kinds = ['html', 'drop_before_headers', 'drop_after_accept', 'truncated_json', 'invalid_json', 'empty_object'];
  const outcomes: unknown[] = [];
  for (const kind of [...kinds, 'status', 'failed']) {
    await control.reset();
    await control.addFault({ provider, operation: 'submit', kind, ...(kind === 'status' ? { status: 503 } : {}) });
    const isWhole = await submit().then(
      (response) =>
        response.arrayBuffer().then(
          () => true,
          () => false,
        ),
      () => false,
    );
    outcomes.push([kind, isWhole, (await control.ledger()).map(({ state }) => state)]);
  }
  return outcomes;
};

export const usualOutcomes = [
  ['html', true, []],
  ['drop_before_headers', false, []],
  ['drop_after_accept', false, ['succeeded']],
  ['truncated_json', false, ['succeeded']],
  ['invalid_json', true, ['succeeded']],
  ['empty_object', true, ['succeeded']],
  ['status', true, []],
  ['failed', true, ['failed']],
];
