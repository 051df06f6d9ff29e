import { readFile, rm, writeFile } from 'node:fs/promises';
import type { Download } from '../../src/providers/download';
import { ProviderError, type Outcome } from '../../src/providers/provider';
import type { AttemptKey } from '../../src/stores/attempts';
import { mediaBytes, otherBytes, pngOf, sha256Of } from '../support/media-bytes';
import type { Answering } from '../support/recording-server';
import { bytesOf, failing, film, freshly, openStoringBench, type StoringBench } from '../support/storing-bench';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

const page = bytesOf(Buffer.from('<!DOCTYPE html><title>Sorry</title>'));

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

/** What every lost result has in common: it was paid, and says so. */
const expectLost = async (key: AttemptKey, message: RegExp): Promise<void> => {
  const attempt = await bench.attemptOf(key);
  expect(attempt).toMatchObject({ status: 'failed', errorCode: 'provider_result_lost' });
  expect(attempt.errorMessage).toMatch(message);
  expect(attempt.costUsd?.toFixed()).toBe('0.03');
  expect(await bench.artifactsOf(key)).toEqual([]);
};

/** Tells as soon as so many bytes have arrived. */
async function* following(body: AsyncIterable<Uint8Array>, bytes: number, tell: () => void) {
  let arrived = 0;
  for await (const chunk of body) {
    arrived += chunk.length;
    yield chunk;
    if (arrived === bytes) tell();
  }
}

describe('a result behind a link', () => {
  let cut: () => void;

  test('is stored whole, with its length, its hash and the type its bytes have', async () => {
    state.routes.set('/film', bytesOf(film, { 'content-type': 'binary/octet-stream' }));
    const key = await bench.finish([bench.link('/film', 'video/quicktime')]);
    expect(await bench.store(key)).toEqual(stored);
    const described = { bytes: film.length, sha256: sha256Of(film) };
    expect(await bench.artifactsOf(key)).toEqual([{ index: 0, contentType: 'video/mp4', ...described }]);
    expect((await readFile(await bench.fileOf(key))).equals(film)).toBe(true);
  });

  test.each(['image/png', 'image/jpeg', 'image/webp'] as const)('is %s, whatever it was called', async (type) => {
    state.routes.set('/picture', bytesOf(mediaBytes[type], { 'content-type': 'text/plain' }));
    const key = await bench.finish([bench.link('/picture', 'image/bmp')], { request: { medium: 'image' } });
    await bench.store(key);
    expect(await bench.artifactsOf(key)).toMatchObject([{ contentType: type }]);
  });

  test('is what it was called where its bytes do not tell, and nobody’s page otherwise', async () => {
    state.routes.set('/picture', bytesOf(otherBytes.avif, { 'content-type': 'image/avif; foo=1' }));
    state.routes.set('/unnamed', bytesOf(otherBytes.avif, { 'content-type': 'text/html' }));
    const key = await bench.finish([bench.link('/picture', null), bench.link('/unnamed', null)], {
      request: { medium: 'image' },
    });
    await bench.store(key);
    expect(await bench.artifactsOf(key)).toMatchObject([
      { contentType: 'image/avif' },
      { contentType: 'application/octet-stream' },
    ]);
  });

  test('is taken up where it broke off', async () => {
    const begun = 5_000;
    state.routes.set('/film', (response, { headers }) => {
      const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);
      const range = { 'content-range': `bytes ${from}-${film.length - 1}/${film.length}` };
      const head = { 'content-length': String(film.length - from), etag: '"film"' };
      if (from > 0) return void response.writeHead(206, { ...head, ...range }).end(film.subarray(from));
      response.writeHead(200, head).write(film.subarray(0, begun));
      cut = () => response.destroy();
    });
    const { download } = bench.dependencies;
    // the connection breaks once what was sent has arrived
    const breaking: Download = async (url, settings) => {
      const answer = await download(url, settings);
      return { ...answer, body: following(answer.body, begun, () => cut()) };
    };
    const key = await bench.finish([bench.link('/film')]);
    expect(await bench.store(key, 0, { download: breaking })).toEqual(stored);
    expect(await bench.artifactsOf(key)).toMatchObject([{ bytes: film.length, sha256: sha256Of(film) }]);
    expect(bench.server.requests.map(({ headers }) => headers.range ?? null)).toEqual([null, 'bytes=5000-']);
  });
});

