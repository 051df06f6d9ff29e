import { createMock } from '../../../src/providers/mock';
import { describeProvider } from '../../support/describe-provider';

const video = { durationSeconds: 4, aspectRatio: '16:9', resolution: '720p' };

describeProvider('mock video', {
  create: createMock,
  model: 'mock/video',
  input: video,
  basePath: '/mock',
  notAccepted: [503],
  door: { absence: 'absent' },
  codes: { 422: 'provider_content_rejected' },
  magic: /^....ftyp/s,
  files: true,
});

describeProvider('mock image', {
  create: createMock,
  model: 'mock/image',
  input: { size: '1024x1024' },
  basePath: '/mock',
  notAccepted: [503],
  door: { absence: 'absent' },
  codes: { 422: 'provider_content_rejected' },
  magic: /^.PNG/s,
  files: true,
});

describeProvider('mock text', {
  create: createMock,
  model: 'mock/text',
  basePath: '/mock',
  notAccepted: [503],
  door: { absence: 'absent' },
  synchronous: true,
  codes: { 422: 'provider_content_rejected' },
  magic: /./s,
});
