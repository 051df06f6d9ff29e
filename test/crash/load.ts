import { catalogue } from '../../src/providers/catalogue';
import { lifecycleStatus } from '../../src/domain/routing';
import { tinyPng } from '../support/provider-calls';
import type { Random } from './random';

/** One generation that a client wants, and what it does with it. */
export type Wish = {
  /** Its Idempotency-Key. */
  key: string;
  /** Nobody else's: by it the provider's ledger tells whose work it did. */
  prompt: string;
  body: Record<string, unknown>;
  /** After the start of the load. */
  atMs: number;
  /** Sent to both APIs at the same moment. */
  isSentTwice: boolean;
  /** After it was accepted; `null`: never. */
  cancelAfterMs: number | null;
};

type Shape = { weight: number; medium: string; model: string; input?: Record<string, unknown> };

const image = { base64: tinyPng, contentType: 'image/png' };

/** Every provider, every medium, work that answers at once and work that is looked after, with and without uploads. */
const shapes: readonly Shape[] = [
  { weight: 3, medium: 'video', model: 'runway/gen4.5', input: { durationSeconds: 5 } },
  { weight: 2, medium: 'video', model: 'runway/gen4_turbo', input: { image } },
  { weight: 2, medium: 'video', model: 'fal/veo3.1/fast' },
  { weight: 1, medium: 'video', model: 'fal/veo3.1/fast', input: { image } },
  { weight: 2, medium: 'video', model: 'google/gemini-omni-1.1-flash' },
  { weight: 3, medium: 'video', model: 'mock/video' },
  { weight: 2, medium: 'video', model: 'auto' },
  { weight: 3, medium: 'image', model: 'fal/flux/schnell' },
  { weight: 2, medium: 'image', model: 'fal/flux/dev' },
  { weight: 2, medium: 'image', model: 'runway/gen4_image' },
  { weight: 2, medium: 'image', model: 'openai/gpt-image-2', input: { size: '1024x1024', quality: 'low' } },
  { weight: 2, medium: 'image', model: 'cloudflare/flux-1-schnell' },
  { weight: 1, medium: 'image', model: 'google/gemini-2.5-flash-image' },
  { weight: 2, medium: 'image', model: 'mock/image' },
  { weight: 2, medium: 'image', model: 'auto' },
  { weight: 3, medium: 'speech', model: 'elevenlabs/eleven_multilingual_v2' },
  { weight: 2, medium: 'speech', model: 'runway/eleven_multilingual_v2' },
  { weight: 2, medium: 'speech', model: 'openai/tts-1' },
  { weight: 2, medium: 'speech', model: 'groq/orpheus-v1-english' },
  { weight: 1, medium: 'speech', model: 'mock/speech' },
  { weight: 1, medium: 'speech', model: 'auto' },
  { weight: 3, medium: 'text', model: 'anthropic/claude-haiku-5-5' },
  { weight: 2, medium: 'text', model: 'groq/gpt-oss-20b' },
  { weight: 2, medium: 'text', model: 'cloudflare/llama-3.1-8b-instruct-fp8-fast' },
  { weight: 2, medium: 'text', model: 'google/gemini-2.5-flash' },
  { weight: 2, medium: 'text', model: 'openai/gpt-5.5' },
  { weight: 2, medium: 'text', model: 'mock/text' },
  { weight: 1, medium: 'text', model: 'auto' },
];

const isSold = ({ model }: Shape): boolean => {
  if (model === 'auto') return true;
  const row = catalogue.find(({ id }) => id === model);
  if (!row) throw new Error(`the load names ${model}, which is not in the catalogue`);
  return lifecycleStatus(row, new Date()) !== 'retired';
};

const sold = shapes.filter(isSold);

const policies = ['auto', 'auto', 'auto', 'hold', 'resubmit', 'fail_over'] as const;

const promptOf = (random: Random, key: string): string =>
  `${random.pick(['A lantern', 'A ferry', 'An owl', 'A market', 'A kite'])} ${random.pick(['in fog', 'at dawn', 'in snow'])}, seen from ${key}.`;

const bodyOf = (shape: Shape, prompt: string): Record<string, unknown> => ({
  medium: shape.medium,
  model: shape.model,
  input: { prompt, ...shape.input },
});

/** What the clients do in the storm: the same for the same seed. */
export const planLoad = (random: Random, count: number, { overMs }: { overMs: number }): Wish[] =>
  Array.from({ length: count }, (_, index) => {
    // every shape comes, also in a small load
    const shape =
      sold[index % sold.length] && random.chance(0.5) ? random.pickWeighted(sold) : sold[index % sold.length];
    const key = `storm-${index + 1}`;
    const prompt = promptOf(random, key);
    return {
      key,
      prompt,
      body: {
        ...bodyOf(shape ?? random.pick(sold), prompt),
        onAmbiguous: random.pick(policies),
        deadlineSeconds: random.chance(0.12) ? random.between(10, 20) : 1800,
        priority: random.pick(['high', 'medium', 'low']),
      },
      atMs: Math.round((index / count) * overMs),
      isSentTwice: random.chance(0.2),
      cancelAfterMs: random.chance(0.15) ? random.between(0, 6_000) : null,
    };
  });

const lasting = ['runway/gen4.5', 'fal/veo3.1/fast', 'mock/video', 'google/gemini-omni-1.1-flash', 'runway/gen4_image'];

/** Work that is out when everything stops, and that the provider finishes meanwhile; half of it past its deadline by then. */
export const planLasting = (count: number): Wish[] =>
  Array.from({ length: count }, (_, index) => {
    const model = lasting[index % lasting.length] ?? 'mock/video';
    const key = `lasting-${index + 1}`;
    const prompt = `A slow river, seen from ${key}.`;
    const medium = model === 'runway/gen4_image' ? 'image' : 'video';
    const deadlineSeconds = index % 2 === 0 ? 10 : 1800;
    return {
      key,
      prompt,
      body: { ...bodyOf({ weight: 1, medium, model }, prompt), deadlineSeconds },
      atMs: 0,
      isSentTwice: false,
      cancelAfterMs: null,
    };
  });

/** Passes every boundary on its way: an upload, looks, a download, and a cancel in the midst of it. */
export const planBait = (round: number): Wish[] =>
  [null, 1_000, 2_500].map((cancelAfterMs, index) => {
    const key = `bait-${round}-${index + 1}`;
    const prompt = `A harbour at night, seen from ${key}.`;
    const shape: Shape = { weight: 1, medium: 'video', model: 'runway/gen4_turbo', input: { image } };
    return { key, prompt, body: bodyOf(shape, prompt), atMs: 0, isSentTwice: false, cancelAfterMs };
  });