describe('a second run', () => {
  test('writes nothing else and asks for nothing', async () => {
    state.routes.set('/film', bytesOf(film));
    const key = await bench.finish([bench.link('/film')]);
    await bench.store(key);
    const rows = await bench.rowsOf(key);
    state.routes.clear();
    expect(await bench.store(key)).toEqual(stored);
    expect(await bench.rowsOf(key)).toEqual(rows);
    expect(bench.requested()).toEqual(['/film']);
  });

  test('goes on from what the first had fetched before it died, though the link has died as well', async () => {
    state.routes.set('/film', bytesOf(film));
    const key = await bench.finish([bench.link('/film')]);
    const dying = (): void => {
      throw new Error('killed');
    };
    await expect(bench.store(key, 0, { reached: dying })).rejects.toThrow('killed');
    expect(await bench.artifactsOf(key)).toEqual([]);
    state.routes.clear();
    expect(await bench.store(key)).toEqual(stored);
    expect(await bench.artifactsOf(key)).toMatchObject([
      { contentType: 'video/mp4', bytes: film.length, sha256: sha256Of(film) },
    ]);
  });

  test('fetches again only what is not there yet', async () => {
    state.routes.set('/one', bytesOf(film));
    const key = await bench.finish([bench.link('/one'), bench.link('/two')]);
    state.check = () => Promise.reject(lookFailure('provider_result_lost'));
    await expect(bench.store(key)).rejects.toMatchObject({ fault: 'gone' });
    expect(await bench.artifactsOf(key)).toEqual([]);
    state.routes.set('/two', bytesOf(pngOf(300)));
    await expect(bench.store(key)).rejects.toMatchObject({ fault: 'foreign' });
    state.routes.set('/two', bytesOf(film));
    expect(await bench.store(key)).toEqual(stored);
    expect(bench.requested()).toEqual(['/one', '/two', '/two', '/two']);
    expect(await bench.artifactsOf(key)).toMatchObject([{ index: 0 }, { index: 1 }]);
  });

  test('beside the first one writes down the same bytes, which are those that are kept', async () => {
    let requests = 0;
    state.routes.set('/film', (response) => {
      requests += 1;
      bytesOf(Buffer.concat([film, Buffer.alloc(requests)]))(response, bench.server.requests[0] as never);
    });
    const key = await bench.finish([bench.link('/film')]);
    const both = await Promise.all([bench.store(key), bench.store(key), bench.store(key)]);
    expect(both).toEqual([stored, stored, stored]);
    const [row] = await bench.rowsOf(key);
    expect(sha256Of(await readFile(await bench.fileOf(key)))).toBe(row?.sha256);
    expect(await bench.rowsOf(key)).toHaveLength(1);
  });

  test.each([
    ['damaged', (file: string) => writeFile(file, Buffer.alloc(film.length))],
    ['cut', (file: string) => writeFile(file, film.subarray(0, 5_000))],
    ['a page', (file: string) => writeFile(file, '<html>')],
    ['missing', (file: string) => rm(file)],
  ])('fetches again what is %s by now', async (_name, damage) => {
    state.routes.set('/film', bytesOf(film));
    const key = await bench.finish([bench.link('/film')]);
    await bench.store(key);
    const rows = await bench.rowsOf(key);
    await damage(await bench.fileOf(key));
    expect(await bench.store(key)).toEqual(stored);
    expect(bench.requested()).toEqual(['/film', '/film']);
    expect(await bench.rowsOf(key)).toEqual(rows);
    expect((await readFile(await bench.fileOf(key))).equals(film)).toBe(true);
  });
});

