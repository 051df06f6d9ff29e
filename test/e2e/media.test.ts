import { DefaultLogger, Runtime } from '@temporalio/worker';
import type { Download } from '../../src/providers/download';
import { fetchHistories } from '../replay/history-files';
import { mediaBytes } from '../support/media-bytes';
import { startOwnWorker } from '../support/own-worker';
import { startRecordingServer, type Answering, type RecordingServer } from '../support/recording-server';
import { startTestStack, type TestStack } from '../support/stack';

const png = mediaBytes['image/png'];

let system: TestStack;
let server: RecordingServer;
let worker: { stop(): Promise<void> };

/** `media.example.com` is the test's own server; every other address is what it is. */
const mapped =
  (download: Download): Download =>
  (url, settings) => {
    const { origin, pathname } = new URL(url);
    if (origin !== 'https://media.example.com') return download(url, settings);
    return download(`${server.url}${pathname}`, { ...settings, allowedOrigin: server.url });
  };

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  server = await startRecordingServer();
  system = await startTestStack({ pieces: ['postgres', 'temporal', 'emulator', 'api'] });
  await system.settings({ latencyScale: 0.01 });
  worker = await startOwnWorker(system, ({ download }) => ({ download: mapped(download) }));
});

afterAll(async () => {
  await worker.stop();
  await system.stop();
  await server.close();
});

const busy: Answering = (response) => void response.writeHead(503).end();

const fromImage = { medium: 'video', model: 'fal/veo3.1' };

const modelsSent = async (id: string): Promise<string[]> => {
  const { attempts } = await system.read(id);
  const ledger = await system.ledger();
  return attempts.flatMap(({ operation }) => ledger.find((row) => row.operation === operation)?.model ?? []);
};

test.each([
  ['an upload', async () => ({ upload: await system.upload(png) })],
  ['the request itself', () => Promise.resolve({ base64: png.toString('base64'), contentType: 'image/png' })],
])('makes a video of an image in %s', async (_name, name) => {
  const { id } = await system.submit({ ...fromImage, input: { prompt: 'it moves', image: await name() } });
  expect(await system.untilEnded(id)).toMatchObject({ status: 'succeeded', error: null });
  expect(await modelsSent(id)).toEqual(['fal-ai/veo3.1/image-to-video']);
});

test('makes a video of an image that was made before', async () => {
  const made = await system.submit({ medium: 'image', model: 'fal/flux/dev', input: { prompt: 'a heron' } });
  expect((await system.untilEnded(made.id)).status).toBe('succeeded');
  const image = { generation: made.id };
  const { id } = await system.submit({ ...fromImage, input: { prompt: 'it flies', image } });
  expect(await system.untilEnded(id)).toMatchObject({ status: 'succeeded', error: null });
  expect(await modelsSent(id)).toEqual(['fal-ai/veo3.1/image-to-video']);
});

describe('an image by address', () => {
  const image = { url: 'https://media.example.com/a.png' };

  test('is fetched once for two attempts, and its address stays out of the history', async () => {
    server.answer((response) => void response.end(png));
    await system.fault({ provider: 'fal', kind: 'failed' });
    const { id } = await system.submit({
      ...fromImage,
      input: { prompt: 'it sails', image },
      routing: { allow: ['runway/gen4.5'] },
    });
    const resource = await system.untilEnded(id);
    expect(resource.attempts.map(({ provider, status }) => [provider, status])).toEqual([
      ['fal', 'failed'],
      ['runway', 'succeeded'],
    ]);
    expect(server.requests).toHaveLength(1);
    expect(resource).toMatchObject({
      status: 'succeeded',
      input: { image: { ...image, contentType: 'image/png', bytes: png.length } },
    });
    const histories = await fetchHistories(system.stack.temporalAddress ?? '', id);
    const decoded = JSON.stringify([...histories.values()], (name, value: unknown) =>
      name === 'data' && typeof value === 'string' ? Buffer.from(value, 'base64').toString('utf8') : value,
    );
    expect(decoded).toContain('fetchInputs');
    expect(decoded).not.toMatch(/https?:|media\.example/);
  });

  test('is waited for while its server cannot serve it', async () => {
    server.answer(busy, busy, (response) => void response.end(png));
    const { id } = await system.submit({ ...fromImage, input: { prompt: 'it waits', image } });
    expect(await system.untilEnded(id)).toMatchObject({ status: 'succeeded' });
    expect(server.requests).toHaveLength(3);
  });

  test('that is not there ends the generation before anything is paid', async () => {
    server.answer((response) => void response.writeHead(404).end());
    const before = (await system.ledger()).length;
    const { id } = await system.submit({ ...fromImage, input: { prompt: 'it is gone', image } });
    expect(await system.untilEnded(id)).toMatchObject({
      status: 'failed',
      error: { code: 'caller_invalid_request', message: expect.stringContaining('input.image') as string },
      attempts: [],
    });
    expect((await system.ledger()).length).toBe(before);
  });

  test('is not waited for past the deadline', async () => {
    server.answer(busy);
    const { id } = await system.submit({
      ...fromImage,
      input: { prompt: 'it is late', image },
      deadlineSeconds: 10,
    });
    expect(await system.untilEnded(id)).toMatchObject({ status: 'expired', attempts: [], cost: { actualUsd: '0' } });
  });

  test('is not waited for after a cancel', async () => {
    server.answer(busy);
    const { id } = await system.submit({ ...fromImage, input: { prompt: 'it is unwanted', image } });
    await system.until(id, ({ phase }) => phase === 'analyzing');
    await system.call(`/v1/generations/${id}/cancel`, { method: 'POST' });
    expect(await system.untilEnded(id)).toMatchObject({ status: 'canceled', attempts: [] });
  });
});
