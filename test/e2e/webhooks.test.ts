import { createHash } from 'node:crypto';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Client as PostgresClient } from 'pg';
import type { Dependencies } from '../../src/activities/dependencies';
import { writeCallbackToken } from '../../src/api/callback-token';
import type { Credential } from '../../src/providers/provider';
import { startOwnWorker } from '../support/own-worker';
import { eventually, findFreePort, startTestStack, type Resource, type TestStack } from '../support/stack';

const secret = 'a secret of at least sixteen characters';

/** Looks are so rare that within a test none comes by itself. */
const settings = `
polling: { scale: 10 }
submit: { timeoutMs: 1500 }
reconcile: { everySeconds: 2, silentSeconds: 3 }
retry: { initialSeconds: 0.1 }
`;

type Change = (dependencies: Dependencies) => Partial<Dependencies>;

let system: TestStack;
let worker: { stop(): Promise<void> } | null = null;

const stopWorker = async (): Promise<void> => {
  await worker?.stop();
  worker = null;
};

/** Another one instead of the one before. */
const startWorker = async (change: Change): Promise<void> => {
  await stopWorker();
  worker = await startOwnWorker(system, change);
};

const keyOf = ({ credentials }: Dependencies, provider: string): Credential => credentials[provider]?.[0] as Credential;

/** As configured, with other keys for these providers. */
const withKeys = (dependencies: Dependencies, keys: Record<string, Credential[]>): Partial<Dependencies> => ({
  credentials: { ...dependencies.credentials, ...keys },
});

/** Without the key that could see fal's list of requests: there is nobody to ask there. */
const withoutList: Change = (dependencies) => {
  const { adminKey: _admin, ...plain } = keyOf(dependencies, 'fal');
  return withKeys(dependencies, { fal: [plain] });
};

const looksOften = ({ settings: slow }: Dependencies): Partial<Dependencies> => ({
  settings: { ...slow, pollScale: 0.05 },
});

beforeAll(async () => {
  const port = await findFreePort();
  system = await startTestStack({
    settings,
    pieces: ['postgres', 'temporal', 'emulator', 'api'],
    environment: { PORT: String(port), PUBLIC_URL: `http://127.0.0.1:${port}`, SURESHOT_SECRET: secret },
  });
  await system.settings({ latencyScale: 0.05 });
});

afterAll(async () => {
  await stopWorker();
  await system.stop();
});

const fal = (prompt: string, more: object = {}) => ({
  ...{ medium: 'video', model: 'fal/veo3.1', input: { prompt }, onAmbiguous: 'hold' },
  ...more,
});

const interaction = (prompt: string) => fal(prompt, { model: 'google/gemini-omni-1.1-flash' });

const looksAt = async (operation: string | null | undefined): Promise<number> =>
  (await system.requests()).filter((seen) => seen.kind === 'poll' && seen.operation === operation).length;

const endsWithOneSubmit = async (id: string, prompt: string): Promise<Resource> => {
  const resource = await system.untilEnded(id);
  expect(resource).toMatchObject({ status: 'succeeded', error: null, attempts: [{ number: 1, status: 'succeeded' }] });
  expect(resource.attempts).toHaveLength(1);
  expect(resource.artifacts).toHaveLength(1);
  expect(await system.paidFor(prompt)).toMatchObject([{ operation: resource.attempts[0]?.operation }]);
  return resource;
};

