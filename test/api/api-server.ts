import type { AddressInfo } from 'node:net';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { ulid } from 'ulid';
import { createApp, type ApiDependencies } from '../../src/api/app';
import type { Model } from '../../src/domain/model';
import { composeLimits } from '../../src/domain/registry';
import { catalogue } from '../../src/providers/catalogue';
import { createApiKey, ensureBootstrapKey, type Scope } from '../../src/stores/api-keys';
import { createFileBlobs, type BlobStore } from '../../src/stores/blobs';
import { connectDatabase, type Database } from '../../src/stores/database';
import { createTenant } from '../../src/stores/tenants';
import { createVault } from '../../src/stores/vault';
import { createTestDatabase } from '../support/database';

export const adminKey = 'sk_test_bootstrap_0123456789';
export const now = new Date('2026-11-21T12:00:00Z');

/** What the tests look into of any answer; the other members are compared as a whole. */
export type Body = {
  id: string;
  code: string;
  detail: string;
  errors: { pointer: string; detail: string }[];
  data: { id: string }[];
  nextCursor: string | null;
  cancelRequestedAt: string | null;
  attempts: object[];
  artifacts: object[];
  cost: object;
  error: object | null;
  input: { image: object | null; lastFrame: object | null; referenceImages: object[]; video: object | null };
  key: string;
  prefix: string;
  tenant: string;
};

export type Answer = { status: number; headers: Headers; body: Body };

export type ApiServer = {
  url: string;
  database: Database;
  blobs: BlobStore;
  /** Keys of everything in the blob store. */
  blobKeys(): Promise<string[]>;
  /** Every line that was logged. */
  log: string[];
  /** Ids handed to the workflows port, in order. */
  started: string[];
  canceled: string[];
  /** `body` as JSON with the admin key, unless `headers` say otherwise. */
  call(route: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  addKey(input: { tenant?: string; scopes: Scope[]; expiresAt?: Date }): Promise<string>;
  addTenant(): Promise<string>;
  close(): Promise<void>;
};

/** Retired long ago, with a successor that is for sale. */
const retiredVideo: Model = {
  ...(catalogue.find((model) => model.id === 'fal/veo3.1') as Model),
  id: 'fal/veo2',
  providerModel: 'fal-ai/veo2',
  family: 'veo-2',
  lifecycle: { retiredOn: '2026-06-30', successor: 'fal/veo3.1' },
  automatic: false,
};

const listen = (server: Server): Promise<string> =>
  new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  });

const isRaw = (body: unknown): body is string | Uint8Array<ArrayBuffer> | FormData =>
  typeof body === 'string' || body instanceof Uint8Array || body instanceof FormData;

const callAt =
  (url: string): ApiServer['call'] =>
  async (route, body, headers = {}) => {
    const [method = 'GET', route_ = ''] = route.split(' ');
    const response = await fetch(`${url}${route_}`, {
      method,
      headers: {
        Authorization: `Bearer ${adminKey}`,
        // of a form, fetch itself knows the boundary
        ...(body !== undefined && !(body instanceof FormData) && { 'Content-Type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: isRaw(body) ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    return { status: response.status, headers: response.headers, body: (isJson ? JSON.parse(text) : text) as Body };
  };

/** The real API on a real database; only the door to Temporal is a recording. */
export const startApi = async (changes: Partial<ApiDependencies> = {}): Promise<ApiServer> => {
  const testDatabase = await createTestDatabase();
  const database = changes.database ?? connectDatabase({ url: testDatabase.url, poolSize: 5 });
  const folder = await mkdtemp(path.join(tmpdir(), 'sureshot-api-'));
  const blobs = createFileBlobs(folder);
  const [log, started, canceled]: [string[], string[], string[]] = [[], [], []];
  const lines = new Writable({ write: (chunk: Buffer, _encoding, done) => (log.push(chunk.toString()), done()) });
  const workflows: ApiDependencies['workflows'] = {
    start: ({ id }) => void started.push(id),
    cancel: (id) => Promise.resolve(void canceled.push(id)),
    resolve: () => Promise.resolve(),
    callBack: () => Promise.resolve(),
    isReachable: () => Promise.resolve(true),
    probe: () => Promise.resolve({ latencyMs: 1, model: null, code: null }),
  };
  const vault = createVault(database, [{ id: 'test', key: Buffer.alloc(32, 7) }]);
  const dependencies: ApiDependencies = {
    database,
    blobs,
    catalogue: [...catalogue, retiredVideo],
    routing: { strategy: 'balanced', defaults: {}, experiments: [], unknownPrices: 'block' },
    configured: new Set(['mock', 'fal', 'openai']),
    aliases: new Map(),
    keys: {
      environment: new Map(),
      keep: (provider, key) => vault.keep(provider, key),
      printOf: (secret) => vault.printOf({ alias: '', secret }),
      findMissing: () => null,
      refresh: () => Promise.resolve(),
    },
    limitsOf: (provider) => composeLimits(provider, catalogue),
    queuedPerTenant: 10_000,
    clock: () => now,
    newId: () => `gen_${ulid()}`,
    logger: pino({ level: 'debug' }, lines),
    workflows,
    secret: 'a secret of at least sixteen characters',
    corsOrigins: [],
    temporalUiUrl: 'http://127.0.0.1:8233',
    version: '0.0.0-test',
  };
  // what is read anew each time stays so
  Object.defineProperties(dependencies, Object.getOwnPropertyDescriptors(changes));
  const server = createServer(createApp(dependencies));
  const url = await listen(server);
  if (!changes.database) await ensureBootstrapKey(database, adminKey);
  return {
    url,
    database,
    blobs,
    blobKeys: async () => {
      const entries = await readdir(folder, { recursive: true, withFileTypes: true });
      const files = entries.filter((entry) => entry.isFile());
      return files.map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)));
    },
    log,
    started,
    canceled,
    call: callAt(url),
    addKey: async ({ tenant = 'ten_default', scopes, expiresAt }) => {
      const key = `sk_test_${ulid()}`;
      const input = { id: `key_${ulid()}`, tenantId: tenant, name: 'test', key, scopes, expiresAt: expiresAt ?? null };
      await createApiKey(database, input);
      return key;
    },
    addTenant: async () => {
      const id = `ten_${ulid()}`;
      await createTenant(database, { id, name: id, weight: 1 });
      return id;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await database.$disconnect();
      await testDatabase.drop();
      await rm(folder, { recursive: true });
    },
  };
};

export const withKey = (key: string): Record<string, string> => ({ Authorization: `Bearer ${key}` });

export const videoRequest = {
  medium: 'video',
  model: 'mock/video',
  input: { prompt: 'a lighthouse in a storm', durationSeconds: 4 },
};

/** Ends a generation as the workflow's publisher would. */
export const endGeneration = async (database: Database, id: string, status = 'succeeded'): Promise<void> => {
  await database.generation.update({ where: { id }, data: { status, completedAt: now } });
};
