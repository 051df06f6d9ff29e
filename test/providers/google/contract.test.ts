import { createGoogle } from '../../../src/providers/google';
import { describeProvider } from '../../support/describe-provider';

const google = { create: createGoogle, basePath: '/google', notAccepted: [503] } as const;
const film = { durationSeconds: 4, aspectRatio: '16:9', resolution: '720p' };
const mp4 = /^....ftyp/s;

describeProvider('Veo video', {
  ...google,
  model: 'google/veo-3.1-fast-generate-preview',
  input: film,
  files: true,
  magic: mp4,
});

describeProvider('Omni video', {
  ...google,
  model: 'google/gemini-omni-1.1-flash',
  input: { ...film, durationSeconds: 3, resolution: '360p' },
  files: true,
  magic: mp4,
});

describeProvider('Gemini text', {
  ...google,
  model: 'google/gemini-2.5-flash',
  synchronous: true,
  magic: /./s,
});

describeProvider('Gemini image', {
  ...google,
  model: 'google/gemini-2.5-flash-image',
  input: { aspectRatio: '16:9' },
  synchronous: true,
  magic: /^.PNG/s,
});
