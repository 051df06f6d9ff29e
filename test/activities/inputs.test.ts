import { analyzeRequest } from '../../src/activities/analysis';
import { chooseCandidates } from '../../src/activities/choice';
import { fetchInputs } from '../../src/activities/inputs';
import { settleGeneration } from '../../src/activities/settlement';
import type { GenerationInput, MediaInput } from '../../src/domain/generation';
import type { Download } from '../../src/providers/download';
import { findGeneration, readGeneration, requestCancel } from '../../src/stores/generations';
import { accept, tenantId } from '../stores/ledger';
import { mediaModel, openActivityBench, type ActivityBench } from '../support/activity-bench';
import { mediaBytes, otherBytes, pngOf, sha256Of } from '../support/media-bytes';
import { makeInput } from '../support/provider-calls';
import { startRecordingServer, type Answering, type RecordingServer } from '../support/recording-server';

let bench: ActivityBench;
let server: RecordingServer;

const models = [
  mediaModel(),
  mediaModel({ id: 'brick/reel', provider: 'brick' }, { imageFiles: { types: ['image/png'], maximumBytes: 500 } }),
];

beforeAll(async () => {
  bench = await openActivityBench([{ id: 'acme' }, { id: 'brick' }] as never, models);
  server = await startRecordingServer();
  const { download } = bench.dependencies;
  // a public name, so to speak; all other addresses are as they are
  const mapped: Download = (url, settings) => {
    const { origin, pathname, search } = new URL(url);
    if (origin !== 'https://media.example.com') return download(url, settings);
    return download(`${server.url}${pathname}${search}`, { ...settings, allowedOrigin: server.url });
  };
  bench.dependencies = { ...bench.dependencies, download: mapped };
});

afterAll(async () => {
  await bench.close();
  await server.close();
});

const bytesOf =
  (bytes: Uint8Array, status = 200): Answering =>
  (response) =>
    void response.writeHead(status, { 'content-type': 'text/html' }).end(bytes);

const at = (path: string): MediaInput => ({ origin: { url: `https://media.example.com${path}` }, stored: null });

const acceptInput = (input: Partial<GenerationInput>, overrides = {}): Promise<string> =>
  accept(bench.dependencies.database, { input: makeInput(input), ...overrides });

const run = (generationId: string, ageMs = 0) =>
  bench.run(() => fetchInputs(bench.dependencies, { generationId }), ageMs);

const read = (id: string) => readGeneration(bench.dependencies.database, id);

const settle = async (id: string) => {
  await settleGeneration(bench.dependencies, { generationId: id, canceled: false });
  const row = await findGeneration(bench.dependencies.database, tenantId, id);
  return { status: row?.status, error: row?.error };
};

const minutes = 60_000;

test('brings every medium into the blob store, by what its bytes are', async () => {
  const files = { '/a': pngOf(400), '/b': mediaBytes['image/jpeg'], '/c': pngOf(300), '/d': mediaBytes['video/mp4'] };
  server.answer((response, { path }) => void response.end(files[path as keyof typeof files]));
  const image = at('/a');
  const id = await acceptInput({ image, lastFrame: at('/b'), referenceImages: [at('/c')], video: at('/d') });
  expect(await run(id)).toEqual({ state: 'fetched' });
  const { input } = (await read(id)).request;
  const stored = (slot: string, bytes: Buffer, contentType: string) => ({
    key: `inputs/${id}/${slot}`,
    contentType,
    bytes: bytes.length,
    sha256: sha256Of(bytes),
  });
  expect(input.image).toEqual({ ...image, stored: stored('image', files['/a'], 'image/png') });
  expect(input.lastFrame?.stored).toEqual(stored('lastFrame', files['/b'], 'image/jpeg'));
  expect(input.referenceImages[0]?.stored).toEqual(stored('referenceImages/0', files['/c'], 'image/png'));
  expect(input.video?.stored).toEqual(stored('video', files['/d'], 'video/mp4'));
  expect((await bench.dependencies.blobs.load(`inputs/${id}/image`))?.content).toEqual(files['/a']);
});