describe('a provider that calls back', () => {
  beforeAll(() => startWorker(withoutList));

  test.each([
    ['fal', fal('a film that fal announces')],
    ['google', interaction('a film that Google announces')],
  ])('%s: the end comes by its message, with one look of ours', async (provider, request) => {
    const { id } = await system.submit(request);
    const { attempts } = await endsWithOneSubmit(id, request.input.prompt);
    const operation = attempts[0]?.operation;
    const told = (await system.deliveries()).filter((delivery) => delivery.operation === operation);
    expect(told).toMatchObject([{ provider, status: 200 }]);
    expect(await looksAt(operation)).toBe(1);
  });

  test.each([
    ['forged, then the true one', 'fal', { kind: 'webhook_forged' }],
    ['twice', 'fal', { kind: 'webhook_duplicate' }],
    ['before the answer to the submit', 'fal', { kind: 'webhook_early' }],
    ['late', 'fal', { kind: 'webhook_late', delayMs: 2_500 }],
    ['forged, then the true one', 'google', { kind: 'webhook_forged' }],
    ['twice', 'google', { kind: 'webhook_duplicate' }],
    ['before the answer to the submit', 'google', { kind: 'webhook_early' }],
  ])('a message that comes %s does no harm (%s)', async (_how, provider, fault) => {
    const prompt = `a film announced by ${fault.kind} of ${provider}`;
    await system.fault({ provider, operation: 'webhook', match: { prompt }, ...fault });
    const { id } = await system.submit(provider === 'fal' ? fal(prompt) : interaction(prompt));
    const { attempts } = await endsWithOneSubmit(id, prompt);
    const operation = attempts[0]?.operation;
    const expected = ['webhook_forged', 'webhook_duplicate'].includes(fault.kind) ? 2 : 1;
    const told = await eventually(async () => {
      const found = (await system.deliveries()).filter((delivery) => delivery.operation === operation);
      return found.length >= expected && found;
    });
    expect(told).toHaveLength(expected);
    for (const { status } of told) expect(status).toBe(200);
  });

  test('what anybody says at a known address ends nothing: it is a hint to look', async () => {
    const prompt = 'a film that somebody wants ended';
    await system.fault({ provider: 'fal', kind: 'stuck', match: { prompt } });
    const { id } = await system.submit(fal(prompt));
    const { attempts } = await system.until(id, ({ phase }) => phase === 'polling');
    const operation = attempts[0]?.operation;
    const token = writeCallbackToken(secret, { provider: 'fal', generationId: id, number: 1 });
    for (const status of ['OK', 'ERROR']) {
      const body = { request_id: operation, gateway_request_id: operation, status, payload: { video: { url: 'x' } } };
      const seen = await looksAt(operation);
      const answer = await system.call(`/webhooks/providers/fal/${token}`, { method: 'POST', body });
      expect(answer.status).toBe(200);
      await eventually(async () => (await looksAt(operation)) > seen);
    }
    expect(await system.read(id)).toMatchObject({ status: 'running', attempts: [{ status: 'submitted', operation }] });
    await system.call(`/v1/generations/${id}/cancel`, { method: 'POST' });
    expect(await system.untilEnded(id)).toMatchObject({ status: 'canceled' });
    await eventually(async () => (await system.paidFor(prompt))[0]?.state === 'canceled');
  });

  // Promise 2: "Never silently paid twice. …"
  test('a lost answer is found again by the message, with nobody to ask', async () => {
    const prompt = 'a film whose answer was lost';
    await system.fault({ provider: 'fal', kind: 'drop_after_accept', match: { prompt } });
    const { id } = await system.submit(fal(prompt));
    await endsWithOneSubmit(id, prompt);
  });

  test('a lost answer is found again by the true message, also where a forged one with the same words came first', async () => {
    const prompt = 'a film about which somebody lied';
    await system.fault({ provider: 'fal', kind: 'drop_after_accept', match: { prompt } });
    await system.fault({ provider: 'fal', operation: 'webhook', kind: 'webhook_forged', match: { prompt } });
    const { id } = await system.submit(fal(prompt));
    await endsWithOneSubmit(id, prompt);
  }, 20_000);
});

// Promise 3: "Resume, never restart. After an outage of any length, polling goes on with the operation we have; re-run
// adopts paid work."
describe('keys that leave the configuration', () => {
  const old = (dependencies: Dependencies, provider: string): Credential => ({
    ...keyOf(dependencies, provider),
    ...{ alias: 'last-year', secret: `the ${provider} key of last year` },
  });

  test('still poll and download what was begun with them, also where their name stands for another key now', async () => {
    await startWorker((dependencies) => ({
      ...looksOften(dependencies),
      ...withKeys(dependencies, { fal: [old(dependencies, 'fal')], google: [old(dependencies, 'google')] }),
      callbackUrlFor: () => null,
    }));
    await system.settings({ latencyScale: 0.15 });
    const begun = await Promise.all(
      [fal('a film of last year'), interaction('an interaction of last year')].map(async (request) => {
        const { id } = await system.submit(request);
        await system.until(id, ({ phase }) => phase === 'polling');
        return { id, prompt: request.input.prompt };
      }),
    );
    await system.settings({ latencyScale: 0.05 });
    await startWorker((dependencies) => ({
      ...looksOften(dependencies),
      ...withKeys(dependencies, {
        fal: [{ ...old(dependencies, 'fal'), secret: 'the fal key of this year' }],
        google: [{ ...old(dependencies, 'google'), alias: 'this-year', secret: 'the google key of this year' }],
      }),
    }));
    for (const { id, prompt } of begun)
      expect(await endsWithOneSubmit(id, prompt)).toMatchObject({ attempts: [{ credential: 'last-year' }] });
    const { id } = await system.submit(interaction('an interaction of this year'));
    expect(await system.untilEnded(id)).toMatchObject({ status: 'succeeded', attempts: [{ credential: 'this-year' }] });
  });

  test('a message that never comes is not waited for: a look finds the end', async () => {
    const prompt = 'a film that nobody announces';
    await system.fault({ provider: 'google', operation: 'webhook', kind: 'webhook_lost', match: { prompt } });
    const { id } = await system.submit(interaction(prompt));
    const { attempts } = await endsWithOneSubmit(id, prompt);
    const told = (await system.deliveries()).filter(({ operation }) => operation === attempts[0]?.operation);
    expect(told).toMatchObject([{ status: null, fault: 'webhook_lost' }]);
  });
});

