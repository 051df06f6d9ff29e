import { cancel, pauseProvider, resumeProvider, untilPhase } from './operator';
import type { Shape } from './shapes';

const llama = { medium: 'text', model: 'cloudflare/llama-3.1-8b-instruct-fp8-fast' };
const claude = { medium: 'text', model: 'anthropic/claude-haiku-5-5' };

/** Each at a provider that no other one needs: it is paused meanwhile. */
export const inLine: readonly Shape[] = [
  {
    name: 'waiting',
    body: llama,
    before: (place) => pauseProvider(place, 'cloudflare'),
    meanwhile: async (recording) => {
      await untilPhase(recording, 'waiting_for_capacity');
      await resumeProvider(recording, 'cloudflare');
    },
    ends: 'succeeded',
    attempts: ['succeeded'],
  },
  {
    name: 'canceled-in-line',
    body: claude,
    before: (place) => pauseProvider(place, 'anthropic'),
    meanwhile: async (recording) => {
      await untilPhase(recording, 'waiting_for_capacity');
      await cancel(recording);
    },
    ends: 'canceled',
    attempts: ['canceled'],
  },
];
