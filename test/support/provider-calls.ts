import { blankInput, type GenerationInput, type MediaInput } from '../../src/domain/generation';
import type { Model } from '../../src/domain/model';
import { catalogue } from '../../src/providers/catalogue';
import type { Call, Exchange, Media, ReadyInput } from '../../src/providers/provider';

export const secret = 'test-key-c0ffee-do-not-leak';

/** The smallest real PNG: one pixel. */
export const tinyPng =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

export const image: Media = { bytes: Buffer.from(tinyPng, 'base64'), contentType: 'image/png' };

/** The same image as a generation's row refers to it. */
export const storedImage: MediaInput = {
  origin: { inline: true },
  stored: { key: 'inputs/gen_1/image', contentType: 'image/png', bytes: image.bytes.length, sha256: '0'.repeat(64) },
};

export const makeInput = <Kind = MediaInput>(
  overrides: Partial<GenerationInput<Kind>> = {},
): GenerationInput<Kind> => ({
  ...blankInput,
  prompt: 'a red bicycle in the rain',
  ...overrides,
});

/** As an adapter is given it. */
export const makeReadyInput = (overrides: Partial<ReadyInput> = {}): ReadyInput => makeInput<Media>(overrides);

export const makeCall = (baseUrl: string, overrides: Partial<Call> = {}): Call & { exchanges: Exchange[] } => {
  const exchanges: Exchange[] = [];
  return {
    credential: { alias: 'test', secret, baseUrl },
    trace: 'gen_1/attempt/1',
    // only what stalls is cut, however busy the machine is
    deadlineMs: 10_000,
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