test('fetches once, however often it runs', async () => {
  server.answer(bytesOf(pngOf(400)));
  const id = await acceptInput({ image: at('/once') });
  await run(id);
  await run(id);
  expect(server.requests).toHaveLength(1);
});

test('a run that died between the blob store and the row is gone on with, whatever the address answers by now', async () => {
  server.answer(bytesOf(pngOf(400)));
  const id = await acceptInput({ image: at('/changing') });
  await bench.dependencies.blobs.writeOnce(`inputs/${id}/image`, mediaBytes['image/jpeg']);
  expect(await run(id)).toEqual({ state: 'fetched' });
  expect((await read(id)).request.input.image?.stored).toMatchObject({ contentType: 'image/jpeg' });
  expect(server.requests).toHaveLength(0);
});

test('two runs at a time agree on the bytes', async () => {
  let answers = 0;
  server.answer((response) => void response.end(pngOf((answers += 100))));
  const id = await acceptInput({ image: at('/race') });
  await Promise.all([run(id), run(id)]);
  const stored = (await read(id)).request.input.image?.stored;
  expect(await bench.dependencies.blobs.inspect(`inputs/${id}/image`)).toEqual({
    bytes: stored?.bytes,
    sha256: stored?.sha256,
  });
});

describe('what may pass', () => {
  const faults: [string, Answering][] = [
    ['HTTP 500', bytesOf(Buffer.from('no'), 500)],
    ['HTTP 503', bytesOf(Buffer.from('no'), 503)],
    ['HTTP 429', bytesOf(Buffer.from('no'), 429)],
    ['HTTP 408', bytesOf(Buffer.from('no'), 408)],
    ['a connection that breaks', (response) => void response.destroy()],
    [
      'a body that breaks off',
      (response) => {
        response.writeHead(200, { 'content-length': '5000' });
        response.write(pngOf(1_000), () => response.destroy());
      },
    ],
  ];

  test.each(faults)('is tried again: %s', async (_name, answer) => {
    server.answer(answer, bytesOf(pngOf(400)));
    const id = await acceptInput({ image: at('/later') });
    await expect(run(id)).rejects.toThrow();
    expect((await read(id)).inputError).toBeNull();
    expect(await bench.dependencies.blobs.inspect(`inputs/${id}/image`)).toBeNull();
    expect(await run(id, 4 * minutes)).toEqual({ state: 'fetched' });
  });

  test.each(faults)('is given up after five minutes: %s', async (_name, answer) => {
    server.answer(answer);
    const id = await acceptInput({ image: at('/never') });
    expect(await run(id, 5 * minutes)).toEqual({ state: 'given_up' });
    expect(await settle(id)).toMatchObject({ status: 'failed', error: { code: 'caller_invalid_request' } });
  });

  test('keeps what did arrive of several', async () => {
    server.answer((response, { path }) => void (path === '/good' ? response.end(pngOf(400)) : response.destroy()));
    const id = await acceptInput({ image: at('/good'), lastFrame: at('/bad') });
    await expect(run(id)).rejects.toThrow();
    server.answer(bytesOf(pngOf(300)));
    expect(await run(id)).toEqual({ state: 'fetched' });
    expect(server.requests.map(({ path }) => path)).toEqual(['/bad']);
  });
});

