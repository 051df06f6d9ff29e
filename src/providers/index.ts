import { createAnthropic } from './anthropic';
import { createCloudflare } from './cloudflare';
import { createElevenlabs } from './elevenlabs';
import { createFal } from './fal';
import { createGoogle } from './google';
import { createGroq } from './groq';
import { createMock } from './mock';
import { createOpenai } from './openai';
import type { Provider } from './provider';
import { createRunway } from './runway';
import type { Transport } from './transport';

/** A new provider is one line here and one in the catalogue. */
export const createProviders = (transport: Transport): readonly Provider[] => [
  createMock(transport),
  createGoogle(transport),
  createFal(transport),
  createRunway(transport),
  createOpenai(transport),
  createAnthropic(transport),
  createGroq(transport),
  createCloudflare(transport),
  createElevenlabs(transport),
];