describe('a link that died', () => {
  const dead: [string, Answering][] = [
    ['is not found', failing(404)],
    ['is forbidden', failing(403)],
    ['is gone', failing(410)],
    ['is refused', failing(400)],
    ['shows a page', page],
    ['shows an error as JSON', bytesOf(Buffer.from('{"error":"expired"}'))],
    ['shows a picture of a sad cloud', bytesOf(pngOf(2_000))],
    ['shows nothing', bytesOf(Buffer.alloc(0))],
  ];

  test.each(dead)('and %s has a successor where its provider gives one', async (_name, answer) => {
    state.routes.set('/old', answer);
    state.routes.set('/new', bytesOf(film));
    state.check = () => Promise.resolve(freshly(bench.link('/new')));
    const key = await bench.finish([bench.link('/old')]);
    expect(await bench.store(key)).toEqual(stored);
    expect(bench.requested()).toEqual(['/old', '/new']);
    expect(await bench.artifactsOf(key)).toMatchObject([{ sha256: sha256Of(film) }]);
    expect((await bench.attemptOf(key)).outputs).toEqual([bench.link('/new')]);
    expect(state.looks).toMatchObject([{ credential: { alias: 'main' } }]);
  });

  test.each(dead)('and %s is asked again for two minutes, then its result is lost', async (_name, answer) => {
    state.routes.set('/old', answer);
    const key = await bench.finish([bench.link('/old')], { model: 'brick/reel' });
    await expect(bench.store(key, minuteMs)).rejects.toMatchObject({ name: 'DownloadError' });
    expect((await bench.attemptOf(key)).status).toBe('succeeded');
    expect(await bench.dependencies.blobs.inspect(`generations/${key.generationId}/1-1/0`)).toBeNull();
    expect(await bench.store(key, 3 * minuteMs)).toEqual(lost);
    await expectLost(key, /^the result could not be fetched/);
  });

  test.each<[string, () => Promise<Outcome>, string[]]>([
    [
      'whose successors are dead too',
      () => Promise.resolve(freshly(bench.link('/new'))),
      ['/old', '/new', '/new', '/new'],
    ],
    ['of whose operation nobody knows', () => Promise.reject(lookFailure('provider_result_lost')), ['/old', '/old']],
  ])('and %s is asked for once more each time, then lost', async (_name, answer, paths) => {
    state.check = answer;
    const key = await bench.finish([bench.link('/old')]);
    await expect(bench.store(key)).rejects.toMatchObject({ fault: 'gone' });
    expect(await bench.store(key, 3 * minuteMs)).toEqual(lost);
    expect(bench.requested()).toEqual(paths);
    expect(state.looks).toHaveLength(2);
    await expectLost(key, /expired or gone/);
  });

  test('is not given up while its provider cannot be asked', async () => {
    state.check = () => Promise.reject(lookFailure('provider_auth'));
    const key = await bench.finish([bench.link('/old')]);
    await expect(bench.store(key, hourMs)).rejects.toMatchObject({ code: 'provider_auth' });
    expect((await bench.attemptOf(key)).status).toBe('succeeded');
  });
});

describe('what may pass', () => {
  const passing: [string, Answering][] = [
    ['an error of the server', failing(500)],
    ['a rate limit', failing(429)],
    ['a timeout', failing(408)],
    [
      'a body shorter than announced',
      (response) => {
        response.writeHead(200, { 'content-length': '90000' });
        response.write(film, () => response.destroy());
      },
    ],
    ['no answer', (response) => void response.destroy()],
  ];

  test.each(passing)('is waited for, for a day: %s', async (_name, answer) => {
    state.routes.set('/film', answer);
    const key = await bench.finish([bench.link('/film')]);
    await expect(bench.store(key, 23 * hourMs)).rejects.toMatchObject({ name: 'DownloadError' });
    expect(state.looks).toEqual([]);
    expect(await bench.artifactsOf(key)).toEqual([]);
    expect(await bench.dependencies.blobs.inspect(`generations/${key.generationId}/1-1/0`)).toBeNull();
    expect(await bench.store(key, 25 * hourMs)).toEqual(lost);
  });

  test.each<[string, () => string, Answering]>([
    [
      'larger than anything we keep',
      () => `${bench.server.url}/huge`,
      (response) => void response.writeHead(200, { 'content-length': String(3 * 1024 ** 3) }).end('x'),
    ],
    ['behind an address of somebody’s own network', () => 'https://10.0.0.1/film', failing(500)],
  ])('does not include a result %s', async (_name, url, answer) => {
    state.routes.set('/huge', answer);
    const key = await bench.finish([{ ...bench.link('/huge'), url: url() }]);
    expect(await bench.store(key)).toEqual(lost);
    await expectLost(key, /larger than 2147483648 bytes|not a public one/);
  });
});