describe('what will not pass ends the generation, naming the field and no address', () => {
  const address = 'leads to an address that nothing is fetched from';

  test.each<[string, Answering | null, MediaInput, RegExp]>([
    [
      'HTTP 404',
      bytesOf(Buffer.from('no'), 404),
      at('/a?signature=abc'),
      /^input\.image could not be fetched.*HTTP 404$/,
    ],
    ['HTTP 403', bytesOf(Buffer.from('no'), 403), at('/a?signature=abc'), /HTTP 403$/],
    ['HTTP 400', bytesOf(Buffer.from('no'), 400), at('/a?signature=abc'), /HTTP 400$/],
    ['a page', bytesOf(otherBytes.html), at('/a'), /^input\.image is something else; accepted are image\/png/],
    [
      'a video as an image',
      bytesOf(mediaBytes['video/mp4']),
      at('/a'),
      /^input\.image is video\/mp4; accepted are image/,
    ],
    ['nothing', bytesOf(Buffer.alloc(0)), at('/a'), /^input\.image is empty$/],
    [
      'more than 100 MB',
      (response) => void response.writeHead(200, { 'content-length': String(100 * 1024 * 1024 + 1) }).end('x'),
      at('/a'),
      /^input\.image has more than 100 MB$/,
    ],
    [
      'a redirect to a private address',
      (response) => void response.writeHead(302, { location: 'https://127.0.0.1/secret' }).end(),
      at('/a'),
      new RegExp(`^input.image ${address}`),
    ],
    [
      'a redirect to plain http',
      (response) => void response.writeHead(302, { location: 'http://example.com/secret' }).end(),
      at('/a'),
      new RegExp(address),
    ],
    ...[
      'https://127.0.0.1/secret',
      'https://[::1]/secret',
      'https://169.254.169.254/secret',
      'https://10.1.2.3/secret',
      'https://localhost/secret',
      'https://2130706433/secret',
      'http://example.com/secret',
    ].map((url): [string, null, MediaInput, RegExp] => [
      url,
      null,
      { origin: { url }, stored: null },
      new RegExp(address),
    ]),
  ])('%s', async (_name, answer, image, message) => {
    if (answer) server.answer(answer);
    const id = await acceptInput({ image });
    expect(await run(id)).toEqual({ state: 'given_up' });
    expect(await run(id)).toEqual({ state: 'given_up' });
    const { status, error } = await settle(id);
    expect({ status, code: error?.code }).toEqual({ status: 'failed', code: 'caller_invalid_request' });
    expect(error?.message).toMatch(message);
    expect(error?.message).not.toMatch(/signature|secret|media\.example/);
    expect(await bench.dependencies.blobs.inspect(`inputs/${id}/image`)).toBeNull();
  });

  test('what no model takes of what was fetched', async () => {
    server.answer(bytesOf(mediaBytes['image/gif']));
    const id = await acceptInput({ image: at('/a.gif') });
    expect(await run(id)).toEqual({ state: 'given_up' });
    expect((await settle(id)).error?.message).toMatch(/^input\.image is image\/gif; accepted are image\/png/);
  });
});

test('a model that does not take what was fetched is out of the running, with the reason', async () => {
  server.answer(bytesOf(pngOf(600)));
  const id = await acceptInput({ image: at('/600') });
  expect(await run(id)).toEqual({ state: 'fetched' });
  expect(await chooseCandidates(bench.dependencies, { generationId: id })).toEqual({ candidates: 1 });
  const candidates = (await read(id)).decision?.candidates ?? [];
  expect(candidates.map(({ model, excluded }) => [model, excluded])).toEqual([
    ['acme/clip', null],
    ['brick/reel', expect.stringMatching(/^\/input\/image must have at most/) as string],
  ]);
});

test('the first step counts what is to be fetched', async () => {
  const count = (id: string) => analyzeRequest(bench.dependencies, { generationId: id, runId: 'run' });
  server.answer(bytesOf(pngOf(400)));
  const id = await acceptInput({ image: at('/a'), referenceImages: [at('/b'), at('/c')] });
  expect(await count(id)).toEqual({ inputsToFetch: 3 });
  await run(id);
  expect(await count(id)).toEqual({ inputsToFetch: 0 });
  expect(await count(await acceptInput({}))).toEqual({ inputsToFetch: 0 });
});

test('nothing is fetched past the deadline: the generation expires', async () => {
  server.answer(bytesOf(pngOf(400)));
  const id = await acceptInput({ image: at('/late') }, { deadlineSeconds: -1 });
  expect(await run(id)).toEqual({ state: 'overdue' });
  expect(server.requests).toHaveLength(0);
  expect(await settle(id)).toEqual({ status: 'expired', error: null });
});

test('a cancelled generation ends as such, although its input cannot be had', async () => {
  server.answer(bytesOf(Buffer.from('no'), 404));
  const id = await acceptInput({ image: at('/gone') });
  await run(id);
  await requestCancel(bench.dependencies.database, tenantId, id);
  expect(await settle(id)).toEqual({ status: 'canceled', error: null });
});
