import { createElevenlabs } from './elevenlabs';
import { createFal } from './fal';
import { createMock } from './mock';
import { createOpenai } from './openai';
import type { Provider } from './provider';
import { createRunway } from './runway';
import type { Transport } from './transport';

export { catalogue } from './catalogue';

/** A new provider is one line here and one in the catalogue. */
export const createProviders = (transport: Transport): readonly Provider[] => [
  createMock(transport),
  createFal(transport),
  createRunway(transport),
  createOpenai(transport),
  createElevenlabs(transport),
];
