import { createOpenai } from '../../../src/providers/openai';
import { describeProvider } from '../../support/describe-provider';
import { image } from '../../support/provider-calls';

const basePath = '/openai/v1';

describeProvider('OpenAI image', {
  create: createOpenai,
  model: 'openai/gpt-image-2',
  input: { size: '1024x1024', quality: 'low', format: 'png' },
  basePath,
  synchronous: true,
  notAccepted: [503],
  magic: /^.PNG/s,
});

describeProvider('OpenAI image edit', {
  create: createOpenai,
  model: 'openai/gpt-image-1-mini',
  input: { size: '1024x1024', quality: 'low', format: 'png', image, referenceImages: [image] },
  basePath,
  synchronous: true,
  notAccepted: [503],
  magic: /^.PNG/s,
});

describeProvider('OpenAI chat', {
  create: createOpenai,
  model: 'openai/gpt-4o-mini',
  basePath,
  door: { call: { store: true }, absence: 'unknown' },
  synchronous: true,
  notAccepted: [503],
  magic: /./s,
});

describeProvider('OpenAI response in the background', {
  create: createOpenai,
  model: 'openai/gpt-5.5',
  basePath,
  notAccepted: [503],
  magic: /./s,
});

describeProvider('OpenAI speech', {
  create: createOpenai,
  model: 'openai/gpt-4o-mini-tts',
  basePath,
  synchronous: true,
  opaque: true,
  notAccepted: [503],
  magic: /^(ID3|\xff)/s,
});

describeProvider('OpenAI video', {
  create: createOpenai,
  model: 'openai/sora-2',
  input: { durationSeconds: 4, size: '1280x720' },
  basePath,
  notAccepted: [503],
  magic: /^....ftyp/s,
  files: true,
});
