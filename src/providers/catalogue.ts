import type { Model } from '../domain/model';
import { models as anthropic } from './anthropic/models';
import { models as cloudflare } from './cloudflare/models';
import { models as elevenlabs } from './elevenlabs/models';
import { models as fal } from './fal/models';
import { models as google } from './google/models';
import { models as groq } from './groq/models';
import { models as mock } from './mock/models';
import { models as openai } from './openai/models';
import { models as runway } from './runway/models';

/** Every model there is. Plain data: importing it loads no SDK and opens nothing. */
export const catalogue: readonly Model[] = [
  ...mock,
  ...google,
  ...fal,
  ...runway,
  ...openai,
  ...anthropic,
  ...groq,
  ...cloudflare,
  ...elevenlabs,
];

/** Every provider, and where its maker shows keys, use and limits. */
export const providerDashboards: Readonly<Record<string, string | null>> = {
  mock: null,
  google: 'https://aistudio.google.com/',
  runway: 'https://dev.runwayml.com/',
  fal: 'https://fal.ai/dashboard',
  openai: 'https://platform.openai.com/usage',
  anthropic: 'https://platform.claude.com/',
  groq: 'https://console.groq.com/',
  cloudflare: 'https://dash.cloudflare.com/?to=/:account/ai/workers-ai',
  elevenlabs: 'https://elevenlabs.io/app/developers',
};
