import { storeArtifacts } from '../../src/activities/artifacts';
import type { Dependencies } from '../../src/activities/dependencies';
import type { GenerationRequest } from '../../src/domain/generation';
import { noUsage } from '../../src/domain/generation';
import type { Call, Outcome, Output, Provider } from '../../src/providers/provider';
import type { Sender } from '../../src/stores/attempt-take';
import {
  readAttempt,
  recordSubmitted,
  recordSucceeded,
  type AttemptKey,
  type StoredOutput,
} from '../../src/stores/attempts';
import { findGeneration, publishChange } from '../../src/stores/generations';
import { accept, acceptance, makeSender, takeInTurn, plan, result, tenantId } from '../stores/ledger';
import { mediaModel, openActivityBench } from './activity-bench';
import { makeCandidate } from './generation-data';
import { mediaBytes } from './media-bytes';
import { startRecordingServer, type Answering } from './recording-server';

/** Enough to have a beginning and an end. */
export const film = Buffer.concat([mediaBytes['video/mp4'], Buffer.alloc(70_000, 'film')]);

export const bytesOf =
  (bytes: Uint8Array, headers: Record<string, string> = { 'content-type': 'video/mp4' }): Answering =>
  (response) =>
    void response.writeHead(200, headers).end(bytes);

export const failing =
  (status: number): Answering =>
  (response) =>
    void response.writeHead(status).end('no');

export const freshly = (...outputs: Output[]): Outcome => ({
  state: 'succeeded',
  outputs,
  usage: noUsage,
  warnings: [],
});

type Finish = { request?: Partial<GenerationRequest>; model?: string; sender?: Partial<Sender> };

/** Attempts whose provider is done, and the server their results are fetched from. */
export const openStoringBench = async () => {
  const state = {
    /** What the server answers, by path; 404 without. */
    routes: new Map<string, Answering>(),
    /** What acme answers when it is asked about the operation. */
    check: (): Promise<Outcome> => Promise.reject(new Error('nobody expected a look')),
    looks: [] as Call[],
  };
  const acme: Provider = {
    id: 'acme',
    models: [],
    submit: () => Promise.reject(new Error('nobody sends here')),
    check: (_model, _operation, call) => {
      state.looks.push(call);
      return state.check();
    },
    probe: () => Promise.resolve({ model: null }),
  };
  // nobody can be asked there
  const brick: Provider = { ...acme, id: 'brick' };
  delete brick.check;
  const server = await startRecordingServer((response, request) => {
    const answer = state.routes.get(request.path) ?? failing(404);
    answer(response, request);
  });
  const models = [mediaModel(), mediaModel({ id: 'brick/reel', provider: 'brick' })];
  const bench = await openActivityBench([acme, brick], models);
  const credential = { alias: 'main', secret: 'secret', baseUrl: server.url };
  const dependencies: Dependencies = {
    ...bench.dependencies,
    credentials: { acme: [credential], brick: [credential] },
  };
  const { database, blobs } = dependencies;

  const rowsOf = ({ generationId }: AttemptKey) =>
    database.artifact.findMany({ where: { generationId }, orderBy: { index: 'asc' }, omit: { createdAt: true } });

  return {
    ...bench,
    dependencies,
    server,
    state,
    rowsOf,
    reset: () => {
      state.routes.clear();
      state.looks.length = 0;
      state.check = () => Promise.reject(new Error('nobody expected a look'));
      server.requests.length = 0;
    },
    link: (path: string, contentType: string | null = 'video/mp4'): Extract<StoredOutput, { kind: 'url' }> => ({
      kind: 'url',
      url: `${server.url}${path}`,
      contentType,
    }),
    /** An attempt whose provider is done, with this result. */
    finish: async (
      outputs: StoredOutput[] | ((key: AttemptKey) => Promise<StoredOutput[]>),
      { request = {}, model = 'acme/clip', sender = {} }: Finish = {},
    ): Promise<AttemptKey> => {
      const generationId = await accept(database, request);
      const decision = { strategy: 'balanced' as const, variant: null, candidates: [makeCandidate(model)] };
      await publishChange(database, generationId, () => ({ status: 'running', decision }));
      await plan(database, generationId);
      const key = { generationId, number: 1 };
      await takeInTurn(database, key, makeSender(sender));
      await recordSubmitted(database, key, acceptance());
      const made = typeof outputs === 'function' ? await outputs(key) : outputs;
      await recordSucceeded(database, key, result({ outputs: made }));
      return key;
    },
    store: (key: AttemptKey, ageMs = 0, changed: Partial<Dependencies> = {}) =>
      bench.run(() => storeArtifacts({ ...dependencies, ...changed }, key), ageMs),
    artifactsOf: async ({ generationId }: AttemptKey) =>
      (await findGeneration(database, tenantId, generationId))?.artifacts,
    attemptOf: (key: AttemptKey) => readAttempt(database, key),
    fileOf: async (key: AttemptKey, index = 0): Promise<string> => {
      const row = (await rowsOf(key))[index];
      return (await blobs.locate(row?.key ?? '')).path;
    },
    requested: (): string[] => server.requests.map(({ path }) => path),
    close: async () => {
      await bench.close();
      await server.close();
    },
  };
};

export type StoringBench = Awaited<ReturnType<typeof openStoringBench>>;