test('a lost submit is found again in fal’s list of requests, with the key of the account', async () => {
  await startWorker((dependencies) => ({
    ...looksOften(dependencies),
    ...withKeys(dependencies, { fal: [{ ...keyOf(dependencies, 'fal'), adminKey: 'admin of the account' }] }),
    callbackUrlFor: () => null,
  }));
  const prompt = 'a film that is on the list';
  await system.fault({ provider: 'fal', kind: 'drop_after_accept', match: { prompt } });
  const { id } = await system.submit(fal(prompt));
  await endsWithOneSubmit(id, prompt);
});

// Promise 6: "`succeeded` means the bytes are in our storage, hash verified, still there after the provider's link died."
test('succeeded means the bytes are in our storage, hash verified, still there after the provider’s link died', async () => {
  await startWorker(looksOften);
  const prompt = 'a letter that is kept';
  const { id } = await system.submit({ medium: 'image', model: 'fal/flux/dev', input: { prompt } });
  const { status, artifacts } = await system.untilEnded(id);
  expect(status).toBe('succeeded');
  const database = new PostgresClient({ connectionString: system.stack.databaseUrl ?? '' });
  await database.connect();
  const { rows } = await database.query<{ outputs: { url: string }[] }>(
    'SELECT outputs FROM attempts WHERE generation_id = $1',
    [id],
  );
  await database.end();
  const link = rows[0]?.outputs[0]?.url ?? '';
  await system.fault({ provider: 'fal', kind: 'artifact_expired', times: null, match: { prompt } });
  expect((await fetch(link)).ok).toBe(false);
  const response = await system.call(artifacts[0]?.url ?? '');
  const bytes = Buffer.from(await response.arrayBuffer());
  expect(bytes.length).toBe(artifacts[0]?.bytes);
  expect(createHash('sha256').update(bytes).digest('hex')).toBe(artifacts[0]?.sha256);
});

// Promise 9: "Cancel means cancelled at the provider too, and a late result is still accounted for."
describe('an answer that comes after its attempt was replaced', () => {
  let frozen: ChildProcess | null = null;
  let gone: Promise<unknown> = Promise.resolve();

  afterEach(async () => {
    frozen?.kill('SIGKILL');
    await gone;
  });

  /**
   * The worker of this build. Where `order` is there it takes one attempt, is told to stop as by a deploy, and stops
   * dead as soon as it has the answer. (One that was not told would be handed work for as long as its polls stand.)
   */
  const startFreezing = (order: string): ChildProcess => {
    const folder = path.join(__dirname, '..', '..', 'dist');
    const program = `
      const fs = require('node:fs');
      const composition = require('./worker-dependencies');
      const { createWorkerDependencies } = composition;
      Object.assign(composition, { createWorkerDependencies: (config) => {
        const created = createWorkerDependencies(config);
        created.dependencies.reached = (boundary) => {
          if (!fs.existsSync(process.env.ORDER)) return;
          if (boundary === 'taken') process.kill(process.pid, 'SIGTERM');
          if (boundary !== 'accepted') return;
          fs.renameSync(process.env.ORDER, process.env.ORDER + '.obeyed');
          process.kill(process.pid, 'SIGSTOP');
        };
        return created;
      } });
      require('./worker');`;
    const environment = { ...system.workerEnvironment, LOG_LEVEL: 'silent', ORDER: order };
    return spawn(process.execPath, ['-e', program], { cwd: folder, env: environment, stdio: 'ignore' });
  };

  test('is booked, and what it began is cancelled at the provider', async () => {
    const prompt = 'a film that came too late';
    const order = path.join(system.home, 'freeze');
    await writeFile(order, '');
    await system.fault({ provider: 'runway', kind: 'stuck', delayMs: 1_000, match: { prompt } });
    await stopWorker();
    frozen = startFreezing(order);
    gone = new Promise((resolve) => frozen?.once('exit', resolve));
    const { id } = await system.submit(fal(prompt, { model: 'runway/gen4.5', onAmbiguous: 'resubmit' }));
    await eventually(() => Promise.resolve(existsSync(`${order}.obeyed`)));
    await startWorker(looksOften);
    const replaced = await system.until(id, ({ attempts }) => attempts.length === 2);
    expect(replaced.attempts[0]).toMatchObject({ status: 'ambiguous', operation: null });
    expect(Number(replaced.cost.possibleUsd)).toBeGreaterThan(0);
    frozen.kill('SIGCONT');
    const stopped = await system.until(id, ({ attempts }) => attempts[0]?.status === 'canceled');
    const [late] = stopped.attempts;
    expect(late?.operation).not.toBeNull();
    const paid = await eventually(async () => {
      const rows = await system.paidFor(prompt);
      return rows.find(({ operation }) => operation === late?.operation)?.state === 'canceled' && rows;
    });
    const resource = await system.untilEnded(id);
    expect(resource).toMatchObject({
      status: 'succeeded',
      attempts: [{ status: 'canceled' }, { status: 'succeeded' }],
    });
    // each paid submit belongs to exactly one attempt
    const owned = resource.attempts.map(({ operation }) => operation);
    expect(new Set(owned)).toEqual(new Set(paid.map(({ operation }) => operation)));
    expect(paid).toHaveLength(2);
  });
});
