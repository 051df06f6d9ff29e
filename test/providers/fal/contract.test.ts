import { createFal } from '../../../src/providers/fal';
import { describeProvider } from '../../support/describe-provider';
import { startBench } from '../../support/provider-bench';
import { image, makeReadyInput } from '../../support/provider-calls';

const video = { durationSeconds: 4, aspectRatio: '16:9', resolution: '720p' };

describeProvider('fal video', {
  create: createFal,
  model: 'fal/veo3.1',
  input: video,
  basePath: '/fal',
  notAccepted: [500, 503],
  door: { adminKey: 'admin-key-of-the-account', absence: 'unknown' },
  magic: /^....ftyp/s,
  files: true,
});

describeProvider('fal video from references', {
  create: createFal,
  model: 'fal/veo3.1/reference-to-video',
  input: { ...video, durationSeconds: 8, referenceImages: [image] },
  basePath: '/fal',
  notAccepted: [500, 503],
  magic: /^....ftyp/s,
  files: true,
});

describeProvider('fal image', {
  create: createFal,
  model: 'fal/flux/dev',
  input: { size: '512x512' },
  basePath: '/fal',
  notAccepted: [500, 503],
  door: { adminKey: 'admin-key-of-the-account', absence: 'unknown' },
  magic: /^(.PNG|\xff\xd8|RIFF)/s,
  files: true,
});

test('makes a video from an image that is uploaded ahead', async () => {
  const bench = await startBench({
    create: createFal,
    model: 'fal/veo3.1',
    basePath: '/fal',
    notAccepted: [500, 503],
    magic: /^....ftyp/s,
  });
  await bench.reset();
  const input = makeReadyInput({
    ...video,
    image: { ...image, bytes: Buffer.concat([image.bytes, Buffer.alloc(5e6)]) },
  });
  const staged = await bench.provider.stage?.(bench.model, input, bench.call());
  expect(staged?.image?.uri).toMatch(/^http/);
  const outcome = await bench.provider.submit(bench.model, staged ?? input, bench.call());
  expect(await bench.follow(outcome)).toMatchObject({ state: 'succeeded' });
  expect(await bench.countPaid()).toBe(1);
  await bench.stop();
});
