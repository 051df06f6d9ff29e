import { readFile, writeFile } from 'node:fs/promises';
import { storeAtOnce } from '../../src/activities/artifacts';
import { keepOutputs } from '../../src/activities/results';
import { ProviderError, type Output } from '../../src/providers/provider';
import type { Sender } from '../../src/stores/attempt-take';
import type { AttemptKey, StoredOutput } from '../../src/stores/attempts';
import { setStatus } from '../stores/ledger';
import { pngOf, sha256Of } from '../support/media-bytes';
import type { Answering } from '../support/recording-server';
import { bytesOf, failing, film, freshly, openStoringBench, type StoringBench } from '../support/storing-bench';

const minuteMs = 60_000;

const lookFailure = (code: 'provider_auth' | 'provider_result_lost'): ProviderError =>
  new ProviderError(code, 'the look failed', { accepted: 'no', scope: 'request' });

const stored = { state: 'succeeded', stored: true };
const lost = { state: 'failed', code: 'provider_result_lost' };

let bench: StoringBench;
let state: StoringBench['state'];

beforeAll(async () => {
  bench = await openStoringBench();
  ({ state } = bench);
});

afterAll(() => bench.close());

beforeEach(() => bench.reset());

describe('the key that opens a result', () => {
  const behindKey = (scheme: 'Bearer' | null): StoredOutput => ({
    ...bench.link('/film'),
    headers: { accept: 'video/*' },
    credentialHeader: { name: 'x-key', scheme },
  });

  const guarded =
    (secret: string): Answering =>
    (response, request) =>
      (request.headers['x-key'] === secret ? bytesOf(film) : failing(403))(response, request);

  /** The key that the work was sent with, which is kept. */
  const keptSender = async (secret: string, alias = 'main'): Promise<Partial<Sender>> => {
    const print = await bench.dependencies.vault.keep('acme', { alias, secret, baseUrl: bench.server.url });
    return { credential: alias, credentialPrint: print };
  };

  test.each([
    [null, 'secret'],
    ['Bearer' as const, 'Bearer secret'],
  ])('is read from the configuration when it is needed (scheme %s)', async (scheme, expected) => {
    state.routes.set('/film', guarded(expected));
    const key = await bench.finish([behindKey(scheme)]);
    expect(await bench.store(key)).toEqual(stored);
    expect(bench.server.requests[0]?.headers.accept).toBe('video/*');
    expect(JSON.stringify((await bench.attemptOf(key)).outputs)).not.toContain('secret');
  });

  test('is the one the work was sent with, after it left the configuration', async () => {
    state.routes.set('/film', guarded('old-secret'));
    const key = await bench.finish([behindKey(null)], { sender: await keptSender('old-secret', 'retired') });
    expect(await bench.store(key)).toEqual(stored);
  });

  test('is the one the work was sent with, after its name was given to another', async () => {
    state.routes.set('/film', guarded('older-secret'));
    const key = await bench.finish([behindKey(null)], { sender: await keptSender('older-secret') });
    expect(await bench.store(key)).toEqual(stored);
    state.routes.clear();
    await bench.dependencies.blobs.remove((await bench.rowsOf(key))[0]?.key ?? '');
    state.check = () => Promise.reject(lookFailure('provider_result_lost'));
    await expect(bench.store(key)).rejects.toMatchObject({ fault: 'gone' });
    expect(state.looks).toMatchObject([{ credential: { alias: 'main', secret: 'older-secret' } }]);
  });

  test('is waited for where nobody has it: somebody may put it back', async () => {
    const key = await bench.finish([behindKey(null)], {
      sender: { credential: 'retired', credentialPrint: 'never kept' },
    });
    await expect(bench.store(key, 3 * minuteMs)).rejects.toThrow('is not configured');
    expect(bench.requested()).toEqual([]);
    const back = { alias: 'retired', secret: 'again', baseUrl: bench.server.url };
    state.routes.set('/film', guarded('again'));
    const { credentials } = bench.dependencies;
    const restored = { credentials: { ...credentials, acme: [back] } };
    expect(await bench.store(key, 3 * minuteMs, restored)).toEqual(stored);
  });
});

