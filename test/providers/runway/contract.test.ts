import { createRunway } from '../../../src/providers/runway';
import { describeProvider } from '../../support/describe-provider';
import { startBench } from '../../support/provider-bench';
import { image, makeReadyInput } from '../../support/provider-calls';

const video = { durationSeconds: 4, aspectRatio: '16:9', resolution: '720p' };

describeProvider('Runway video', {
  create: createRunway,
  model: 'runway/gen4.5',
  input: video,
  basePath: '/runway',
  notAccepted: [502, 503],
  magic: /^....ftyp/s,
  files: true,
});

describeProvider('Runway image', {
  create: createRunway,
  model: 'runway/gen4_image_turbo',
  input: { aspectRatio: '16:9', resolution: '720p', referenceImages: [image] },
  basePath: '/runway',
  notAccepted: [502, 503],
  magic: /^.PNG/s,
  files: true,
});

describeProvider('Runway speech', {
  create: createRunway,
  model: 'runway/eleven_multilingual_v2',
  basePath: '/runway',
  notAccepted: [502, 503],
  magic: /^(ID3|\xff)/s,
  files: true,
});

test('makes a video from an image that is uploaded ahead', async () => {
  const bench = await startBench({
    create: createRunway,
    model: 'runway/veo3.1',
    basePath: '/runway',
    notAccepted: [502, 503],
    magic: /^....ftyp/s,
  });
  await bench.reset();
  const input = makeReadyInput({
    ...video,
    image: { ...image, bytes: Buffer.concat([image.bytes, Buffer.alloc(4e6)]) },
  });
  const staged = await bench.provider.stage?.(bench.model, input, bench.call());
  expect(staged?.image?.uri).toMatch(/^runway:/);
  const outcome = await bench.provider.submit(bench.model, staged ?? input, bench.call());
  expect(await bench.follow(outcome)).toMatchObject({ state: 'succeeded' });
  expect(await bench.countPaid()).toBe(1);
  await bench.stop();
});
