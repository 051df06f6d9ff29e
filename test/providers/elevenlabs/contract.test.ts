import { createElevenlabs } from '../../../src/providers/elevenlabs';
import { describeProvider } from '../../support/describe-provider';

const common = {
  create: createElevenlabs,
  basePath: '/elevenlabs',
  synchronous: true,
  opaque: true,
  notAccepted: [],
  magic: /^(ID3|\xff)/s,
} as const;

describeProvider('ElevenLabs speech', {
  ...common,
  model: 'elevenlabs/eleven_flash_v2_5',
  door: { absence: 'unknown' },
  codes: { 404: 'caller_invalid_request', 429: 'provider_overloaded' },
});

describeProvider('ElevenLabs sound effect', {
  ...common,
  model: 'elevenlabs/eleven_text_to_sound_v2',
  input: { durationSeconds: 2 },
  codes: { 404: 'caller_invalid_request', 429: 'provider_overloaded' },
});