describe('bytes that came with the answer', () => {
  const keep = (bytes: Uint8Array, contentType: string) => (key: AttemptKey) =>
    keepOutputs(bench.dependencies, { ...key, epoch: 1 }, [{ kind: 'bytes', bytes, contentType }]);

  const damage = async ({ generationId }: AttemptKey): Promise<void> => {
    const { path } = await bench.dependencies.blobs.locate(`generations/${generationId}/1-1/0`);
    await writeFile(path, 'damaged');
  };

  test('are stored at once, by what they are', async () => {
    const key = await bench.finish(keep(pngOf(500), 'image/jpeg'), { request: { medium: 'image' } });
    expect(await bench.run(() => storeAtOnce(bench.dependencies, key))).toEqual(stored);
    const described = { bytes: 500, sha256: sha256Of(pngOf(500)) };
    expect(await bench.artifactsOf(key)).toEqual([{ index: 0, contentType: 'image/png', ...described }]);
  });

  test.each<[string, () => Output]>([
    ['fetched by a link', () => bench.link('/film')],
    ['given by another look', () => ({ kind: 'bytes', bytes: film, contentType: 'video/mp4' })],
  ])('are %s where they are damaged', async (_name, fresh) => {
    const key = await bench.finish(keep(film, 'video/mp4'));
    await damage(key);
    expect(await bench.run(() => storeAtOnce(bench.dependencies, key))).toEqual({ ...stored, stored: false });
    state.routes.set('/film', bytesOf(film));
    state.check = () => Promise.resolve(freshly(fresh()));
    expect(await bench.store(key)).toEqual(stored);
    expect((await readFile(await bench.fileOf(key))).equals(film)).toBe(true);
  });

  test('are lost where they are damaged and nobody can be asked', async () => {
    const key = await bench.finish(keep(film, 'video/mp4'), { model: 'brick/reel' });
    await damage(key);
    await expect(bench.store(key)).rejects.toThrow('missing or damaged');
    expect(await bench.store(key, 3 * minuteMs)).toEqual(lost);
    expect(await bench.attemptOf(key)).toMatchObject({ errorMessage: expect.stringContaining('missing or damaged') });
  });

  test('are no result where they are an error page', async () => {
    const key = await bench.finish(keep(Buffer.from('{"error":1}'), 'video/mp4'), { model: 'brick/reel' });
    expect(await bench.run(() => storeAtOnce(bench.dependencies, key))).toEqual({ ...stored, stored: false });
    expect(await bench.store(key, 3 * minuteMs)).toEqual(lost);
  });
});

test('texts are stored at once, links are left to the step that stores', async () => {
  const text = await bench.finish([{ kind: 'text', text: 'größer' }], { request: { medium: 'text' } });
  expect(await bench.run(() => storeAtOnce(bench.dependencies, text))).toEqual(stored);
  expect(await bench.artifactsOf(text)).toMatchObject([{ contentType: 'text/plain; charset=utf-8', bytes: 8 }]);
  const linked = await bench.finish([bench.link('/film')]);
  expect(await bench.run(() => storeAtOnce(bench.dependencies, linked))).toEqual({ ...stored, stored: false });
  expect(bench.requested()).toEqual([]);
});

test('nothing is stored for an attempt that was replaced, or that has no result', async () => {
  const { database } = bench.dependencies;
  const key = await bench.finish([bench.link('/film')]);
  await setStatus(database, key, 'superseded', { supersededBy: 2 });
  expect(await bench.store(key)).toEqual({ state: 'fenced' });
  const ended = await bench.finish([bench.link('/film')]);
  await setStatus(database, ended, 'failed', { errorCode: 'provider_failed' });
  expect(await bench.store(ended)).toEqual({ state: 'failed', code: 'provider_failed' });
  expect(bench.requested()).toEqual([]);
});
