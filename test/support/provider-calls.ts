import type { GenerationInput } from '../../src/domain/generation';
import type { Model } from '../../src/domain/model';
import { catalogue } from '../../src/providers/catalogue';
import type { Call, Exchange } from '../../src/providers/provider';

export const secret = 'test-key-c0ffee-do-not-leak';

/** The smallest real PNG: one pixel. */
export const tinyPng =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

export const image = { base64: tinyPng, contentType: 'image/png', bytes: Buffer.byteLength(tinyPng, 'base64') };

export const makeInput = (overrides: Partial<GenerationInput> = {}): GenerationInput => ({
  task: null,
  prompt: 'a red bicycle in the rain',
  negativePrompt: null,
  image: null,
  durationSeconds: null,
  aspectRatio: null,
  resolution: null,
  size: null,
  quality: null,
  count: 1,
  audio: null,
  seed: null,
  voice: null,
  format: null,
  system: null,
  messages: [],
  schema: null,
  maxTokens: null,
  temperature: null,
  ...overrides,
});

export const makeCall = (baseUrl: string, overrides: Partial<Call> = {}): Call & { exchanges: Exchange[] } => {
  const exchanges: Exchange[] = [];
  return {
    credential: { alias: 'test', secret, baseUrl },
    trace: 'gen_1/attempt/1',
    deadlineMs: 2_000,
    onExchange: (exchange) => exchanges.push(exchange),
    exchanges,
    ...overrides,
  };
};

export const modelOf = (id: string): Model => {
  const model = catalogue.find((candidate) => candidate.id === id);
  if (model === undefined) throw new Error(`no model ${id} in the catalogue`);
  return model;
};

export const thrownBy = (act: () => unknown): unknown => {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
};
