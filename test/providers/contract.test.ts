import { createElevenlabs } from '../../src/providers/elevenlabs';
import { createFal } from '../../src/providers/fal';
import { createMock } from '../../src/providers/mock';
import { createOpenai } from '../../src/providers/openai';
import { createRunway } from '../../src/providers/runway';
import { describeProvider } from '../support/describe-provider';

const video = { durationSeconds: 4, aspectRatio: '16:9', resolution: '720p' };
const mp4 = /^....ftyp/s;
const png = /^.PNG/s;
const picture = /^(.PNG|\xff\xd8|RIFF)/s;
const mp3 = /^(ID3|\xff)/s;

describeProvider('mock video', {
  create: createMock,
  model: 'mock/video',
  input: video,
  basePath: '/mock',
  notAccepted: [503],
  codes: { 422: 'provider_content_rejected' },
  magic: mp4,
});

describeProvider('mock text', {
  create: createMock,
  model: 'mock/text',
  basePath: '/mock',
  notAccepted: [503],
  synchronous: true,
  codes: { 422: 'provider_content_rejected' },
  magic: /./s,
});

describeProvider('fal video', {
  create: createFal,
  model: 'fal/veo3.1',
  input: video,
  basePath: '/fal',
  notAccepted: [500, 503],
  magic: mp4,
});

describeProvider('fal image', {
  create: createFal,
  model: 'fal/flux/dev',
  input: { size: '512x512' },
  basePath: '/fal',
  notAccepted: [500, 503],
  magic: picture,
});

describeProvider('Runway video', {
  create: createRunway,
  model: 'runway/gen4.5',
  input: video,
  basePath: '/runway',
  notAccepted: [503],
  magic: mp4,
});

describeProvider('OpenAI image', {
  create: createOpenai,
  model: 'openai/gpt-image-1-mini',
  input: { size: '1024x1024', quality: 'low', format: 'png' },
  basePath: '/openai/v1',
  synchronous: true,
  notAccepted: [503],
  magic: png,
});

describeProvider('OpenAI chat', {
  create: createOpenai,
  model: 'openai/gpt-4o-mini',
  basePath: '/openai/v1',
  synchronous: true,
  notAccepted: [503],
  magic: /./s,
});

describeProvider('ElevenLabs speech', {
  create: createElevenlabs,
  model: 'elevenlabs/eleven_flash_v2_5',
  basePath: '/elevenlabs',
  synchronous: true,
  opaque: true,
  codes: { 404: 'caller_invalid_request', 429: 'provider_overloaded' },
  notAccepted: [],
  magic: mp3,
});
