import { anthropic } from './anthropic';
import { cloudflare } from './cloudflare';
import { elevenlabs } from './elevenlabs';
import { fal } from './fal';
import { google } from './google';
import { groq } from './groq';
import { mock } from './mock';
import { openai } from './openai';
import type { EmulatedProvider } from './provider';
import { runway } from './runway';

export const providers: readonly EmulatedProvider[] = [
  mock,
  fal,
  runway,
  openai,
  elevenlabs,
  anthropic,
  groq,
  cloudflare,
  google,
];
